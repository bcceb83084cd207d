"""Boundary PQ: matches must agree along their outlines, too.

Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021:
PQ with the smaller of the mask IoU and the boundary IoU. The boundary of a segment is what of it
lies within a distance d of its outline; where the image ends, the segment does. As in the authors'
boundary_iou package, distances are those of a square (3 x 3 erosions), the prediction's boundary on
void is left out, and which unmatched predictions void and crowds excuse is decided by whole masks.
"""

import math
from dataclasses import replace
from typing import Tuple

import cv2
import numpy as np

from panoptic_heuristic.quality.comparison import Comparison, Pair
from panoptic_heuristic.quality.overlap import Overlap
from panoptic_heuristic.quality.pieces import Pieces


def with_boundaries(comparison: Comparison, dilation_ratio: float) -> Comparison:
    """The comparison with each pair's IoU replaced by its boundary IoU where that is smaller.

    Args:
        comparison: one image.
        dilation_ratio: the boundary's width as a fraction of the image diagonal; rounded to whole
            pixels, at least 1.
    """
    if not comparison.pairs:
        return comparison
    shape = comparison.shape
    places = len(comparison.gt_segments) + 2, len(comparison.predictions) + 2
    distance = boundary_distance(shape, dilation_ratio)
    gt, pred = (
        _boundaries(place_map, number - 1, distance)
        for place_map, number in zip(comparison.place_maps(), places, strict=True)
    )
    overlap = Overlap.of_places(Pieces.of_maps(gt, pred), places)
    gt_area = overlap.gt_area(places[0]).tolist()
    pred_area = overlap.pred_area(places[1], overlap.gt != 0).tolist()
    shared = dict(
        zip(zip(overlap.gt.tolist(), overlap.pred.tolist(), strict=True), overlap.pixels.tolist(), strict=True)
    )

    def smaller(pair: Pair) -> Pair:
        intersection = shared.get((pair.gt + 1, pair.predicted + 1), 0)
        union = gt_area[pair.gt + 1] + pred_area[pair.predicted + 1] - intersection
        if intersection * pair.union < pair.intersection * union:
            return pair._replace(intersection=intersection, union=union)
        return pair

    return replace(comparison, pairs=tuple(map(smaller, comparison.pairs)))


def boundary_distance(shape: Tuple[int, ...], dilation_ratio: float) -> int:
    """d in pixels: the ratio of the diagonal, rounded half to even as the authors do, at least 1.

    More than the image's longer side reaches every pixel already.
    """
    distance = round(min(dilation_ratio * math.hypot(*shape), max(shape)))
    return max(distance, 1)


def _boundaries(places: np.ndarray, inside: int, distance: int) -> np.ndarray:
    """The map with the inside of every segment replaced by ``inside``; void stays.

    One pass over the map does all segments: a pixel is inside its segment if the square around it
    reaches no other one, so if the least and the greatest place there are the same.
    """
    small = places.astype(np.uint8 if inside < 2**8 else np.uint16 if inside < 2**16 else np.float32)
    square = np.ones((2 * distance + 1, 2 * distance + 1), dtype=np.uint8)
    is_inside = cv2.erode(small, square) == cv2.dilate(small, square)
    # OpenCV takes what is outside the image for more of the same.
    for edge in (np.s_[:distance], np.s_[-distance:], np.s_[:, :distance], np.s_[:, -distance:]):
        is_inside[edge] = False
    return np.where(is_inside & (places != 0), inside, places)
