"""Borders move to where the colours of the image change, by a dense conditional random field."""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, FrozenSet

import cv2
import numpy as np
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.border import BORDER_REGISTRY, best_unless_tied, ids_of_stuff, image_for
from panoptic_heuristic.fusion.border_windows import Window, grown, have_choice, sides, spread, windows, within
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.parameters import ParameterError, check_flag, check_number, check_whole_number
from panoptic_heuristic.fusion.result import FusionResult

# Far above the sum of all weights: the probability is 0, whatever the neighbours say.
_IMPOSSIBLE = 1e6


@BORDER_REGISTRY.register("dense_crf")
@dataclass(frozen=True)
class DenseCrf:
    """Pixels near a border go to the segment whose pixels are near them in place and colour.

    The fully connected CRF of Krähenbühl and Koltun (NeurIPS 2011), solved by mean-field iterations of
    the package pydensecrf. What it chooses from are the segments of stuff: things and void keep their
    pixels, since on photographs small things lose more than they win. With ``move_things`` it chooses from all
    segments of the map, things and stuff alike, and void, which counts as one more segment then: it keeps,
    wins and loses pixels as the others do.

    A pixel may go only to segments within ``radius``: those in the square of 2 * ``radius`` + 1 pixels
    around it, in the map as it was. Where there is no other, it stays, and is certain for its neighbours,
    too. So no segment appears farther than that from where it was. The unary energy of a pixel that has a
    choice is -log(``certainty``) for its own segment, and what is left of the probability is spread
    evenly over its other choices. It leaves its segment only for one that ends up more probable.

    A segment that loses its last pixel is dropped as ``border``; thin and tiny ones are at risk.

    The time grows with the pixels of a run times its segments. So the image is halved until a part's
    borders have at most ``max_segments`` around them, or are no larger than the margin that each run
    looks at beside its part: one standard deviation of the widest kernel. All runs see the map as it
    was; segments that occur in the margin alone are one for the run. It works on the CPU, on one core.

    The defaults of the kernels are those of pydensecrf's README, but for half its ``bilateral_sxy``:
    with narrower margins many segments take half the time.

    Attributes:
        radius: in pixels; a whole number >= 0. At 0 nothing changes.
        certainty: probability that a pixel's segment is right, in [0.5, 1).
        gaussian_sxy: standard deviation in pixels of the kernel over places; in [1, inf).
        gaussian_compat: its weight; in [0, 1000].
        bilateral_sxy: standard deviation in pixels of the kernel over places and colours; in [1, inf).
        bilateral_srgb: its standard deviation in the 256 levels of a colour; in [1, inf).
        bilateral_compat: its weight; in [0, 1000].
        iterations: a whole number >= 1.
        max_segments: see above; a whole number >= 2.
        move_things: True to move the borders of things and void, too.

    Raises:
        InputError: a value is out of its interval.
    """

    radius: int = 5
    certainty: float = 0.9
    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 40.0
    bilateral_srgb: float = 13.0
    bilateral_compat: float = 10.0
    iterations: int = 5
    max_segments: int = 12
    move_things: bool = False

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.IMAGE})

    def __post_init__(self):
        for name, low in (("radius", 0), ("iterations", 1), ("max_segments", 2)):
            check_whole_number(name, getattr(self, name), low)
        check_number("certainty", self.certainty, 0.5, 1)
        if self.certainty == 1:
            problem = "must be below 1, where no pixel could change; use <radius> 0 for that"
            raise ParameterError("certainty", problem, mentions=("radius",))
        # pydensecrf's lattice overflows at a millionth, and takes the process with it.
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            check_number(name, getattr(self, name), 1)
        for name in ("gaussian_compat", "bilateral_compat"):
            check_number(name, getattr(self, name), 0, 1000)
        check_flag("move_things", self.move_things)

    @property
    def margin(self) -> int:
        """The number of pixels on each side of its part a run looks at."""
        return max(self.radius, math.ceil(max(self.gaussian_sxy, self.bilateral_sxy)))

    def refine(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.border.BorderRule.refine`.

        Raises:
            InputError: there is no image, or pydensecrf is not installed.
        """
        image = image_for("dense_crf", heads)
        densecrf = _densecrf()
        refined = result.panoptic_seg.cpu().numpy().copy()
        # Things and void that stay count as one segment, 0.
        ids = refined.copy() if self.move_things else ids_of_stuff(result)
        movable = np.ones(ids.shape, dtype=bool) if self.move_things else ids > 0

        def is_small_enough(window: Window) -> bool:
            return max(sides(window)) <= self.margin or len(self._near(ids, window)) <= self.max_segments

        for window in windows(have_choice(ids, movable, self.radius), is_small_enough):
            moved = self._run(densecrf, image, ids, movable, window)
            np.copyto(refined[window], moved, where=movable[window])
        return result.with_map(torch.from_numpy(refined).to(result.panoptic_seg.device), "border")

    def _near(self, ids: np.ndarray, window: Window) -> np.ndarray:
        """Ascending ids, perhaps with 0, of what is within the radius of a window."""
        return np.flatnonzero(np.bincount(ids[grown(window, self.radius)].ravel()))

    def _run(
        self, densecrf: ModuleType, image: np.ndarray, ids: np.ndarray, movable: np.ndarray, window: Window
    ) -> np.ndarray:
        """The ids that the pixels of a window get."""
        around = grown(window, self.margin)
        near, before = self._near(ids, window), ids[around]
        # The last place is that of all which occur in the margin alone, if there are some.
        place_of = np.full(before.max() + 1, len(near))
        place_of[near] = np.arange(len(near))
        places = place_of[before]
        choices = np.stack([spread(places == place, self.radius, cv2.dilate) for place in range(places.max() + 1)]) > 0
        if not self.move_things:
            choices[: len(near)][near == 0] = False
            choices &= movable[around]
            np.put_along_axis(choices, places[None], True, axis=0)

        count, height, width = choices.shape
        crf = densecrf.DenseCRF2D(width, height, count)
        crf.setUnaryEnergy(self._unary(places, choices).reshape(count, -1))
        crf.addPairwiseGaussian(sxy=self.gaussian_sxy, compat=self.gaussian_compat)
        crf.addPairwiseBilateral(
            sxy=self.bilateral_sxy,
            srgb=self.bilateral_srgb,
            rgbim=np.ascontiguousarray(image[around]),
            compat=self.bilateral_compat,
        )
        probabilities = np.array(crf.inference(self.iterations)).reshape(choices.shape)
        return near[best_unless_tied(probabilities, places)[within(window, around)]]

    def _unary(self, places: np.ndarray, choices: np.ndarray) -> np.ndarray:
        """Energies, (C, H, W) float32.

        Args:
            places: (H, W) integers in [0, C), the segments before.
            choices: (C, H, W) bool, which each pixel may go to; its own is among them.
        """
        others = np.maximum(choices.sum(axis=0) - 1, 1)
        unary = np.where(choices, -np.log((1 - self.certainty) / others), _IMPOSSIBLE).astype(np.float32)
        np.put_along_axis(unary, places[None], np.float32(-math.log(self.certainty)), axis=0)
        return unary


def _densecrf() -> ModuleType:
    try:
        import pydensecrf.densecrf as densecrf
    except ImportError as error:
        raise InputError("dense_crf needs pydensecrf; pip install panoptic_heuristic[crf], or use none") from error
    return densecrf
