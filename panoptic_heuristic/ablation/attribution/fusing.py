"""Fusing one image with all that is needed to trace its errors.

A pipeline that is exact on regions is fused there. Any other is fused pixel by pixel, and its map tells the
regions apart, too.

Shape legend: G regions, M ranked instances, P segments of the fused map, T ground-truth segments.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.fused_regions import FusedRegions, Segments, counts_of
from panoptic_heuristic.ablation.regions.after_claim import Candidates
from panoptic_heuristic.ablation.regions.regions import Regions, sums
from panoptic_heuristic.ablation.regions.scoring import score
from panoptic_heuristic.ablation.regions.single import NOBODY, settle_owned, settle_pipeline, stuff_stays
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import FusionResult, HeadOutputs, Order, Pipeline, fuse
from panoptic_heuristic.fusion.fuse import ranked_instances
from panoptic_heuristic.quality import PQCounts, count_image


def fuse_regions(regions: Regions, categories: Categories, pipeline: Pipeline, result: FusionResult) -> FusedRegions:
    """Fuses an image region by region.

    Args:
        regions: of the image.
        categories: the data set's.
        pipeline: exact on regions.
        result: of the same, pixel by pixel; says the ids of segments, and why candidates are not in the map.
    """
    candidates = settle_pipeline(regions, categories, pipeline)
    ranked, ranks = candidates.claims.ranked, candidates.claims.owner[:, 0]
    there = np.where(candidates.things.area[0] > 0, ranked, NOBODY)
    segments = _segments(regions, categories, pipeline, candidates)
    id_of = {(one["category_id"], _instance(one)): one["id"] for one in result.segments_info}
    of_segments = zip(segments.category_ids.tolist(), segments.instances.tolist(), strict=True)
    segments = dataclasses.replace(segments, ids=np.array([id_of[one] for one in of_segments], dtype=np.int64))
    areas = {one["id"]: one["area"] for one in result.segments_info}
    assert areas == dict(zip(segments.ids.tolist(), segments.shared.sum(axis=1).tolist(), strict=True))

    def recount(other: Pipeline, ranked: np.ndarray, keys: np.ndarray) -> PQCounts:
        return _counts(regions, categories, other, settle_pipeline(regions, categories, other, ranked))

    return FusedRegions(
        regions=regions,
        categories=categories,
        pipeline=pipeline,
        ranked=ranked,
        owner=np.append(there, NOBODY)[ranks],
        segments=segments,
        outcomes=score(segments.shared, segments.category_ids, regions),
        reasons=_reasons(result),
        recount=recount,
        claimed=np.append(ranked, NOBODY)[ranks],
    )


def count_owned(
    regions: Regions, categories: Categories, pipeline: Pipeline, ranked: np.ndarray, claimed: np.ndarray
) -> PQCounts:
    """Counts an image, once it is known what instances claimed.

    Args:
        regions: of the image; stuff takes what things leave free of its labels.
        categories: the data set's.
        pipeline: exact on regions. Its stages after the claim count.
        ranked: (M,) the instances that took part, best first.
        claimed: (G,) see :class:`FusedRegions`.
    """
    return _counts(regions, categories, pipeline, settle_owned(regions, categories, pipeline, ranked, claimed))


def fuse_pixels(
    regions: Regions,
    heads: HeadOutputs,
    gt: Tuple[np.ndarray, Sequence[Mapping[str, Any]]],
    pipeline: Pipeline,
    result: FusionResult,
) -> FusedRegions:
    """Takes an image that was fused pixel by pixel.

    Args:
        regions: of the image, told apart by the map of ``result``.
        heads: what was fused.
        gt: ids and segments of the ground truth.
        pipeline: any that fuses these.
        result: of fusing.
    """
    infos, places = result.segments_info, len(regions.gt.ids) + 2
    ids, category_ids = (np.array([one[name] for one in infos], dtype=np.int64) for name in ("id", "category_id"))
    instances = np.array([_instance(one) for one in infos], dtype=np.int64)
    # Ids are 1..P, and void is 0.
    table = sums(regions.segment_ids * places + regions.gt_place, regions.pixels, (len(infos) + 1) * places)
    segments = Segments(ids, category_ids, instances, table.reshape(-1, places)[1:])

    def recount(other: Pipeline, ranked: np.ndarray, keys: np.ndarray) -> PQCounts:
        order = _GivenOrder(Order(tuple(ranked.tolist()), tuple(keys.tolist()), {}))
        fused = fuse(heads.instances, heads.semantics, heads.categories, dataclasses.replace(other, order=order))
        return count_image(*gt, fused.panoptic_seg, fused.segments_info, heads.categories)

    return FusedRegions(
        regions=regions,
        categories=heads.categories,
        pipeline=pipeline,
        ranked=np.array(ranked_instances(heads, pipeline), dtype=np.int64),
        owner=np.append(NOBODY, instances)[regions.segment_ids],
        segments=segments,
        outcomes=score(segments.shared, category_ids, regions),
        reasons=_reasons(result),
        recount=recount,
    )


@dataclass(frozen=True)
class _GivenOrder:
    """The order rule of an oracle, which knows who claims and in which order."""

    given: Order

    def order(self, heads: HeadOutputs, candidates: Sequence[int]) -> Order:
        """See :meth:`panoptic_heuristic.fusion.OrderRule.order`."""
        return self.given


def _segments(regions: Regions, categories: Categories, pipeline: Pipeline, candidates: Candidates) -> Segments:
    """The segments of a map, things by rank and then stuff by category; ids count them."""
    is_there = candidates.things.area[0] > 0
    things = candidates.claims.ranked[is_there]
    stays = stuff_stays(candidates, regions, categories, pipeline)
    stuff = np.array(list(categories), dtype=np.int64)[candidates.stuff[stays]]
    return Segments(
        1 + np.arange(len(things) + len(stuff)),
        np.concatenate([regions.category_ids[things], stuff]),
        np.concatenate([things, np.full(len(stuff), NOBODY)]),
        np.concatenate([candidates.thing_pixels[0, is_there], candidates.stuff_pixels[0, 0, stays]]),
    )


def _counts(regions: Regions, categories: Categories, pipeline: Pipeline, candidates: Candidates) -> PQCounts:
    segments = _segments(regions, categories, pipeline, candidates)
    return counts_of(segments.category_ids, score(segments.shared, segments.category_ids, regions), regions)


def _instance(segment: Mapping[str, Any]) -> int:
    """The place in the input of a thing; :data:`NOBODY` of stuff, and of a thing that was made of labels."""
    instance = segment["instance_id"] if segment["isthing"] else None
    return NOBODY if instance is None else instance


def _reasons(result: FusionResult) -> Dict[Tuple[bool, Optional[int]], str]:
    return {
        (one.isthing, one.instance_id if one.isthing else one.category_id): one.reason for one in result.dropped
    }
