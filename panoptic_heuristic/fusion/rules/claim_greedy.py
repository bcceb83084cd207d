"""The rule of Panoptic FPN (Kirillov et al., CVPR 2019), as in Detectron2 and panopticapi."""

from ctypes import c_int64, c_void_p
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, HasOverlapThreshold
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.order import Order

Placed = Tuple[Tensor, List[Tuple[int, int]]]
"""A map, 0 where no instance is and k where the k-th that was kept is, and of every ranked instance the pixels of its
mask and those that were free when its turn came."""


@CLAIM_REGISTRY.register("greedy")
@dataclass(frozen=True)
class Greedy(HasOverlapThreshold):
    """Instances take free pixels one after the other; those mostly claimed before are dropped.

    An instance is dropped as ``empty`` if it has no pixel, as ``overlap`` if the fraction of its
    area claimed before exceeds its threshold, and as ``covered`` if that leaves it no pixel;
    otherwise it takes its free pixels. The fraction is compared in float64. Detectron2 emits a
    segment without a pixel where this says ``covered``.
    """

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`."""
        instances = heads.instances
        thresholds = [self.overlap_threshold_for(instances.category_ids[index]) for index in order.ranked]
        place = place_on_cpu if instances.device.type == "cpu" else place_on_device
        panoptic_seg, met = place(instances, order.ranked, thresholds)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for index, (area, free_area), threshold in zip(order.ranked, met, thresholds, strict=True):
            reason = drop_reason(area, free_area, threshold)
            if reason is None:
                areas[index] = free_area
            else:
                dropped[index] = reason
        return Claim(panoptic_seg, areas, dropped)


def drop_reason(area: int, free_area: int, threshold: float) -> Optional[str]:
    """The reason to drop an instance, by its pixels, the free ones of them, and its threshold; None if it stays."""
    if area == 0:
        return "empty"
    if (area - free_area) / area > threshold:
        return "overlap"
    return "covered" if free_area == 0 else None


def place_on_cpu(instances: InstanceSet, ranked: Sequence[int], thresholds: Sequence[float]) -> Placed:
    """Gives instances their free pixels in turn, for masks on the CPU.

    Args:
        instances: the things found.
        ranked: their indices, best first.
        thresholds: of each of ``ranked``: the fraction that may be claimed before.
    """
    panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32)
    crops, ids = instances.crops(ranked), panoptic_seg.numpy()
    met = _place_by_kernel(crops, thresholds, ids)
    return panoptic_seg, _place_by_numpy(crops, thresholds, ids) if met is None else met


def _place_by_kernel(
    crops: Sequence[Crop], thresholds: Sequence[float], ids: np.ndarray
) -> Optional[List[Tuple[int, int]]]:
    """Fills a map of zeros, and gives what was met; None if there is no kernel, or none for such masks."""
    kernel = native.function("ph_claim", (c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p))
    masks = [crop.mask.contiguous() for crop in crops]
    boxes = [(*crop[:2], *crop.mask.shape) for crop in crops]
    if kernel is None or not all(_is_simple(*one, ids.shape) for one in zip(masks, boxes, strict=True)):
        return None
    table = np.array(
        [(mask.data_ptr(), *box) for mask, box in zip(masks, boxes, strict=True)], dtype=np.int64
    ).reshape(-1, 5)
    limits, met = np.array(thresholds, dtype=np.float64), np.empty((len(table), 2), dtype=np.int64)
    free = np.ones(ids.shape, dtype=bool)
    first, last = (table.ctypes.data, limits.ctypes.data), (free.ctypes.data, ids.ctypes.data, met.ctypes.data)
    kernel(*first, len(table), ids.shape[1], *last)
    return [(area, free_area) for area, free_area in met.tolist()]


def _is_simple(mask: Tensor, box: Tuple[int, int, int, int], size: Sequence[int]) -> bool:
    """True if a mask is one of bools inside its image of that size; ``box`` is its left, top, height and width."""
    left, top, height, width = box
    is_inside = left >= 0 and top >= 0 and left + width <= size[1] and top + height <= size[0]
    return is_inside and mask.dtype == torch.bool


def _place_by_numpy(crops: Sequence[Crop], thresholds: Sequence[float], ids: np.ndarray) -> List[Tuple[int, int]]:
    """The same by NumPy, which takes a third of PyTorch's time on small arrays."""
    free = np.ones(ids.shape, dtype=bool)
    met: List[Tuple[int, int]] = []
    placed = 0
    for crop, threshold in zip(crops, thresholds, strict=True):
        mask, window = crop.mask.numpy(), free[crop.window]
        taken = mask & window
        met.append((int(np.count_nonzero(mask)), int(np.count_nonzero(taken))))
        if drop_reason(*met[-1], threshold) is None:
            placed += 1
            np.copyto(ids[crop.window], placed, where=taken)
            np.logical_xor(window, taken, out=window)
    return met


def place_on_device(instances: InstanceSet, ranked: Sequence[int], thresholds: Sequence[float]) -> Placed:
    """The same on any device, which is asked once, at the end: whoever asks a GPU waits until it has done all before.

    Arguments are those of :func:`place_on_cpu`.
    """
    panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32, device=instances.device)
    placed = torch.zeros((), dtype=torch.int32, device=instances.device)
    met = []
    for crop, threshold in zip(instances.crops(ranked), thresholds, strict=True):
        window = panoptic_seg[crop.window]
        free = crop.mask & (window == 0)
        area, free_area = crop.mask.sum(), free.sum()
        # As in drop_reason; 0 of 0 pixels is NaN, which is not kept.
        kept = (free_area > 0) & ((area - free_area).double() / area.double() <= threshold)
        placed = placed + kept
        window.copy_(torch.where(free & kept, placed, window))
        met.append(torch.stack([area, free_area]))
    return panoptic_seg, [tuple(pair) for pair in torch.stack(met).tolist()] if met else []
