"""Fusing: things by rank, then stuff on what they leave free, then void."""

import math
from typing import Any, Dict, List, Optional, Tuple

from torch import Tensor

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.inputs import check_inputs
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.pipeline import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap


def fuse(
    instances: InstanceSet,
    semantics: Optional[SemanticMap],
    categories: Categories,
    pipeline: Pipeline = DEFAULT_PIPELINE,
) -> FusionResult:
    """Merges instances and semantic labels into one map where every pixel has one segment.

    Instances whose score is high enough, and that nothing suppresses, are ranked, by score unless
    the pipeline says otherwise; equal ones keep their input order. They claim their pixels, and
    each stuff category takes those still free unless they are too few. What is left is void. No
    input is changed.

    Args:
        instances: the things found. May be empty.
        semantics: the semantic labels, or None for no stuff.
        categories: the data set's categories.
        pipeline: rules and thresholds.

    Raises:
        InputError: instances and semantics differ in size or device, an instance's category is
            unknown or stuff, a label means a category that is unknown, or a value of the pipeline
            is for a category that is unknown or of the wrong kind.
    """
    check_inputs(instances, semantics, categories)
    pipeline.check_categories(categories)
    candidates, dropped = _candidates(instances, pipeline)
    suppression = pipeline.suppress.suppress(instances, semantics, categories, candidates)
    # What orders instances is measured on the masks that the heads gave, and known before.
    order = pipeline.order.order(instances, semantics, categories, suppression.candidates)
    claim = pipeline.claim.claim(suppression.instances, order.ranked)
    dropped = {**dropped, **suppression.dropped, **order.dropped, **claim.dropped}

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
    panoptic_seg = claim.panoptic_seg
    if semantics is not None:
        panoptic_seg, stuff, dropped_stuff = _add_stuff(
            panoptic_seg, semantics, categories, pipeline, first_id=len(segments_info) + 1
        )
        segments_info += stuff
        dropped_candidates += dropped_stuff
    return FusionResult(panoptic_seg, segments_info, tuple(dropped_candidates))


def _candidates(instances: InstanceSet, pipeline: Pipeline) -> Tuple[List[int], Dict[int, str]]:
    """Indices of the instances that may take part, ascending, and the reason of the others."""
    dropped: Dict[int, str] = {}
    kept = []
    for index, score in enumerate(instances.scores.tolist()):
        if not math.isfinite(score):
            dropped[index] = "not_finite"
        elif score < pipeline.score_cutoff(instances.category_ids[index]):
            dropped[index] = "score"
        else:
            kept.append(index)
    return kept, dropped


def _add_stuff(
    panoptic_seg: Tensor,
    semantics: SemanticMap,
    categories: Categories,
    pipeline: Pipeline,
    *,
    first_id: int,
) -> Tuple[Tensor, List[Dict[str, Any]], List[DroppedCandidate]]:
    """Fills the free pixels of a map with the stuff categories that have enough of them.

    Returns:
        The filled map, the stuff segments and the stuff categories left out.
    """
    free = panoptic_seg == 0
    free_areas = semantics.count(free)
    labels_of: Dict[int, List[int]] = {}
    for label in semantics.areas:
        category_id = semantics.label_to_category[label]
        if category_id is not None and not categories[category_id].isthing:
            labels_of.setdefault(category_id, []).append(label)
    segments_info: List[Dict[str, Any]] = []
    dropped = []
    id_of_label: Dict[int, int] = {}
    for category_id, labels in labels_of.items():
        area = sum(free_areas.get(label, 0) for label in labels)
        if area == 0:
            dropped.append(DroppedCandidate(False, category_id, "covered"))
        elif pipeline.is_too_small(category_id, area, free.numel()):
            dropped.append(DroppedCandidate(False, category_id, "stuff_area"))
        else:
            segment_id = first_id + len(segments_info)
            segments_info.append({"id": segment_id, "isthing": False, "category_id": category_id, "area": area})
            id_of_label.update(dict.fromkeys(labels, segment_id))
    filled = panoptic_seg.where(~free, semantics.look_up(id_of_label))
    return filled, segments_info, dropped
