"""Fusing cannot be recorded: what it does depends on the values of its input."""

from typing import Callable

import torch

from panoptic_heuristic.errors import InputError


def refuse_tracing(what: str, instead: str) -> None:
    """Raises while PyTorch traces or exports, since what was done for one image would be done for all, in silence.

    Args:
        what: that which was called.
        instead: the way to go, as an order.

    Raises:
        InputError: PyTorch is tracing (``torch.jit.trace``, ``torch.onnx.export``) or exporting (``torch.export``).
    """
    # PyTorch has it since 2.7.
    is_exporting: Callable[[], bool] = getattr(getattr(torch, "compiler", None), "is_exporting", bool)
    if torch.jit.is_tracing() or is_exporting():
        raise InputError(f"{what} depends on the values of its input, so it cannot be traced or exported; {instead}")
