"""Colours of segments: one per class, in shades by instance."""

import colorsys
import itertools
from typing import Any, Dict, Mapping, Sequence, Set, Tuple

from panoptic_heuristic.formats.categories import Categories

Color = Tuple[int, int, int]

# Lightness and hue of the k-th instance of a class against the first: near enough to be of one class,
# far enough to be told from a neighbour.
_SHADES = ((0.0, 0.0), (0.13, 0.02), (-0.12, -0.02), (0.22, -0.03), (-0.06, 0.04), (0.07, -0.045), (-0.18, 0.03))


def shade(color: Color, number: int) -> Color:
    """The colour of the instance ``number``, counted from 0, of a class; 0 has the class's own colour."""
    lightness_step, hue_step = _SHADES[number % len(_SHADES)]
    if not (lightness_step or hue_step):
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in color))
    # Room for all steps: no shade comes near the black of void or the white of borders.
    lightness = min(max(lightness, 0.26), 0.68)
    red, green, blue = colorsys.hls_to_rgb((hue + hue_step) % 1.0, lightness + lightness_step, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def shade_numbers(
    segments_info: Sequence[Mapping[str, Any]], given: Mapping[int, int] = {}  # noqa: B006 (never changed)
) -> Dict[int, int]:
    """Numbers the segments of each category from 0.

    Args:
        segments_info: dicts with ``id`` and ``category_id``.
        given: numbers that are fixed, by segment id, such as that of the ground-truth segment which
            a prediction matches. The others take the lowest numbers that are free.
    """
    taken: Dict[int, Set[int]] = {segment["category_id"]: set() for segment in segments_info}
    for segment in segments_info:
        if segment["id"] in given:
            taken[segment["category_id"]].add(given[segment["id"]])
    free = {key: itertools.filterfalse(used.__contains__, itertools.count()) for key, used in taken.items()}
    return {
        segment["id"]: given[segment["id"]] if segment["id"] in given else next(free[segment["category_id"]])
        for segment in segments_info
    }


def segment_colors(
    segments_info: Sequence[Mapping[str, Any]], categories: Categories, numbers: Mapping[int, int]
) -> Dict[int, Color]:
    """The colour of each segment, by id.

    Args:
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids).
        categories: the data set's categories.
        numbers: of :func:`shade_numbers`.
    """
    return {
        segment["id"]: shade(categories[segment["category_id"]].color, numbers[segment["id"]])
        for segment in segments_info
    }
