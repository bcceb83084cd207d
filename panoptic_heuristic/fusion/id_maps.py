"""Maps of segment ids: counting them, and changing them. By compiled kernels where possible.

Shape legend: an image of H x W pixels, crops of h x w.
"""

from ctypes import c_int32, c_int64, c_void_p
from typing import List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.instances import Crop


def id_areas(ids: Tensor, largest: int) -> List[int]:
    """The pixels of each id from 0 to ``largest``.

    Args:
        ids: (H, W) int32 in [0, largest].
        largest: at least 0.
    """
    kernel = native.function("ph_count_ids", (c_void_p, c_int64, c_int64, c_void_p))
    if kernel is not None and ids.device.type == "cpu":
        ids, areas = ids.contiguous(), np.empty(largest + 1, dtype=np.int64)
        if kernel(ids.data_ptr(), ids.numel(), largest, areas.ctypes.data) == 0:
            return areas.tolist()
    return torch.bincount(ids.flatten(), minlength=largest + 1).tolist()


class IdMap:
    """A map of segment ids, 0 where none is, that crops of masks are laid upon.

    Args:
        image_size: (H, W).
        largest: the largest id there may be.
        device: of the map and of all masks.

    Attributes:
        ids: (H, W) int32, all 0 at first.
    """

    def __init__(self, image_size: Tuple[int, int], largest: int, device: torch.device):
        self.ids = torch.zeros(image_size, dtype=torch.int32, device=device)
        self._largest, self._width, self._start = largest, image_size[1], self.ids.data_ptr()
        on_cpu = device.type == "cpu"
        self._count = native.function("ph_count_ids_under", _COUNT_UNDER) if on_cpu else None
        self._give = native.function("ph_give_ids_under", _GIVE_UNDER) if on_cpu else None
        self._areas, self._loses = np.zeros(largest + 1, dtype=np.int64), np.zeros(largest + 1, dtype=bool)
        self._areas_at, self._loses_at = self._areas.ctypes.data, self._loses.ctypes.data

    def areas_under(self, crop: Crop) -> List[int]:
        """The pixels of each id from 0 to the largest that lie under a mask."""
        if self._count is not None:
            mask = crop.mask.contiguous()
            self._count(self._place(crop), self._width, mask.data_ptr(), *mask.shape, self._largest, self._areas_at)
            return self._areas.tolist()
        # Pixels outside the mask count as an id that is none: choosing by a mask takes longer.
        values = (self.ids[crop.window] + 1) * crop.mask
        return torch.bincount(values.flatten(), minlength=self._largest + 2).tolist()[1:]

    def give(self, crop: Crop, losers: Sequence[int], taker: int) -> None:
        """Gives an id the pixels of some others that lie under a mask."""
        if self._give is not None:
            self._loses.fill(False)
            self._loses[losers] = True
            mask = crop.mask.contiguous()
            self._give(
                self._place(crop), self._width, mask.data_ptr(), *mask.shape, self._largest, self._loses_at, taker
            )  # fmt: skip
            return
        window = self.ids[crop.window]
        taken = torch.zeros_like(crop.mask)
        for loser in losers:
            taken |= window == loser
        window += (taker - window) * (taken & crop.mask)

    def _place(self, crop: Crop) -> int:
        """Where in memory the first pixel of a crop lies; it is inside the image, as crops of instances are."""
        (rows, columns), (height, width) = crop.window, self.ids.shape
        assert 0 <= rows.start and rows.stop <= height and 0 <= columns.start and columns.stop <= width
        return self._start + 4 * (crop.y0 * self._width + crop.x0)


_COUNT_UNDER = (c_void_p, c_int64, c_void_p, *(3 * [c_int64]), c_void_p)
_GIVE_UNDER = (*_COUNT_UNDER, c_int32)


def renumbered(ids: Tensor, kept: Sequence[int], largest: int) -> Tensor:
    """The map without some of its segments, and the others in a new order.

    Args:
        ids: (H, W) int32 in [0, largest]. Not changed.
        kept: the ids that stay, all above 0; the k-th of them becomes k, counted from 1.
        largest: see ``ids``.

    Returns:
        (H, W) int32, 0 where none of ``kept`` is.
    """
    numbers = torch.zeros(largest + 1, dtype=torch.int32)
    for number, one in enumerate(kept, start=1):
        numbers[one] = number
    kernel = native.function("ph_renumber_ids", (c_void_p, c_int64, c_int64, c_void_p, c_void_p))
    if kernel is not None and ids.device.type == "cpu":
        ids, changed = ids.contiguous(), torch.empty(ids.shape, dtype=torch.int32)
        if kernel(ids.data_ptr(), ids.numel(), largest, numbers.data_ptr(), changed.data_ptr()) == 0:
            return changed
    # Indexing with the whole map takes six times as long on the CPU.
    return numbers.to(ids.device).index_select(0, ids.flatten()).view(ids.shape)
