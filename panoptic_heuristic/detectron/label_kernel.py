"""Labels by the compiled kernel, in one pass over the logits; see ``native/enlarged_labels.c``."""

from ctypes import c_float, c_int64, c_void_p
from typing import Optional

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.detectron import label_draft
from panoptic_heuristic.detectron.enlarged_logits import AXIS_CELLS, Upsampling
from panoptic_heuristic.detectron.label_draft import LabelDraft

_ARGUMENTS = (
    *(c_void_p, c_int64, c_int64, c_int64),
    *(c_void_p, c_void_p, c_int64) * 2,
    *(c_float, c_float, c_float),
    *(c_void_p,) * 4,
    c_int64,
)


def can_draft(logits: Tensor) -> bool:
    """True if the kernel is there and takes such (C, h, w) logits: enough cells, and labels of a byte."""
    fits = len(logits) <= 256 and min(logits.shape[1:]) >= AXIS_CELLS
    return fits and native.function("ph_enlarged_labels", _ARGUMENTS) is not None


def draft_labels(logits: Tensor, upsampling: Upsampling) -> Optional[LabelDraft]:
    """A draft of the labels; None where logits are not fit for it: NaN, infinite or huge.

    Args:
        logits: (C, h, w) float32, contiguous, on the CPU, of which :func:`can_draft` holds.
        upsampling: of such logits.
    """
    size, channels = upsampling.output_size, len(logits)
    labels, unsure = np.empty(size, dtype=np.uint8), np.zeros(size, dtype=bool)
    close, points = np.zeros(channels, dtype=bool), np.empty((label_draft.MOST_POINTS, 3), dtype=np.int64)
    axes = [(*axis, len(axis[0])) for axis in upsampling.windows]
    arguments = [
        *(logits.data_ptr(), *logits.shape),
        *(one.ctypes.data if isinstance(one, np.ndarray) else one for axis in axes for one in axis),
        *(label_draft.GUARD, label_draft.SMALLEST_GUARD, label_draft.LARGEST_LOGIT),
        *(array.ctypes.data for array in (labels, unsure, close, points)),
        len(points),
    ]
    count = native.function("ph_enlarged_labels", _ARGUMENTS)(*arguments)
    if count < 0:
        return None
    return LabelDraft(
        torch.from_numpy(labels),
        torch.from_numpy(unsure) if count else None,
        torch.from_numpy(close),
        torch.from_numpy(points[:count]) if count <= len(points) else None,
    )
