"""Fusing: seven stages, from the outputs of two heads to one map."""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Optional, Tuple

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.argument_types import check_pipeline
from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.one_thread import one_thread
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.pipeline import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap
from panoptic_heuristic.fusion.stuff import labels_of_stuff
from panoptic_heuristic.fusion.suppress import Suppression
from panoptic_heuristic.fusion.tracing import refuse_tracing


@one_thread()
def fuse(
    instances: InstanceSet,
    semantics: Optional[SemanticMap],
    categories: Categories,
    pipeline: Pipeline = DEFAULT_PIPELINE,
    image: Optional[Any] = None,
) -> FusionResult:
    """Merges instances and semantic labels into one map where every pixel has one segment.

    Islands of the label map are taken over by their surroundings first, where the pipeline says so.
    Instances whose score is high enough, and that nothing suppresses, are ranked, by score unless
    the pipeline says otherwise; equal ones keep their input order. They claim their pixels, and
    each stuff category takes those still free unless they are too few. What is left is void, unless
    a rule gives it to somebody. No input is changed.

    Args:
        instances: the things found. May be empty.
        semantics: the semantic labels, or None for no stuff.
        categories: the data set's categories.
        pipeline: rules and thresholds.
        image: (H, W, 3) uint8 RGB, as large as the output, for the rules that look at it.

    Returns:
        The map is an array where arrays or run lengths went in, and a tensor where tensors did.

    Raises:
        InputError: the inputs do not belong together, see :class:`HeadOutputs`; a rule needs what
            is not there; a value of the pipeline is for a category that is unknown or of the
            wrong kind; or PyTorch is tracing or exporting.
    """
    refuse_tracing("fuse", "export the network alone, and call fuse on its outputs")
    check_pipeline(pipeline)
    heads = HeadOutputs(instances, semantics, categories, image)
    pipeline.check_categories(categories)
    given = heads
    if pipeline.island_area_fraction > 0:
        heads = _without_islands(heads, pipeline)
    suppression, order, dropped = _before_claim(given, heads, pipeline)
    claim = pipeline.claim.claim(heads.having(instances=suppression.instances), order)
    if claim.semantics is None:
        claim = dataclasses.replace(claim, semantics=heads.semantics)
    if semantics is not None:
        claim = pipeline.veto.veto(heads.having(semantics=claim.semantics), claim)
    claim = claim.without(
        {index: "thing_area" for index, area in claim.areas.items() if area < pipeline.thing_area_thresh}
    )
    result = _with_stuff(given, heads, claim, {**dropped, **claim.dropped}, pipeline)
    if semantics is not None:
        result = pipeline.leftover.fill(heads, result)
    result = pipeline.border.refine(heads, result)
    if instances.is_numpy and (semantics is None or semantics.is_numpy):
        result = dataclasses.replace(result, panoptic_seg=result.panoptic_seg.numpy())
    if heads is not given:
        result = dataclasses.replace(result, relabelled=_relabelled(semantics, heads.semantics))
    return result


@one_thread()
def ranked_instances(heads: HeadOutputs, pipeline: Pipeline) -> Tuple[int, ...]:
    """The instances that claim pixels by a pipeline, best first, by their place in the input.

    Args:
        heads: the outputs of both heads.
        pipeline: rules and thresholds.
    """
    return _before_claim(heads, _without_islands(heads, pipeline), pipeline)[1].ranked


def _without_islands(given: HeadOutputs, pipeline: Pipeline) -> HeadOutputs:
    """The same if there are none."""
    if given.semantics is None:
        return given
    return given.having(semantics=given.semantics.without_islands(pipeline.island_area_fraction))


def _before_claim(
    given: HeadOutputs, heads: HeadOutputs, pipeline: Pipeline
) -> Tuple[Suppression, Order, Dict[int, str]]:
    """The masks that claim, the order in which they do, and the reason of the instances that do not.

    Args:
        given: what the heads gave.
        heads: the same without islands of labels.
        pipeline: what fuses.
    """
    candidates, dropped = _candidates(heads.instances, pipeline)
    suppression = pipeline.suppress.suppress(heads, candidates)
    # What orders instances is measured on the masks and labels that the heads gave, and known before.
    order = pipeline.order.order(given, suppression.candidates)
    return suppression, order, {**dropped, **suppression.dropped, **order.dropped}


def _candidates(instances: InstanceSet, pipeline: Pipeline) -> Tuple[List[int], Dict[int, str]]:
    """Indices of the instances that may take part, ascending, and the reason of the others."""
    dropped: Dict[int, str] = {}
    kept = []
    needed = {one: pipeline.instances_score_thresh_for(one) for one in set(instances.category_ids)}
    for index, (score, category_id) in enumerate(zip(instances.scores.tolist(), instances.category_ids, strict=True)):
        if not math.isfinite(score):
            dropped[index] = "not_finite"
        elif score < needed[category_id]:
            dropped[index] = "score"
        else:
            kept.append(index)
    return kept, dropped


def _relabelled(given: SemanticMap, cleaned: SemanticMap) -> Mapping[Optional[int], int]:
    """Pixels with another label than before, by the category that their label meant."""
    pixels: Dict[Optional[int], int] = {}
    for label, count in given.count(given.labels != cleaned.labels).items():
        category_id = given.label_to_category[label]
        pixels[category_id] = pixels.get(category_id, 0) + count
    return pixels


def _with_stuff(
    given: HeadOutputs, heads: HeadOutputs, claim: Claim, dropped: Dict[int, str], pipeline: Pipeline
) -> FusionResult:
    """The map of things and stuff, with all candidates that did not get into it.

    Args:
        given: what the heads gave.
        heads: the same without islands of labels.
        claim: who has which pixels.
        dropped: index of an instance that has none -> reason.
        pipeline: what fuses.
    """
    instances, categories = heads.instances, heads.categories
    scores = instances.scores.tolist()
    segments_info = [
        {
            "id": segment_id,
            "isthing": True,
            "category_id": instances.category_ids[index],
            "area": area,
            "score": scores[index],
            "instance_id": index,
        }
        for segment_id, (index, area) in enumerate(claim.areas.items(), start=1)
    ]
    dropped_candidates = [
        DroppedCandidate(True, instances.category_ids[index], reason, scores[index], index)
        for index, reason in sorted(dropped.items())
    ]
    if heads.semantics is None:
        return FusionResult(claim.panoptic_seg, segments_info, tuple(dropped_candidates))
    image_area = claim.panoptic_seg.numel()
    fill = pipeline.stuff.fill(
        heads.having(semantics=claim.semantics),
        claim,
        lambda category_id, area: pipeline.is_too_small(category_id, area, image_area),
    )
    for segment_id, (category_id, area) in enumerate(fill.areas.items(), start=len(segments_info) + 1):
        segments_info.append({"id": segment_id, "isthing": False, "category_id": category_id, "area": area})
    # Stuff of the head is a candidate, too, where islands were all it had or the claim's own labels lack it.
    reasons = {
        **dict.fromkeys(labels_of_stuff(given.semantics, categories), "island"),
        **dict.fromkeys(labels_of_stuff(heads.semantics, categories), "covered"),
        **fill.dropped,
    }
    reasons.update(claim.dropped_stuff)
    dropped_candidates += [
        DroppedCandidate(False, category_id, reason)
        for category_id, reason in reasons.items()
        if category_id not in fill.areas
    ]
    return FusionResult(fill.panoptic_seg, segments_info, tuple(dropped_candidates))
