"""Leftover pixels join the stuff that a semantic head would have taken, had it been asked for stuff only."""

from dataclasses import dataclass
from typing import ClassVar, FrozenSet, Optional, Sequence, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.probabilities import at_least, largest, places_of
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.result import FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap

NO_STUFF = 65535
"""In place of the best stuff label, where the semantic head knows of none."""


def best_stuff(logits: Tensor, stuff: Sequence[int], floor: Optional[float]) -> Tuple[Tensor, Tensor]:
    """The most probable stuff of each pixel. A pixel's answer does not depend on the other pixels.

    Args:
        logits: (C, ...) floating point, on any device, of pixels in any shape.
        stuff: the channels that mean stuff, ascending.
        floor: a probability in [0, 1], compared in float64; None if it is not asked for.

    Returns:
        (...) int64 channels, of equal logits the first, :data:`NO_STUFF` everywhere if none means
        stuff; and (...) bool, whether its probability, by the softmax over all channels, is at
        least ``floor``. Both are on the device of ``logits``.
    """
    # The CPU is slow at half precision; no value changes.
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    nowhere = torch.zeros(logits.shape[1:], dtype=torch.bool, device=logits.device)
    if not stuff:
        return torch.full_like(nowhere, NO_STUFF, dtype=torch.int64), nowhere
    _, channels = largest(logits, stuff)
    return channels.long(), nowhere if floor is None else at_least(logits, channels, floor)


@LEFTOVER_REGISTRY.register("best_stuff")
@dataclass(frozen=True)
class BestStuff:
    """They join the stuff segment of their most probable stuff, if that is probable enough.

    JSIS-Net (de Geus et al., 2018) and PKU_360's entry to the COCO challenge of 2018, whose floor is
    0.2. It is about void pixels whose label means a thing, or no category as the collapsed label
    of all things does; void that a stuff rule leaves stays void. A pixel whose best stuff is not in
    the map stays void too, even if another stuff is, so no segment is added.

    It looks at logits, or, where there are none, at the best stuff that a prediction cache keeps,
    whose floor must be the same.

    Attributes:
        floor: the probability that a pixel's best stuff needs, by the softmax over all channels;
            compared in float64; in [0, 1].

    Raises:
        InputError: a value is out of its interval.
    """

    floor: float = 0.25

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.BEST_STUFF})

    def __post_init__(self):
        check_number("floor", self.floor, 0, 1)

    def fill(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.leftover.LeftoverRule.fill`.

        Raises:
            InputError: there is neither; logits are not finite; or the floors differ.
        """
        semantics = heads.semantics
        stuff = heads.categories.labels_of_stuff(semantics.label_to_category)
        no_stuff = semantics.having([label for label in semantics.areas if label not in stuff])
        panoptic_seg = result.panoptic_seg.clone()
        left = places_of(torch.as_tensor((quick(panoptic_seg) == 0) & quick(no_stuff)))
        best, above = self._best_stuff(semantics, stuff, left)
        ids = torch.zeros(best.shape, dtype=torch.int32, device=best.device)
        id_of = {segment["category_id"]: segment["id"] for segment in result.segments_info if not segment["isthing"]}
        for label in stuff:
            if (segment_id := id_of.get(semantics.label_to_category[label])) is not None:
                ids.masked_fill_(above & (best == label), segment_id)
        # Nobody loses a pixel.
        quick(panoptic_seg).reshape(-1)[quick(left)] = quick(ids)
        return result.with_map(panoptic_seg, "covered")

    def _best_stuff(self, semantics: SemanticMap, stuff: Sequence[int], places: Tensor) -> Tuple[Tensor, Tensor]:
        """(P,) best labels of the P pixels that are asked for, by their places, and (P,) bool: above the floor."""
        if semantics.logits is None and semantics.best_stuff is not None:
            if semantics.best_stuff_floor != self.floor:
                raise InputError(
                    f"the floor of best_stuff is {self.floor}, but the predictions were kept with the floor "
                    f"{semantics.best_stuff_floor}; use that one, or keep predictions anew"
                )
            best, above = (values.flatten().index_select(0, places) for values in semantics.best_stuff)
            return best, above
        logits = semantics.channels("best_stuff").flatten(1).index_select(1, places)
        return best_stuff(logits, [label for label in stuff if label < len(logits)], self.floor)
