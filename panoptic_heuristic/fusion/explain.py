"""The fate of each candidate, read off the final map."""

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.instance_arguments import as_tensor
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.result import FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap


class LostPixels(NamedTuple):
    """Pixels of a candidate that another segment has, or nobody.

    Attributes:
        segment_id: who has them; None for void, and the next two with it.
        category_id: of that segment, a dataset id.
        instance_id: of that segment, its place in the input; None for stuff too, and for things made of labels.
        pixels: how many, at least 1.
    """

    segment_id: Optional[int]
    category_id: Optional[int]
    instance_id: Optional[int]
    pixels: int


@dataclass(frozen=True)
class Explanation:
    """The fate of one candidate. ``area_before`` is ``area_kept`` and all that was lost.

    The area of its segment is ``area_kept + area_gained``.

    Attributes:
        isthing: True for an instance, False for a stuff category of the semantic map.
        category_id: dataset category id.
        score: of an instance; None for stuff.
        instance_id: the instance's place in the input; None for stuff.
        kept: whether it is a segment of the map.
        reason: why it is not, see :class:`panoptic_heuristic.fusion.DroppedCandidate`; None if it is.
        area_before: pixels of the head's mask, or of the category in the semantic map.
        area_kept: how many of them its segment has.
        area_gained: pixels that its segment has beyond its mask or its labels, given by a rule that
            looks at more than these; 0 if it is not kept.
        lost_to: where the others went, most pixels first, of equal ones the lower segment id, void last.
        area_relabelled: pixels of ``area_before`` that were in islands of the label map, and had another label
            when segments were made; 0 for instances.
    """

    isthing: bool
    category_id: int
    score: Optional[float]
    instance_id: Optional[int]
    kept: bool
    reason: Optional[str]
    area_before: int
    area_kept: int
    area_gained: int
    lost_to: Tuple[LostPixels, ...]
    area_relabelled: int = 0


def explain(result: FusionResult, instances: InstanceSet, semantics: Optional[SemanticMap]) -> Tuple[Explanation, ...]:
    """Says of every candidate where its pixels went. Masks that fusing did not need are made for it.

    Things that a leftover rule made of labels are nobody's candidates; pixels may be lost to them.

    Args:
        result: of fusing ``instances`` and ``semantics``, by any rules. Not changed.
        instances: what was fused.
        semantics: what was fused.

    Returns:
        One per candidate: instances by place in the input, then stuff by label; last, stuff that a
        rule put into the map, or left out, though none of its labels occurs.

    Raises:
        InputError: the result is not one of these instances and semantics.
    """
    _check_belongs(result, instances, semantics)
    panoptic_seg = as_tensor(result.panoptic_seg)
    # Who a candidate is -> its id in the map, 0 if it is not there, and why.
    fates: Dict[Tuple[bool, Optional[int]], Tuple[int, Optional[str]]] = {}
    for segment in result.segments_info:
        candidate = segment["instance_id"] if segment["isthing"] else segment["category_id"]
        fates[segment["isthing"], candidate] = (segment["id"], None)
    for dropped in result.dropped:
        candidate = dropped.instance_id if dropped.isthing else dropped.category_id
        fates[dropped.isthing, candidate] = (0, dropped.reason)

    explanations = []
    scores = instances.scores.tolist()
    for index, category_id in enumerate(instances.category_ids):
        crop = instances.crop(index)
        ids = panoptic_seg[crop.window].masked_select(crop.mask)
        who = {"isthing": True, "category_id": category_id, "score": scores[index], "instance_id": index}
        explanations.append(_explanation(who, fates[True, index], ids, 0, result.segments_info))
    for category_id, labels in _labels_of(semantics).items():
        # Labels may mean things too.
        if (False, category_id) in fates:
            ids = panoptic_seg.masked_select(semantics.look_up(dict.fromkeys(labels, 1)).bool())
            who = {"isthing": False, "category_id": category_id, "score": None, "instance_id": None}
            relabelled = result.relabelled.get(category_id, 0)
            explanations.append(_explanation(who, fates[False, category_id], ids, relabelled, result.segments_info))
    return tuple(explanations)


def _check_belongs(result: FusionResult, instances: InstanceSet, semantics: Optional[SemanticMap]) -> None:
    size = tuple(result.panoptic_seg.shape)
    for name, other in (("instances", instances), ("semantic labels", semantics)):
        if other is not None and other.image_size != size:
            raise InputError(f"the result is on {size} pixels, the {name} on {other.image_size}; give what was fused")
    things = [segment["instance_id"] for segment in result.segments_info if segment["isthing"]]
    things += [dropped.instance_id for dropped in result.dropped if dropped.isthing]
    things = [index for index in things if index is not None]
    if sorted(things) != list(range(len(instances))):
        raise InputError(f"the result is of {len(things)} instances, got {len(instances)}; give what was fused")
    stuff = {segment["category_id"] for segment in result.segments_info if not segment["isthing"]}
    stuff |= {dropped.category_id for dropped in result.dropped if not dropped.isthing}
    for category_id in sorted(stuff - set(_labels_of(semantics))):
        raise InputError(
            f"the result has stuff of category {category_id}, the semantic labels not; give what was fused"
        )


def _labels_of(semantics: Optional[SemanticMap]) -> Dict[int, List[int]]:
    """The labels in the semantic map of each category there, by its first label; last, categories without any."""
    if semantics is None:
        return {}
    labels_of = semantics.labels_of_category()
    for _, category_id in sorted(semantics.label_to_category.items()):
        if category_id is not None:
            labels_of.setdefault(category_id, [])
    return labels_of


def _explanation(
    who: Dict[str, Any],
    fate: Tuple[int, Optional[str]],
    ids: Tensor,
    relabelled: int,
    segments_info: List[Dict[str, Any]],
) -> Explanation:
    """Counts who has a candidate's pixels, given the id of the segment on each of them."""
    own_id, reason = fate
    pixels = torch.bincount(ids, minlength=len(segments_info) + 1).tolist()
    area_kept = pixels[own_id] if own_id else 0
    # Void comes last, and stays there among equals since sorting is stable.
    takers = [*(segment_id for segment_id in range(1, len(pixels)) if segment_id != own_id), 0]
    lost_to = []
    for segment_id in sorted(takers, key=lambda segment_id: -pixels[segment_id]):
        if pixels[segment_id]:
            segment = segments_info[segment_id - 1] if segment_id else {}
            taker = segment_id or None, segment.get("category_id"), segment.get("instance_id")
            lost_to.append(LostPixels(*taker, pixels[segment_id]))
    return Explanation(
        **who,
        kept=own_id != 0,
        reason=reason,
        area_before=len(ids),
        area_kept=area_kept,
        area_gained=segments_info[own_id - 1]["area"] - area_kept if own_id else 0,
        lost_to=tuple(lost_to),
        area_relabelled=relabelled,
    )
