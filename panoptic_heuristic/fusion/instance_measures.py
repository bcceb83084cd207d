"""Measures of an instance besides its score: how far its mask and the rest agree with it.

Everything is a ratio of two integers, or a mean, in float64, and worked out inside boxes. Shape
legend: N instances, K of them asked for, an image of H x W pixels.
"""

import math
from typing import Any, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.head_outputs import check_belongs_together
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.order import ranked_by
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.semantics import SemanticMap


def semantic_agreement(
    instances: InstanceSet,
    semantics: Optional[SemanticMap],
    categories: Categories,
    indices: Optional[Sequence[int]] = None,
) -> np.ndarray:
    """The agreement of the semantic head with each instance.

    It is the IoU, inside the instance's box, of its mask with the pixels whose label means its
    category; if no label means it, with those whose label means none, the collapsed things. The
    box is the head's, rounded outwards and clipped to the image, or, without one, the mask's.

    Args:
        instances: the things found. Values they carry are returned as they are.
        semantics: the semantic labels; without them nothing agrees.
        categories: the data set's categories.
        indices: K places in the input; None for all.

    Returns:
        (K,) float64 in [0, 1]; 0 where neither has a pixel in the box.

    Raises:
        InputError: what :func:`panoptic_heuristic.fusion.fuse` raises for such inputs, or a value
            that is asked for is carried as NaN.
    """
    check_belongs_together(instances, semantics, categories)
    indices = range(len(instances)) if indices is None else indices
    if instances.semantic_agreement is not None:
        return _known("semantic_agreement", instances.semantic_agreement, indices)
    if semantics is None:
        return np.zeros(len(indices))
    height, width = instances.image_size
    image = slice(0, height), slice(0, width)
    # Few categories have many instances.
    category_ids = {instances.category_ids[index] for index in indices}
    agreeing = {category_id: agreeing_pixels(semantics, category_id, image) for category_id in category_ids}
    values = [_agreement(instances, agreeing[instances.category_ids[index]], index) for index in indices]
    return np.array(values, dtype=np.float64)


def covered_by_better(instances: InstanceSet, indices: Optional[Sequence[int]] = None) -> np.ndarray:
    """The fraction of each mask that lies under the instances with a better score, all together.

    Of equal scores the one earlier in the input is better. Scores that are not finite are no
    better than any, and cover nothing.

    Args:
        instances: the things found. Masks worse than all that are asked for are not made.
        indices: K places in the input; None for all.

    Returns:
        (K,) float64 in [0, 1]; 0 for empty masks and for scores that are not finite.
    """
    indices = range(len(instances)) if indices is None else indices
    scores = instances.scores.tolist()
    finite = [index for index, score in enumerate(scores) if math.isfinite(score)]
    missing = set(indices) & set(finite)
    covered = torch.zeros(instances.image_size, dtype=torch.bool, device=instances.device)
    fractions = {}
    for index in ranked_by([scores[index] for index in finite], finite):
        if not missing:
            break
        crop = instances.crop(index)
        window = covered[crop.window]
        if index in missing:
            missing.remove(index)
            area = int(crop.mask.count_nonzero())
            fractions[index] = int((window & crop.mask).count_nonzero()) / area if area else 0.0
        window |= crop.mask
    return np.array([fractions.get(index, 0.0) for index in indices], dtype=np.float64)


def mask_quality(instances: InstanceSet, indices: Optional[Sequence[int]] = None) -> np.ndarray:
    """The quality of each mask by its own head: the mean probability over the mask's pixels.

    SOLOv2 and Panoptic FCN multiply scores by it.

    Args:
        instances: the things found. Values they carry are returned as they are.
        indices: K places in the input; None for all.

    Returns:
        (K,) float64 in [0, 1]; 0 for empty masks.

    Raises:
        InputError: the instances have no RoI probabilities and carry no values, or a value that is
            asked for is carried as NaN.
    """
    indices = range(len(instances)) if indices is None else indices
    if instances.mask_quality is not None:
        return _known("mask_quality", instances.mask_quality, indices)
    if instances.probabilities is None:
        raise InputError(
            "mask_quality needs RoI mask probabilities, but the instances have binary masks only; "
            "build them with InstanceSet.from_rois, or give them mask_quality"
        )
    return np.array([_mean_probability(instances, index) for index in indices], dtype=np.float64)


def mask_areas(instances: InstanceSet, indices: Optional[Sequence[int]] = None) -> np.ndarray:
    """The pixels of each mask.

    Args:
        instances: the things found.
        indices: K places in the input; None for all.

    Returns:
        (K,) int64.
    """
    indices = range(len(instances)) if indices is None else indices
    return np.array([int(instances.crop(index).mask.count_nonzero()) for index in indices], dtype=np.int64)


def agreeing_pixels(semantics: SemanticMap, category_id: int, window: Tuple[slice, slice]) -> Tensor:
    """The pixels whose semantic labels agree with a category.

    Args:
        semantics: the semantic labels.
        category_id: of a thing.
        window: rows and columns of the image, h x w of them.

    Returns:
        (h, w) bool: the label means the category or, if none can mean it, means none: the collapsed
        things.
    """
    meaning = semantics.label_to_category
    wanted = category_id if category_id in meaning.values() else None
    labels = semantics.labels[window]
    found = torch.zeros(labels.shape, dtype=torch.bool, device=labels.device)
    for label in semantics.areas:
        if meaning[label] == wanted:
            found |= labels == label
    return found


def _known(name: str, values: np.ndarray, indices: Sequence[int]) -> np.ndarray:
    chosen = values[np.asarray(indices, dtype=np.int64)]
    for place in np.flatnonzero(np.isnan(chosen)).tolist():
        raise InputError(f"{name} of instance {indices[place]} is not known (NaN); compute it, or give none at all")
    return chosen


def _agreement(instances: InstanceSet, agreeing: Tensor, index: int) -> float:
    crop = instances.crop(index)
    x0, y0, x1, y1 = _pixel_box(instances, index)
    agrees = quick(agreeing[y0:y1, x0:x1])
    # The mask inside the box; a box of another head may be smaller than the mask.
    height, width = crop.mask.shape
    left, top = max(x0, crop.x0), max(y0, crop.y0)
    right, bottom = max(min(x1, crop.x0 + width), left), max(min(y1, crop.y0 + height), top)
    mask = quick(crop.mask)[top - crop.y0 : bottom - crop.y0, left - crop.x0 : right - crop.x0]
    both = _pixels(mask & agrees[top - y0 : bottom - y0, left - x0 : right - x0])
    union = _pixels(mask) + _pixels(agrees) - both
    return both / union if union else 0.0


def _pixels(mask: Any) -> int:
    return int(mask.count_nonzero() if isinstance(mask, Tensor) else np.count_nonzero(mask))


def _pixel_box(instances: InstanceSet, index: int) -> Tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of an instance's box in whole pixels of the image."""
    if instances.boxes is None:
        return _tight_box(instances.crop(index))
    height, width = instances.image_size
    x0, y0, x1, y1 = instances.boxes[index].tolist()
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), width), min(math.ceil(y1), height)
    return (left, top, right, bottom) if left < right and top < bottom else (0, 0, 0, 0)


def _tight_box(crop: Crop) -> Tuple[int, int, int, int]:
    rows, columns = crop.mask.any(dim=1).nonzero(), crop.mask.any(dim=0).nonzero()
    if not len(rows):
        return 0, 0, 0, 0
    return (
        crop.x0 + int(columns[0]),
        crop.y0 + int(rows[0]),
        crop.x0 + int(columns[-1]) + 1,
        crop.y0 + int(rows[-1]) + 1,
    )


def _mean_probability(instances: InstanceSet, index: int) -> float:
    _, _, values = instances.pasted(index)
    # NumPy's sum does not depend on the number of threads, torch's does.
    probabilities = values.cpu().numpy().ravel()
    inside = probabilities[probabilities >= MASK_THRESHOLD].astype(np.float64)
    return float(inside.sum() / inside.size) if inside.size else 0.0
