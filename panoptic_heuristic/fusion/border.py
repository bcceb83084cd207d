"""The border stage: cleaning the borders of a finished map by the image."""

from typing import Protocol

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.result import FusionResult

BORDER_REGISTRY = NamedRegistry("PANOPTIC_BORDER", "refine")
BORDER_REGISTRY.__doc__ = """
Border rules by the name they have in YAML. An entry is a :class:`BorderRule` class.
"""


class BorderRule(Protocol):
    """The interface of a border rule: a frozen dataclass of its parameters with this method."""

    def refine(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """Moves borders.

        Args:
            heads: what was found, with the image if the rule needs it. Not changed.
            result: what the stages before made. Not changed.
        """
        ...


def image_for(rule: str, heads: HeadOutputs) -> np.ndarray:
    """The image that a rule works by, (H, W, 3) uint8 RGB on the CPU.

    Raises:
        InputError: there is none; names the rule.
    """
    if heads.image is None:
        raise InputError(
            f"{rule} needs the image at output resolution, but there is none; give it, or use another border rule"
        )
    return heads.image.cpu().numpy()


def ids_of_stuff(result: FusionResult) -> np.ndarray:
    """(H, W) int32 on the CPU: the map without its things, which are 0 as void is."""
    of_stuff = np.zeros(len(result.segments_info) + 1, dtype=np.int32)
    for segment in result.segments_info:
        if not segment["isthing"]:
            of_stuff[segment["id"]] = segment["id"]
    return of_stuff[result.panoptic_seg.cpu().numpy()]


def best_unless_tied(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where each pixel goes: to the first of the largest values, unless its own is as large.

    Args:
        values: (C, H, W) of the C choices.
        places: (H, W) integers in [0, C): the choice that each pixel has now.

    Returns:
        (H, W) integers in [0, C).
    """
    own = np.take_along_axis(values, places[None], axis=0)[0]
    return np.where(values.max(axis=0) > own, values.argmax(axis=0), places)
