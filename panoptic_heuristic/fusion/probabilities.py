"""Probabilities and comparisons of semantic channels.

Everything is worked out pixel by pixel, channel after channel, so that a pixel's values do not depend
on which others are asked for. The last bits of torch's sums over channels do; then a pixel whose
probability is a floor would be above it in the whole image and below it in a part of that.

Shape legend: C channels, ``...`` any shape of pixels.
"""

from ctypes import c_int64, c_void_p
from typing import Callable, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.quick import quick


def at_pixels(logits: Tensor, where: Tensor) -> Tensor:
    """The logits of some pixels.

    Args:
        logits: (C, H, W) floating point.
        where: (H, W) bool: the pixels.

    Returns:
        (C, P), pixels in row order.
    """
    return logits.flatten(1).index_select(1, places_of(where))


def places_of(where: Tensor) -> Tensor:
    """The pixels where (H, W) bool is True, (P,) int64 places in row order."""
    if where.device.type != "cpu":
        return where.flatten().nonzero()[:, 0]
    # A fifth of PyTorch's time.
    return torch.from_numpy(np.flatnonzero(where.numpy()))


def probabilities(logits: Tensor, values: Tensor) -> Tensor:
    """The softmax over all channels, for one of the logits of each pixel.

    Args:
        logits: (C, ...) floating point.
        values: (...) the logit asked for, one of the pixel's.

    Returns:
        (...) float64 in [0, 1]; equal logits of n channels have exactly 1 / n.
    """
    largest = logits.amax(dim=0).double()
    total = torch.zeros_like(largest)
    for channel in logits:
        total += (channel.double() - largest).exp_()
    return (values.double() - largest).exp_() / total


def at_channels(logits: Tensor, chosen: Tensor) -> Tensor:
    """One of the logits of each pixel.

    Args:
        logits: (C, ...) floating point.
        chosen: (...) integers, the channel of each pixel.

    Returns:
        (...), of the dtype of ``logits``.
    """
    return logits.gather(0, chosen[None].long())[0]


def estimates(logits: Tensor, chosen: Tensor) -> Tensor:
    """What :func:`probabilities` gives of one channel of each pixel, but for less than :func:`estimate_error`.

    Args:
        logits: (C, ...) float32 or float64 on the CPU.
        chosen: (...) integers in [0, C - 1], the channel asked for.

    Returns:
        (...) float32; NaN where the largest logit is infinite or NaN, and perhaps where another one is.
    """
    kernel = native.function("ph_softmax_estimates", _KERNEL_ARGUMENTS)
    if kernel is None or chosen.dtype != torch.uint8 or logits.dtype != torch.float32:
        return _estimates(logits.detach().numpy(), at_channels(logits.detach(), chosen).numpy())
    logits, chosen = logits.contiguous(), chosen.contiguous()
    found = torch.empty(chosen.shape, dtype=torch.float32)
    kernel(logits.data_ptr(), len(logits), chosen.numel(), chosen.data_ptr(), found.data_ptr())
    return found


_KERNEL_ARGUMENTS = (c_void_p, c_int64, c_int64, c_void_p, c_void_p)


def _estimates(logits: np.ndarray, asked: np.ndarray) -> Tensor:
    """The same in NumPy and OpenCV, whose exponential of float32 takes a tenth of PyTorch's time."""
    most = logits.max(axis=0)
    # OpenCV would make a number of what is none.
    total = np.where(np.isfinite(most), np.float32(0), np.float32(np.nan))
    # Differences of huge logits may be infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        for channel in logits:
            total += _exponential(channel - most)
        return torch.from_numpy(_exponential(asked - most) / total)


def _exponential(exponents: np.ndarray) -> np.ndarray:
    flat = np.maximum(exponents, _LEAST_EXPONENT).astype(np.float32, copy=False).reshape(1, -1)
    return cv2.exp(flat).reshape(exponents.shape) if flat.size else flat.reshape(exponents.shape)


_LEAST_EXPONENT = np.float32(-80)
"""The exponential of less than this is smaller than any error, but no denormal number."""


def estimate_error(channels: int) -> float:
    """More than any error of :func:`estimates` of so many channels.

    OpenCV's exponential is right to 7e-6 of it, that of the kernel to 3e-6; sums and differences of float32 add
    2**-24 per operation.
    """
    return 3e-5 + channels * 2.0**-22


def at_least(logits: Tensor, chosen: Tensor, floor: float) -> Tensor:
    """The pixels whose probability is at least a floor; it is that of :func:`probabilities`, compared in float64.

    Args:
        logits: (C, ...) floating point, contiguous or not, on any device.
        chosen: (...) integers in [0, C - 1], the channel asked for.
        floor: a probability in [0, 1].

    Returns:
        (...) bool.
    """
    if logits.device.type != "cpu":
        return probabilities(logits, at_channels(logits, chosen)) >= floor
    estimated = estimates(logits, chosen)

    def exact(where: Tensor) -> Tensor:
        doubtful = at_pixels(logits, where)
        return probabilities(doubtful, at_channels(doubtful, chosen[where]))

    return settled(torch.ones_like(estimated, dtype=torch.bool), estimated, floor, len(logits), exact)


def settled(
    where: Tensor, estimated: Tensor, floor: float, channels: int, exact: Callable[[Tensor], Tensor]
) -> Tensor:
    """The pixels whose probability is at least a floor, given estimates.

    Args:
        where: (...) bool: the pixels that are asked for.
        estimated: (...) of :func:`estimates`.
        floor: in [0, 1].
        channels: how many there are.
        exact: gives the (P,) probabilities of the pixels where a (...) bool is True.

    Returns:
        (...) bool, False where ``where`` is.
    """
    # By NumPy, whose comparisons take a fifth of PyTorch's time.
    values, asked, room = estimated.numpy(), where.numpy(), estimate_error(channels)
    above = torch.from_numpy(asked & (values > floor + room))
    # NaN is not clear either.
    doubtful = torch.from_numpy(asked & ~(values < floor - room)) ^ above
    if np.count_nonzero(doubtful.numpy()):
        above.masked_scatter_(doubtful, exact(doubtful) >= floor)
    return above


def largest(logits: Tensor, channels: Sequence[int]) -> Tuple[Tensor, Tensor]:
    """The largest logit of each pixel among some channels.

    Args:
        logits: (C, ...) floating point, finite or minus infinity.
        channels: at least one, each in [0, C - 1].

    Returns:
        (...) the logit, and (...) uint8 or int32 its channel, of equal ones the first in ``channels``.
    """
    kernel = native.function("ph_largest", (c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p))
    is_plain = logits.device.type == "cpu" and logits.dtype == torch.float32 and logits.is_contiguous()
    if kernel is not None and is_plain and not logits.requires_grad and max(channels) < 256:
        values = torch.empty(logits.shape[1:])
        winners = torch.empty(logits.shape[1:], dtype=torch.uint8)
        chosen = np.array(channels, dtype=np.int64)
        outputs = values.data_ptr(), winners.data_ptr()
        kernel(logits.data_ptr(), winners.numel(), chosen.ctypes.data, len(chosen), *outputs)
        return values, winners
    first, *others = channels
    # Numbers of one byte are the quickest.
    dtype = torch.uint8 if max(channels) < 256 else torch.int32
    values, winners = logits[first], torch.full(logits.shape[1:], first, dtype=dtype, device=logits.device)
    most, place = quick(values), quick(winners)
    for channel in others:
        candidate = quick(logits[channel])
        place += (channel - place) * (candidate > most)
        most = most.clip(candidate)
    return torch.as_tensor(most), winners
