"""Which stuff a semantic head would have taken had it been asked for stuff only."""

from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.ablation.predictions import NO_STUFF


def best_stuff(logits: Tensor, stuff: Sequence[int], floor: Optional[float]) -> Tuple[np.ndarray, np.ndarray]:
    """The most probable stuff of each pixel, as :class:`SemanticRuns` keeps it.

    Args:
        logits: (C, H, W) floating point, on any device.
        stuff: the channels that mean stuff, ascending.
        floor: a probability in [0, 1], compared in float64; None if it is not asked for.

    Returns:
        (H, W) channels, of equal logits the first, :data:`NO_STUFF` everywhere if none means stuff;
        and (H, W) bool, whether its probability, by the softmax over all channels, is at least
        ``floor``.
    """
    # Half precision rounds sums of probabilities, and the CPU is slow at it.
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    shape = tuple(logits.shape[1:])
    if not stuff:
        return np.full(shape, NO_STUFF), np.zeros(shape, dtype=bool)
    values, places = logits[list(stuff)].max(dim=0)
    channels = torch.tensor(stuff, device=logits.device)[places].cpu().numpy()
    if floor is None:
        return channels, np.zeros(shape, dtype=bool)
    # The softmax of one channel, without those of the others.
    probabilities = (values - logits.logsumexp(dim=0)).exp()
    return channels, (probabilities.double() >= floor).cpu().numpy()
