"""The result of fusing: a panoptic map, its segments, and the candidates that are not in it."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from torch import Tensor

from panoptic_heuristic.fusion.id_maps import id_areas, renumbered


@dataclass(frozen=True)
class DroppedCandidate:
    """A candidate segment that is not in the map, and why.

    Attributes:
        isthing: True for an instance, False for a stuff category of the semantic map.
        category_id: dataset category id.
        reason: for things ``not_finite`` (its score is NaN or infinite), ``score`` (below
            ``instances_score_thresh``), ``nms`` (it overlaps a better one), ``gate`` (the semantic labels agree with
            too little of it), ``probability`` (its calibrated probability is below its cut),
            ``key`` (the key it is ranked by is below its cutoff), ``empty`` (no pixel), ``overlap``
            (too much of it was claimed before, or taken back), ``covered`` (all of it was claimed
            before, or taken back), ``duplicate`` (it shares most of its pixels with a segment, and
            the segment with it), ``no_room`` (too little of it is free), ``outvoted`` (it won too
            few pixels, or lost all to stuff), ``veto`` (the semantic labels say it is stuff),
            ``thing_area`` (too few pixels); for stuff ``stuff_area`` (too few pixels, counted or as
            a fraction of the image), ``covered`` (no free pixel), ``score`` (too improbable),
            ``overlap`` (too much of it was claimed before), ``probability`` (no pixel of it is
            probable enough), ``island`` (all of its labels were islands, which others took
            over); for both ``border`` (it lost its last pixel when borders were cleaned). Rules of one's
            own may have other reasons.
        score: of an instance; None for stuff.
        instance_id: the instance's place in the input; None for stuff.
    """

    isthing: bool
    category_id: int
    reason: str
    score: Optional[float] = None
    instance_id: Optional[int] = None


@dataclass(frozen=True)
class FusionResult:
    """A panoptic map and what did not get into it.

    Attributes:
        panoptic_seg: (H, W) int32; 0 is void. An array if masks and labels came as arrays or run lengths,
            else a tensor on their device. Rules get and give tensors.
        segments_info: one dict of plain Python values per segment: ``id`` (1 to n, things first,
            by rank, then stuff by label), ``isthing``, ``category_id`` (dataset id), ``area`` in
            pixels; things also ``score`` and ``instance_id``, the place in the input. Things that a
            leftover rule made of labels come last; they have no ``score``, and ``instance_id`` None.
        dropped: one entry per candidate that is not in the map: things by place in the input, then
            stuff by label.
        relabelled: category id -> pixels whose label meant it, None for labels that mean none, and that were in
            islands of the label map, whose label another one replaced before anything else.
    """

    # Not a union: whoever fuses knows which of both went in.
    panoptic_seg: Any
    segments_info: List[Dict[str, Any]]
    dropped: Tuple[DroppedCandidate, ...]
    relabelled: Mapping[Optional[int], int] = field(default_factory=dict)

    def with_map(self, panoptic_seg: Tensor, reason: str) -> "FusionResult":
        """The same segments on other pixels.

        Args:
            panoptic_seg: (H, W) int32, ids of these segments and 0. Not changed.
            reason: why a segment that has no pixel there is dropped.

        Returns:
            Areas are counted anew, and ids have no gaps.
        """
        areas = id_areas(panoptic_seg, len(self.segments_info))
        kept: List[int] = []
        segments_info: List[Dict[str, Any]] = []
        gone = []
        for segment in self.segments_info:
            if areas[segment["id"]]:
                kept.append(segment["id"])
                segments_info.append({**segment, "id": len(kept), "area": areas[segment["id"]]})
            else:
                who = segment["isthing"], segment["category_id"], reason
                gone.append(DroppedCandidate(*who, segment.get("score"), segment.get("instance_id")))
        if gone:
            panoptic_seg = renumbered(panoptic_seg, kept, len(areas) - 1)
        return FusionResult(panoptic_seg, segments_info, sorted_dropped([*self.dropped, *gone]))


def sorted_dropped(dropped: List[DroppedCandidate]) -> Tuple[DroppedCandidate, ...]:
    """Things by place in the input, then stuff in the order given."""
    things = [one for one in dropped if one.isthing]
    things.sort(key=lambda one: -1 if one.instance_id is None else one.instance_id)
    return (*things, *(one for one in dropped if not one.isthing))
