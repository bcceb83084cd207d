"""The fate of each candidate of a fusion, as a table for people."""

from typing import List, Optional, Sequence

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.tables import text_table
from panoptic_heuristic.fusion.explain import Explanation, LostPixels

FATES = {
    "not_finite": "score not finite",
    "score": "score below threshold",
    "nms": "overlaps a better one",
    "gate": "labels disagree",
    "probability": "probability below cut",
    "key": "key below cutoff",
    "empty": "no pixel",
    "overlap": "overlap too large",
    "covered": "wholly covered",
    "duplicate": "like a better one",
    "no_room": "too little free",
    "outvoted": "too little won",
    "veto": "labels say stuff",
    "thing_area": "thing too small",
    "stuff_area": "area too small",
    "island": "islands only",
    "border": "lost at borders",
}
"""The reasons of :class:`panoptic_heuristic.fusion.DroppedCandidate`, for people."""

_MOST_TAKERS = 3


def explanation_table(explanations: Sequence[Explanation], categories: Categories) -> str:
    """One line per candidate: its fate, its pixels, and who has those that it lost.

    Things are named by their category and their place in the input. Pixels that were in islands of the
    label map, and pixels that segments gained beyond what their head gave them, have a column if there
    are any.

    Args:
        explanations: of :func:`panoptic_heuristic.fusion.explain`; the lines keep their order.
        categories: the data set's categories.

    Returns:
        The table; empty without any candidate.
    """
    if not explanations:
        return ""
    relabelled = any(one.area_relabelled for one in explanations)
    gained = any(one.area_gained for one in explanations)
    rows = [
        [
            _name(one.category_id, one.instance_id, categories),
            "" if one.score is None else f"{one.score:.3f}",
            "kept" if one.kept else FATES.get(one.reason, one.reason),
            one.area_before,
            *([one.area_relabelled] if relabelled else []),
            one.area_kept,
            *([one.area_gained] if gained else []),
            _takers(one.lost_to, categories),
        ]
        for one in explanations
    ]
    optional = ["in islands"] * relabelled, ["gained"] * gained
    headers = ["candidate", "score", "fate", "pixels before", *optional[0], "kept", *optional[1], "lost to (pixels)"]
    return text_table(rows, headers, f"lrl{'r' * (len(headers) - 4)}l")


def _name(category_id: int, instance_id: Optional[int], categories: Categories) -> str:
    name = categories[category_id].name
    return name if instance_id is None else f"{name} #{instance_id}"


def _takers(lost_to: Sequence[LostPixels], categories: Categories) -> str:
    parts: List[str] = [
        f"{'void' if loss.segment_id is None else _name(loss.category_id, loss.instance_id, categories)} {loss.pixels}"
        for loss in lost_to[:_MOST_TAKERS]
    ]
    others = lost_to[_MOST_TAKERS:]
    if others:
        parts.append(f"{len(others)} more {sum(loss.pixels for loss in others)}")
    return ", ".join(parts)
