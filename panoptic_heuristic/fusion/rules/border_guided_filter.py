"""Borders between kinds of stuff move to edges of the image, by a guided filter."""

from dataclasses import dataclass
from typing import ClassVar, FrozenSet

import cv2
import numpy as np
import torch

from panoptic_heuristic.fusion.border import BORDER_REGISTRY, best_unless_tied, ids_of_stuff, image_for
from panoptic_heuristic.fusion.border_windows import Window, grown, have_choice, sides, windows, within
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.parameters import check_number, check_whole_number
from panoptic_heuristic.fusion.result import FusionResult

# Of a part's sides in pixels. Larger ones have more labels and fewer borders; around smaller ones the margins count.
_LARGEST_SIDE = 96
# Values are multiples of 1 / this, so that their sums are exact and no pixel depends on the parts.
_STEPS = 2.0**28


@BORDER_REGISTRY.register("guided_filter")
@dataclass(frozen=True)
class GuidedFilter:
    """Pixels near a border of two kinds of stuff go to the one that follows the image there.

    The indicator of each kind of stuff, 1 where the map has it and 0 elsewhere, is filtered with the grey image
    as the guide (He, Sun and Tang, "Guided Image Filtering", ECCV 2010), and a pixel goes to the kind of the
    largest value. Pixels of things and of void stay as they are. Three colours as the guide took twice the time
    on photographs, and brought 0.00 to 0.07 PQ more.

    A straight border up to about three eighths of ``window_radius`` from a clear edge goes to the edge; one
    farther comes nearer, or stays. Where the image says nothing, borders are smoothed.

    A pixel may go only to stuff that the square of 2 * ``window_radius`` + 1 pixels around it has in the map as
    it was. It leaves its own only for a larger value; of several that are largest it goes to the first label.
    Stuff that loses its last pixel is dropped as ``border``; limits of its area are not applied again.

    It works on the CPU, on one core, in the parts of the image that have such borders.

    Attributes:
        window_radius: of the filter's windows, in pixels; a whole number >= 1.
        epsilon: how much the image must vary in a window for its edges to count, as a variance of
            levels in [0, 1]; in [1e-6, 1]. The larger it is, the more the filter only smooths.

    Raises:
        InputError: a value is out of its interval.
    """

    window_radius: int = 8
    epsilon: float = 1e-3

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.IMAGE})

    def __post_init__(self):
        check_whole_number("window_radius", self.window_radius, 1)
        check_number("epsilon", self.epsilon, 1e-6, 1)

    def refine(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.border.BorderRule.refine`.

        Raises:
            InputError: there is no image.
        """
        grey = cv2.cvtColor(image_for("guided_filter", heads), cv2.COLOR_RGB2GRAY)
        ids = ids_of_stuff(result)
        refined = result.panoptic_seg.cpu().numpy().copy()
        has_choice = have_choice(ids, ids > 0, self.window_radius)
        for window in windows(has_choice, lambda window: max(sides(window)) <= _LARGEST_SIDE):
            np.copyto(refined[window], self._run(grey, ids, window), where=has_choice[window])
        return result.with_map(torch.from_numpy(refined).to(result.panoptic_seg.device), "border")

    def _run(self, grey: np.ndarray, ids: np.ndarray, window: Window) -> np.ndarray:
        """The ids that the pixels of a window get; those without a choice get any."""
        around = grown(window, 2 * self.window_radius)
        inside, before = within(window, around), ids[around]
        near = np.unique(ids[grown(window, self.window_radius)])
        near = near[near > 0]
        guide = _Guide(grey[around], self.window_radius, self.epsilon)
        values = []
        for one in near:
            indicator = (before == one).astype(np.float64)
            areas = guide.sums(indicator)
            values.append(np.where(areas > 0, guide.filtered(indicator, areas), -np.inf)[inside])
        # Pixels of things and void get a place, too; it is not read.
        places = np.searchsorted(near, np.maximum(before[inside], near[0]))
        return near[best_unless_tied(np.stack(values), places)]


class _Guide:
    """A grey image to filter by. All sums are of whole numbers, or of whole steps, and so exact.

    Args:
        grey: (H, W) uint8.
        radius: of the windows, in pixels; they end where the image does.
        epsilon: see :class:`GuidedFilter`.
    """

    def __init__(self, grey: np.ndarray, radius: int, epsilon: float):
        self._sides = (2 * radius + 1, 2 * radius + 1)
        self._grey = grey.astype(np.float64)
        self._counts = self.sums(np.ones(grey.shape))
        self._sums = self.sums(self._grey)
        self._variance = self._covariance(self._grey, self._sums) + epsilon * 255**2

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The sum in the window around each pixel; (H, W) float64 of such."""
        return cv2.boxFilter(values, -1, self._sides, normalize=False, borderType=cv2.BORDER_CONSTANT)

    def filtered(self, indicator: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """The filter's output in steps, times the pixels of the window around each pixel; (H, W) float64.

        Args:
            indicator: (H, W) float64, 0 or 1.
            areas: its sums.
        """
        slopes = np.rint(self._covariance(indicator, areas) / self._variance * _STEPS)
        offsets = np.rint((areas * _STEPS - slopes * self._sums) / self._counts)
        return self.sums(slopes) * self._grey + self.sums(offsets)

    def _covariance(self, values: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Of grey and other values, whose sums are given, in the window around each pixel."""
        return (self._counts * self.sums(self._grey * values) - self._sums * sums) / self._counts**2
