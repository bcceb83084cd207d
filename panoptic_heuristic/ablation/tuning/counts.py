"""Counts of a pipeline on regions, many settings of its thresholds at once.

Shape legend: N instances, M of them ranked, S settings, C categories in the order of the data set's
list, K of them in the image.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.claims import RegionClaims, claim_regions, claims_on_regions, rank_by
from panoptic_heuristic.ablation.regions.counts import Outcomes, shared_by_instances, shared_by_stuff
from panoptic_heuristic.ablation.setting_counts import SettingCounts, groups_of
from panoptic_heuristic.ablation.tuning.images import TuningImage, segments_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, ByScore, Calibrated, OrderRule, PerPixel, Pipeline
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.stages import rule_name


def check_tunable(pipeline: Pipeline) -> None:
    """Raises if a pipeline is not one that is counted here.

    Raises:
        InputError: its claim rule needs pixels or has no overlap threshold, it is ordered by something
            else than the score or a probability, or another stage differs from Detectron2's.
    """
    claim = pipeline.claim
    if not claims_on_regions(claim) or type(claim) is PerPixel:
        raise InputError(f"claim={rule_name('claim', claim)} cannot be tuned; take greedy, class_aware or reclaim")
    for stage, rule in pipeline.rules.items():
        kept = type(rule) in (ByScore, Calibrated) if stage == "order" else rule == DEFAULT_PIPELINE.rules[stage]
        if stage != "claim" and not kept:
            raise InputError(f"{stage}={rule_name(stage, rule)} cannot be tuned; leave it out")
    if pipeline.thing_area_thresh > 0:
        raise InputError(f"thing_area_thresh {pipeline.thing_area_thresh:g} cannot be tuned; leave it out")


@dataclass(frozen=True, eq=False)
class ClassValues:
    """The thresholds of a pipeline, per category: (C,) float64 each.

    Attributes:
        claim: the rule; its own thresholds do not matter.
        cutoff: score that an instance needs.
        overlap: fraction of it that may be claimed already.
        pixels, fraction: free area that stuff needs, absolute and of the image.
    """

    claim: ClaimRule
    cutoff: np.ndarray
    overlap: np.ndarray
    pixels: np.ndarray
    fraction: np.ndarray

    @classmethod
    def of_pipeline(cls, pipeline: Pipeline, categories: Categories) -> "ClassValues":
        """Of a pipeline for which :func:`check_tunable` holds."""
        check_tunable(pipeline)

        def values(otherwise, single):
            return np.array([single.get(category_id, otherwise) for category_id in categories], dtype=np.float64)

        return cls(
            pipeline.claim,
            values(pipeline.instances_score_thresh, pipeline.instances_score_thresh_of),
            values(pipeline.claim.overlap_threshold, pipeline.claim.overlap_threshold_of),
            values(pipeline.stuff_area_thresh, pipeline.stuff_area_thresh_of),
            values(pipeline.stuff_area_fraction, pipeline.stuff_area_fraction_of),
        )


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """The counts of one image under S settings.

    Attributes:
        places: (K,) int64, categories by their place in the data set's list; none twice.
        values: (3, K, S) int64: iou_sum, TP and FP.
        equal: for each setting asked for, its place among the S.
    """

    places: np.ndarray
    values: np.ndarray
    equal: np.ndarray


def ranking_keys(image: TuningImage, order: OrderRule, candidates: np.ndarray) -> np.ndarray:
    """(N,) float64, what an order rule sorts candidates by, (N,) bool; minus infinity for the others."""
    keys = np.full(len(candidates), -np.inf)
    if type(order) is ByScore:
        keys[candidates] = image.regions.scores[candidates]
    else:
        keys[candidates] = order.probability(image.features[candidates], image.regions.category_ids[candidates])
    return keys


def candidates_of(image: TuningImage, cutoffs: np.ndarray) -> np.ndarray:
    """(N,) bool: the instances whose score is finite and not below the cutoff, (C,), of their category."""
    scores = image.regions.scores
    return np.isfinite(scores) & (scores >= cutoffs[image.places])


def rank_instances(image: TuningImage, order: OrderRule, cutoffs: np.ndarray) -> np.ndarray:
    """The instances that take part, best first, as :func:`panoptic_heuristic.fusion.fuse` ranks them.

    Args:
        image: the image.
        order: its order rule.
        cutoffs: (C,) the score each category needs.
    """
    candidates = candidates_of(image, cutoffs)
    keys = ranking_keys(image, order, candidates)
    if type(order) is Calibrated:
        candidates &= keys >= order.cuts(image.regions.category_ids)
    return rank_by(keys, candidates)


def count_settings(
    image: TuningImage,
    ranked: np.ndarray,
    overlaps: np.ndarray,
    takes_part: Optional[np.ndarray],
    values: ClassValues,
) -> ImageCounts:
    """Counts an image under settings that differ in who takes part and in overlap thresholds.

    Args:
        image: the image.
        ranked: (M,) instances, best first.
        overlaps: (M, S).
        takes_part: (M, S) bool; None if all do.
        values: for the claim rule and the limits of stuff.
    """
    claims, equal = claim_regions(values.claim, image.regions, ranked, overlaps, takes_part).distinct()
    things = image.scorer.score(shared_by_instances(image.regions, claims), image.regions.category_ids[ranked])
    stuff, stays = _stuff(image, claims, values)
    thing_places, thing_of = np.unique(image.places[ranked], return_inverse=True)
    counted = np.zeros((3, len(thing_places) + len(image.stuff_places), claims.kept.shape[1]), dtype=np.int64)
    for row, thing, of_stuff in zip(
        counted, (things.iou, things.matched, things.false), (stuff.iou, stuff.matched, stuff.false), strict=True
    ):
        np.add.at(row, thing_of.reshape(-1), thing.T)
        row[len(thing_places) :] = (of_stuff * stays).T
    return ImageCounts(np.concatenate([thing_places, image.stuff_places]), counted, equal)


def count_pipeline(image: TuningImage, pipeline: Pipeline, categories: Categories) -> np.ndarray:
    """(3, C) int64, iou_sum, TP and FP of an image: what fusing and scoring its pixels gives."""
    values = ClassValues.of_pipeline(pipeline, categories)
    ranked = rank_instances(image, pipeline.order, values.cutoff)
    found = count_settings(image, ranked, values.overlap[image.places[ranked], None], None, values)
    counts = np.zeros((3, len(categories)), dtype=np.int64)
    counts[:, found.places] = found.values[:, :, 0]
    return counts


def count_pipelines(
    images: Sequence[TuningImage], pipelines: Sequence[Pipeline], categories: Categories
) -> np.ndarray:
    """(images, 3, C, pipelines) int64, see :func:`count_pipeline`."""
    counts = np.zeros((len(images), 3, len(categories), len(pipelines)), dtype=np.int64)
    for row, image in zip(counts, images, strict=True):
        for number, pipeline in enumerate(pipelines):
            row[..., number] = count_pipeline(image, pipeline, categories)
    return counts


def stuff_outcomes(image: TuningImage, pipeline: Pipeline, categories: Categories) -> Tuple[np.ndarray, Outcomes]:
    """What the stuff of an image would be worth without a limit.

    Returns:
        (K,) places of the stuff categories in the data set's list, and their outcomes, (K,) each.
    """
    values = ClassValues.of_pipeline(pipeline, categories)
    ranked = rank_instances(image, pipeline.order, values.cutoff)
    claims = claim_regions(pipeline.claim, image.regions, ranked, values.overlap[image.places[ranked], None])
    outcomes = _free_stuff(image, claims)
    fields = (outcomes.area, outcomes.iou, outcomes.matched, outcomes.false, outcomes.gt)
    return image.stuff_places, Outcomes(*(field[0] for field in fields))


def setting_counts(table: np.ndarray, images: Sequence[TuningImage], categories: Categories) -> SettingCounts:
    """Totals.

    Args:
        table: (images, 3, C, S).
        images: the images.
        categories: the data set's.
    """
    return SettingCounts(*table.sum(axis=0), segments_of(images, categories), len(images))


def pq_of(counts: SettingCounts, categories: Categories) -> np.ndarray:
    """(S,) PQ of all categories that occur, 0 to 1."""
    return counts.quality().mean("pq", groups_of(categories)["all"])


def best_of(pq: np.ndarray) -> int:
    """The place of the highest PQ, the first of equal ones; those without a PQ come last."""
    return int(np.nan_to_num(pq, nan=-1.0).argmax())


def _stuff(image: TuningImage, claims: RegionClaims, values: ClassValues) -> Tuple[Outcomes, np.ndarray]:
    """Outcomes, (S, K) each, and (S, K) bool whether a candidate is large enough."""
    outcomes = _free_stuff(image, claims)
    places = image.stuff_places
    # In float64, as Pipeline.is_too_small has it.
    limits = np.maximum(values.pixels[places], values.fraction[places] * image.regions.area)
    return outcomes, outcomes.area >= limits


def _free_stuff(image: TuningImage, claims: RegionClaims) -> Outcomes:
    everyone = np.array([len(claims.ranked)])
    shared = shared_by_stuff(image.regions, claims, everyone, image.stuff, image.stuff_place)
    return image.scorer.score(shared[:, 0], image.stuff)
