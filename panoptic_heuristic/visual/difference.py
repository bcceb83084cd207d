"""Pictures of the pixels in which prediction and ground truth differ."""

from typing import Collection, Iterable, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.runs import values_of_segments
from panoptic_heuristic.visual.picture import segment_borders

VOID, MATCHED, ELSEWHERE, MISSED, FALSE, MISSED_AND_FALSE = range(6)

NAMES = (
    "void or crowd, not counted",
    "matched",
    "matched, but not in this place",
    "missed",
    "false",
    "missed and false",
)

# Told apart by people who confuse red and green, too (after Okabe and Ito, "Color Universal Design").
COLORS = ((90, 90, 90), (0, 158, 115), (240, 228, 66), (213, 50, 0), (100, 70, 230), None)
# Matches are most of a picture; errors are to stand out.
_OPACITY = np.array([0.75, 0.4, 0.7, 0.75, 0.75, 0.75])
_STRIPE = 7
_NO_PARTNER = -1

# By what the ground truth's segment is (void, crowd, matched, missed) and what the prediction's is (void or
# not counted, matched, false).
_MEANING = np.array(
    [
        [VOID, VOID, VOID],
        [VOID, VOID, FALSE],
        [ELSEWHERE, ELSEWHERE, FALSE],
        [MISSED, MISSED, MISSED_AND_FALSE],
    ],
    dtype=np.uint8,
)


def difference_map(
    gt_ids: np.ndarray,
    pred_ids: np.ndarray,
    *,
    matched: Iterable[Tuple[int, int]],
    missed: Collection[int],
    false: Collection[int],
    crowds: Collection[int] = (),
) -> np.ndarray:
    """Says of each pixel what became of its two segments.

    Args:
        gt_ids, pred_ids: (H, W) integers; 0 is void.
        matched: pairs of a ground-truth and a predicted segment id.
        missed: ground-truth segment ids without a match.
        false: predicted segment ids that are false positives.
        crowds: ground-truth segment ids that are crowds.

    Returns:
        (H, W) uint8: VOID, where the ground truth is void, or a crowd under no false positive;
        MATCHED, where both segments match each other; ELSEWHERE, where the ground truth's segment
        has a match, but not the one predicted here; MISSED; FALSE; or MISSED_AND_FALSE, where a missed
        segment lies under a false one.
    """
    partner_of = dict(matched)
    gt = _kinds(gt_ids, (crowds, partner_of, missed))
    prediction = _kinds(pred_ids, (partner_of.values(), false))
    meaning = _MEANING[gt, prediction]
    partners = values_of_segments(gt_ids, partner_of, _NO_PARTNER, np.int64)
    meaning[partners == pred_ids] = MATCHED
    return meaning


def _kinds(ids: np.ndarray, groups: Sequence[Iterable[int]]) -> np.ndarray:
    """(H, W): the number, from 1, of the group that the segment is in; 0 in none."""
    kind_of = {segment_id: kind for kind, group in enumerate(groups, start=1) for segment_id in group}
    return values_of_segments(ids, kind_of, 0, np.intp)


def paint_difference(
    meaning: np.ndarray,
    gt_ids: np.ndarray,
    false_ids: np.ndarray,
    photo: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Paints a difference over the grey image, with white borders around the segments it is about.

    Args:
        meaning: (H, W), as :func:`difference_map` gives it.
        gt_ids: (H, W) integers, the ground truth.
        false_ids: (H, W) integers, the prediction with false positives only.
        photo: (H, W, 3) uint8 RGB; None for a plain background.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    grey = np.full(meaning.shape, 128.0) if photo is None else photo.astype(float) @ (0.299, 0.587, 0.114)
    color = colors_of(meaning)
    opacity = _OPACITY[meaning][:, :, None]
    picture = (1 - opacity) * grey[:, :, None] + opacity * color
    picture[segment_borders(gt_ids) | segment_borders(false_ids)] = 255
    return picture.round().astype(np.uint8)


def colors_of(meaning: np.ndarray) -> np.ndarray:
    """The legend's colour of each pixel, (H, W, 3); MISSED_AND_FALSE is striped in both colours."""
    height, width = meaning.shape
    stripes = (np.arange(height)[:, None] + np.arange(width)) // _STRIPE % 2
    striped = np.where(meaning == MISSED_AND_FALSE, np.where(stripes, MISSED, FALSE), meaning)
    return np.array(COLORS[:MISSED_AND_FALSE], dtype=np.uint8)[striped]
