"""Fusing: things by rank, then stuff on what they leave free, then void."""

import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.greedy import Greedy
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap


@dataclass(frozen=True)
class Pipeline:
    """The rules and thresholds of fusing. The default is Detectron2's.

    Attributes:
        claim: who gets a contested pixel.
        instances_score_thresh: an instance is kept if its score >= it; compared in float64.
        stuff_area_thresh: a stuff segment is dropped if its free area in pixels < it; >= 0.
    """

    claim: ClaimRule = field(default_factory=Greedy)
    instances_score_thresh: float = 0.5
    stuff_area_thresh: float = 4096

    def __post_init__(self):
        if not callable(getattr(self.claim, "claim", None)):
            raise InputError(f"claim must be a claim rule such as Greedy(), got {self.claim!r}")
        check_number("instances_score_thresh", self.instances_score_thresh)
        check_number("stuff_area_thresh", self.stuff_area_thresh, 0)


def fuse(
    instances: InstanceSet,
    semantics: Optional[SemanticMap],
    categories: Categories,
    pipeline: Pipeline = Pipeline(),
) -> FusionResult:
    """Merges instances and semantic labels into one map where every pixel has one segment.

    Instances are ranked by score, highest first; equal scores keep their input order. Each stuff
    category takes the pixels still free unless they are fewer than ``stuff_area_thresh``. What is
    left is void. No input is changed.

    Args:
        instances: the things found. May be empty.
        semantics: the semantic labels, or None for no stuff.
        categories: the data set's categories.
        pipeline: rules and thresholds.

    Raises:
        InputError: instances and semantics differ in size or device, an instance's category is
            unknown or stuff, or a label means a category that is unknown.
    """
    _check_inputs(instances, semantics, categories)
    ranked, dropped = _rank(instances, pipeline.instances_score_thresh)
    claim = pipeline.claim.claim(instances, ranked)
    dropped.update(claim.dropped)

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
            panoptic_seg, semantics, categories, pipeline.stuff_area_thresh, first_id=len(segments_info) + 1
        )
        segments_info += stuff
        dropped_candidates += dropped_stuff
    return FusionResult(panoptic_seg, segments_info, tuple(dropped_candidates))


def _check_inputs(instances: InstanceSet, semantics: Optional[SemanticMap], categories: Categories) -> None:
    for index, category_id in enumerate(instances.category_ids):
        if category_id not in categories:
            raise InputError(f"instance {index} has category {category_id}, which is not among the categories")
        if not categories[category_id].isthing:
            raise InputError(f"instance {index} has category {category_id}, which is stuff; instances are things")
    if semantics is None:
        return
    if semantics.image_size != instances.image_size:
        raise InputError(
            f"the instances are on {instances.image_size} pixels, the semantic labels on {semantics.image_size}"
        )
    if semantics.device != instances.device:
        raise InputError(f"the instances are on {instances.device}, the semantic labels on {semantics.device}")
    for label, category_id in semantics.label_to_category.items():
        if category_id is not None and category_id not in categories:
            raise InputError(f"label {label} means category {category_id}, which is not among the categories")


def _rank(instances: InstanceSet, instances_score_thresh: float) -> Tuple[List[int], Dict[int, str]]:
    """Indices of the instances that take part, best first, and the reason of the others."""
    dropped: Dict[int, str] = {}
    kept = []
    scores = instances.scores.tolist()
    for index, score in enumerate(scores):
        if not math.isfinite(score):
            dropped[index] = "not_finite"
        elif score < instances_score_thresh:
            dropped[index] = "score"
        else:
            kept.append(index)
    return sorted(kept, key=lambda index: -scores[index]), dropped


def _add_stuff(
    panoptic_seg: Tensor,
    semantics: SemanticMap,
    categories: Categories,
    stuff_area_thresh: float,
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
        elif area < stuff_area_thresh:
            dropped.append(DroppedCandidate(False, category_id, "stuff_area"))
        else:
            segment_id = first_id + len(segments_info)
            segments_info.append({"id": segment_id, "isthing": False, "category_id": category_id, "area": area})
            id_of_label.update(dict.fromkeys(labels, segment_id))
    filled = panoptic_seg.where(~free, semantics.look_up(id_of_label))
    return filled, segments_info, dropped
