"""Checks of the arguments that instances are made of. Each gives its argument in the form that is kept."""

import math
from typing import Any, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import listed, whole_number

MAX_PIXELS = 2**31 - 1
"""The most pixels of an image: their numbers fit 32 bits."""

PERCENTAGES = (30.0, 100.0)
"""No score is above the first and at most the second: it would be a percentage. A probability with such a logit
rounds to 1 in float32, and in float64 but for 1e-13. Higher ones are ranks, which may order instances as well."""

_ROUNDING = 1e-3
_DRAWING = 32


def as_tensor(values: Any) -> Tensor:
    """A tensor over the same memory where torch can share it; tensors stay on their device.

    Raises:
        InputError: ``values`` are not numbers, or rows differ in length.
    """
    if isinstance(values, Tensor):
        values = values.detach() if values.requires_grad else values
        if values.dtype not in _POOR_DTYPES:
            return values
        return _check_not_wrapped(values.dtype, values.to(torch.int64))
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"expected an array of numbers, got something that is none: {error}") from None
    # Numbers of more than 64 bits are unknown to torch.
    if array.dtype.kind not in "biuf" or array.itemsize > 8:
        raise InputError(f"expected an array of numbers of up to 64 bits, got one of {array.dtype}")
    if array.dtype.kind == "u" and array.itemsize > 1:
        return _check_not_wrapped(array.dtype, torch.from_numpy(array.astype(np.int64)))
    # Copies only what torch cannot share: foreign byte order, odd strides, read-only memory.
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


# Tensors can be made of these, but lack comparisons and minima. Older versions of PyTorch lack them.
_POOR_DTYPES = {getattr(torch, name, None) for name in ("uint16", "uint32", "uint64")}


def _check_not_wrapped(dtype: Any, values: Tensor) -> Tensor:
    """Integers that were made of unsigned ones, where those from 2**63 are negative now."""
    if (values < 0).any():
        raise InputError(f"expected integers below 2**63, got an array of {dtype} with larger ones")
    return values


def extremes(values: Tensor) -> Tuple[float, float]:
    """The least and the largest value of a tensor that is not empty; NaN if one is. A GPU is asked once."""
    low, high = torch.stack(values.aminmax()).tolist()
    return low, high


def check_image_size(image_size: Any) -> Tuple[int, int]:
    """(H, W) as whole numbers, of at most :data:`MAX_PIXELS` pixels in all.

    Raises:
        InputError: the argument is something else.
    """
    sides = listed("image_size", image_size, "(480, 640)")
    if len(sides) != 2:
        raise InputError(f"image_size must be (height, width), got {sides!r:.80}")
    height, width = (whole_number("a side of image_size", side, 1) for side in sides)
    if height * width > MAX_PIXELS:
        raise InputError(f"image_size must be of at most {MAX_PIXELS} pixels, got {(height, width)}")
    return height, width


def check_scores(scores: Tensor) -> Tensor:
    """Scores among which there are no :data:`PERCENTAGES`.

    Raises:
        InputError: the argument is something else.
    """
    low, high = PERCENTAGES
    for index, score in enumerate(scores.tolist()):
        if low < score <= high:
            raise InputError(
                f"scores[{index}] is {score:g}, which is neither a probability nor the logit of one; divide "
                "percentages by 100"
            )
    return scores


def check_boxes(boxes: Any, count: int, device: torch.device, image_size: Tuple[int, int]) -> Tensor:
    """(count, 4) float32 on the device: finite, and in pixels.

    Raises:
        InputError: the argument is something else.
    """
    boxes = as_tensor(boxes).to(device, torch.float32)
    if tuple(boxes.shape) != (count, 4):
        raise InputError(f"boxes must have the shape ({count}, 4), got {tuple(boxes.shape)}")
    if not count:
        return boxes
    low, high = extremes(boxes)
    if not (math.isfinite(low) and math.isfinite(high)):
        index = int((~boxes.isfinite()).any(dim=1).nonzero()[0])
        raise InputError(f"boxes[{index}] is {boxes[index].tolist()}; box corners must be finite")
    # Of pixels, they would all lie in the first one, as they may in a drawing.
    if min(image_size) > _DRAWING and low >= 0 and 0 < high <= 1:
        raise InputError(
            f"boxes must be in pixels, but all lie within [0, 1] of an image of {image_size[0]}x{image_size[1]}; "
            "multiply x by the width and y by the height"
        )
    return boxes


def check_probabilities(probabilities: Any, count: int, device: torch.device) -> Tensor:
    """(count, M, M) floating-point numbers in [0, 1], on the device.

    Raises:
        InputError: the argument is something else.
    """
    probabilities = as_tensor(probabilities)
    shape = tuple(probabilities.shape)
    if len(shape) != 3 or shape[1] != shape[2] or not shape[2]:
        raise InputError(f"probabilities must have the shape (N, M, M), got {shape}")
    if shape[0] != count:
        raise InputError(f"expected probabilities of {count} masks, got shape {shape}")
    if not probabilities.is_floating_point():
        raise InputError(f"probabilities must be floating point in [0, 1], got {probabilities.dtype}")
    if count:
        low, high = extremes(probabilities)
        # What was interpolated may leave the interval by a rounding.
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise InputError(
                f"probabilities must be in [0, 1], got {low if low < 0 else high:g}; of logits take the sigmoid first"
            )
    return probabilities.to(device)


def check_measure(name: str, values: Optional[Any], count: int) -> Optional[np.ndarray]:
    """(count,) float64 in [0, 1] or NaN, not to be written to; None of None.

    Raises:
        InputError: the argument is something else.
    """
    if values is None:
        return None
    measure = as_tensor(values).to("cpu", torch.float64, copy=True).numpy()
    if measure.shape != (count,):
        raise InputError(f"{name} must have the shape ({count},), got {measure.shape}")
    for index in np.flatnonzero((measure < 0) | (measure > 1)).tolist():
        raise InputError(f"{name}[{index}] must be in [0, 1], or NaN where it is not known, got {measure[index]}")
    measure.setflags(write=False)
    return measure
