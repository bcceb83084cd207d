"""Probabilities and comparisons of semantic channels.

Everything is worked out pixel by pixel, channel after channel, so that a pixel's values do not depend
on which others are asked for. The last bits of torch's sums over channels do; then a pixel whose
probability is a floor would be above it in the whole image and below it in a part of that.

Shape legend: C channels, ``...`` any shape of pixels.
"""

from typing import Sequence, Tuple

import torch
from torch import Tensor


def at_pixels(logits: Tensor, where: Tensor) -> Tensor:
    """The logits of some pixels.

    Args:
        logits: (C, H, W) floating point.
        where: (H, W) bool: the pixels.

    Returns:
        (C, P), pixels in row order.
    """
    return logits.flatten(1).index_select(1, where.flatten().nonzero()[:, 0])


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


def largest(logits: Tensor, channels: Sequence[int]) -> Tuple[Tensor, Tensor]:
    """The largest logit of each pixel among some channels.

    Args:
        logits: (C, ...) floating point, finite or minus infinity.
        channels: at least one, each in [0, C - 1].

    Returns:
        (...) the logit, and (...) int64 its channel, of equal ones the first in ``channels``.
    """
    first, *others = channels
    values = logits[first]
    winners = torch.full(values.shape, first, device=logits.device)
    for channel in others:
        wins = logits[channel] > values
        values = logits[channel].where(wins, values)
        winners.masked_fill_(wins, channel)
    return values, winners
