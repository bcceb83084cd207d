"""Semantic labels at output size from a head's small logits, without every channel at output size."""

from typing import Sequence, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.detectron import label_kernel, label_tiles
from panoptic_heuristic.detectron.enlarged_logits import Upsampling
from panoptic_heuristic.errors import InputError


def semantic_labels(
    logits: Tensor, *, stride: int, image_size: Tuple[int, int], output_size: Tuple[int, int]
) -> Tensor:
    """The label of every output pixel, as Detectron2 finds it, faster and in a fraction of the memory.

    On the CPU equal, pixel for pixel, to enlarging contiguous ``logits`` by ``stride`` (bilinear), cutting them to
    ``image_size``, resizing them to ``output_size`` (bilinear) and ``argmax(dim=0)``: the first of equal channels
    wins, and NaN wins over numbers. On other devices these operations are done one channel at a time; whether a
    device rounds them alike for one channel and for many is its own affair.

    Args:
        logits: (C, h, w) float32, the semantic head's output before it is enlarged, padding included. Not changed.
        stride: pixels of the network's input per cell, ``MODEL.SEM_SEG_HEAD.COMMON_STRIDE``.
        image_size: (height, width) in pixels of the network's input without padding.
        output_size: (H, W) in pixels.

    Returns:
        (H, W) uint8 for up to 256 channels, else int64, in [0, C), on the device of ``logits``.

    Raises:
        InputError: logits that are not (C, h, w) float32 or are empty, a stride or a size below 1, or an image that
            is larger than its logits.
    """
    _check(logits, stride, image_size, output_size)
    logits = logits.detach().contiguous()
    upsampling = Upsampling(tuple(logits.shape[1:]), stride, tuple(image_size), tuple(output_size))
    return _labels(logits, upsampling).to(torch.uint8 if len(logits) <= 256 else torch.int64)


def _labels(logits: Tensor, upsampling: Upsampling) -> Tensor:
    """(H, W) integers, by the quickest way that gives what the reference would."""
    if logits.device.type != "cpu":
        return upsampling.labels(logits)
    if not upsampling.can_be_parted(len(logits)):
        return upsampling.planes(logits).argmax(dim=0)
    way = label_kernel if label_kernel.can_draft(logits) else label_tiles
    draft = way.draft_labels(logits, upsampling)
    return upsampling.labels(logits) if draft is None else draft.decided(logits, upsampling)


def _check(logits: Tensor, stride: int, image_size: Sequence[int], output_size: Sequence[int]) -> None:
    if logits.ndim != 3 or logits.dtype != torch.float32 or not logits.numel():
        raise InputError(
            f"semantic logits must be (C, h, w) float32 with at least one value, "
            f"got {tuple(logits.shape)} {logits.dtype}"
        )
    if stride < 1:
        raise InputError(f"stride must be in [1, inf), got {stride}")
    for name, size in (("image_size", image_size), ("output_size", output_size)):
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"{name} must be (height, width), both in [1, inf), got {tuple(size)}")
    if image_size[0] > stride * logits.shape[1] or image_size[1] > stride * logits.shape[2]:
        raise InputError(
            f"image_size {tuple(image_size)} is larger than logits of {tuple(logits.shape[1:])} times stride {stride}; "
            f"expected the size of the network's input without padding"
        )
