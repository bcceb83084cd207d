"""What fusing returns."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from torch import Tensor


@dataclass(frozen=True)
class DroppedCandidate:
    """A candidate segment that is not in the map, and why.

    Attributes:
        isthing: True for an instance, False for a stuff category of the semantic map.
        category_id: dataset category id.
        reason: for things ``not_finite`` (its score is NaN or infinite), ``score`` (below its
            cutoff), ``nms`` (it overlaps a better one), ``gate`` (the semantic labels agree with
            too little of it), ``probability`` (its calibrated probability is below its cut),
            ``key`` (the key it is ranked by is below its cutoff), ``empty`` (no pixel), ``overlap``
            (too much of it was claimed before, or taken back), ``covered`` (all of it was claimed
            before, or taken back), ``duplicate`` (it shares most of its pixels with a segment, and
            the segment with it), ``no_room`` (too little of it is free), ``outvoted`` (it won too
            few pixels); for stuff ``stuff_area`` (too few free pixels, counted or as a fraction of
            the image), ``covered`` (no free pixel).
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
        panoptic_seg: (H, W) int32 tensor, on the inputs' device; 0 is void.
        segments_info: one dict of plain Python values per segment: ``id`` (1 to n, things first,
            by rank, then stuff by label), ``isthing``, ``category_id`` (dataset id), ``area`` in
            pixels; things also ``score`` and ``instance_id``, the place in the input.
        dropped: one entry per candidate that is not in the map: things by place in the input, then
            stuff by label.
    """

    panoptic_seg: Tensor
    segments_info: List[Dict[str, Any]]
    dropped: Tuple[DroppedCandidate, ...]
