"""The claim stage: who gets a contested pixel. One rule per file; this is what they share."""

from dataclasses import dataclass
from typing import Dict, Protocol, Sequence

import torch
from torch import Tensor

from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.registry import NamedRegistry

CLAIM_REGISTRY = NamedRegistry("PANOPTIC_CLAIM")
CLAIM_REGISTRY.__doc__ = """
Claim rules by the name they have in YAML. An entry is a :class:`ClaimRule` class.
"""


@dataclass(frozen=True)
class Claim:
    """The outcome of a claim rule.

    Attributes:
        panoptic_seg: (H, W) int32: 0 where no instance is, k where the k-th of ``areas`` is.
        areas: instance index -> pixels it got (at least 1), in the order of the ids.
        dropped: instance index -> reason, for the other ranked instances.
    """

    panoptic_seg: Tensor
    areas: Dict[int, int]
    dropped: Dict[int, str]


class ClaimRule(Protocol):
    """What a claim rule must offer: a frozen dataclass of its parameters with this method."""

    def claim(self, instances: InstanceSet, ranked: Sequence[int]) -> Claim:
        """Gives pixels to instances.

        Args:
            instances: the candidates. Not changed.
            ranked: indices of the candidates that take part, best first.
        """
        ...


def renumbered(panoptic_seg: Tensor, kept: Sequence[int], largest: int) -> Tensor:
    """The map without the segments that were dropped after they had taken pixels.

    Args:
        panoptic_seg: (H, W) int32, values in [0, largest]. Not changed.
        kept: the values that stay, all above 0; the k-th of them becomes k, counted from 1.
        largest: see ``panoptic_seg``.

    Returns:
        (H, W) int32, 0 where none of ``kept`` is.
    """
    table = torch.zeros(largest + 1, dtype=torch.int32)
    for segment_id, value in enumerate(kept, start=1):
        table[value] = segment_id
    # Indexing with the whole map takes six times as long on the CPU.
    return table.to(panoptic_seg.device).index_select(0, panoptic_seg.flatten()).view(panoptic_seg.shape)
