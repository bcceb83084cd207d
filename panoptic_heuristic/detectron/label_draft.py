"""Labels found by our own arithmetic, and what it leaves to the reference's operations.

Our own rounding differs from that of :class:`Upsampling`, by less than a bound. Where the best two channels of a pixel
are closer than that, the reference decides.
"""

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from panoptic_heuristic.detectron.enlarged_logits import Upsampling

# How far two values must be apart to be told apart, in units of the largest magnitude around times
# the float32 rounding unit 2**-24. Each of the reference's four one-axis interpolations rounds two
# products and a sum (2 units each, 8 in all), and ours rounds weights (6) and two sums of up to four
# products (8). Two values make 44 units; the rest is room for weights that do not add up to 1.
# The largest error of a value seen was 6 units, of 22.
GUARD = 64 * 2.0**-24
SMALLEST_GUARD = 1e-36  # where the product above would be subnormal
LARGEST_LOGIT = 1e37  # beyond it sums and differences may overflow

# Up to this many pairs of a pixel and a channel are worked out alone; more, channel by channel.
MOST_POINTS = 128


@dataclass(frozen=True)
class LabelDraft:
    """Labels of all pixels, some of which are unsure.

    Attributes:
        labels: (H, W) integers.
        unsure: (H, W) bool; None where no pixel is.
        close: (C,) bool: the channels that may be the best in some unsure pixel.
        points: (N, 3) int64: channel, row and column of the channels that may be, pixel by pixel; None where there are
            more than ``MOST_POINTS``.
    """

    labels: Tensor
    unsure: Optional[Tensor]
    close: Tensor
    points: Optional[Tensor]

    def decided(self, logits: Tensor, upsampling: Upsampling) -> Tensor:
        """(H, W) labels, the unsure ones by the reference's operations; (C, h, w) ``logits`` are finite."""
        if self.unsure is None:
            return self.labels
        if self.points is None:
            channels = self.close.nonzero()[:, 0]
            labels = channels[upsampling.labels(logits[channels])].to(self.labels.dtype)
            return torch.where(self.unsure, labels, self.labels)
        channel, y, x = self.points.t()
        pixels, pixel = (y * self.labels.shape[1] + x).unique(return_inverse=True)
        values = torch.full((len(pixels), len(logits)), -torch.inf)
        values[pixel, channel] = upsampling.values_at(logits, channel, y, x)
        labels = self.labels.clone().flatten()
        labels[pixels] = values.argmax(dim=1).to(labels.dtype)
        return labels.view(self.labels.shape)
