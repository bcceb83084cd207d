"""Instances whose pixels the semantic labels give to one stuff category become that stuff."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Dict, FrozenSet

import torch
from torch import Tensor

from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.id_maps import id_areas
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.stuff import labels_of_stuff
from panoptic_heuristic.fusion.veto import VETO_REGISTRY


@VETO_REGISTRY.register("semantic_veto")
@dataclass(frozen=True)
class SemanticVeto:
    """An instance is stuff if the labels say so of most of the pixels that it got.

    The last step of UPSNet (Xiong et al., CVPR 2019). Of the pixels that an instance has in the map,
    if one stuff category has the required fraction, the instance is dropped as ``veto``, and all of
    them, whatever their labels, get the label of that stuff, its first one if it has several. They
    are free then, for the stuff stage. Of several categories with that fraction the one with the
    most pixels counts, of equal ones that with the first label.

    Attributes:
        majority: the fraction, compared in float64; in [0, 1]. At 0 a pixel is enough.

    Raises:
        InputError: a value is out of its interval.
    """

    majority: float = 0.5

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.SEMANTIC_LABELS})

    def __post_init__(self):
        check_number("majority", self.majority, 0, 1)

    def veto(self, heads: HeadOutputs, claim: Claim) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.veto.VetoRule.veto`."""
        semantics = heads.semantics
        labels_of = list(labels_of_stuff(semantics, heads.categories).values())
        if not labels_of:
            return claim
        # Place 0 is what is no stuff.
        place_of = {label: place for place, labels in enumerate(labels_of, start=1) for label in labels}
        columns, rows = 1 + len(labels_of), 1 + len(claim.areas)
        pairs = torch.as_tensor(quick(claim.panoptic_seg) * columns + quick(semantics.look_up(place_of)))
        areas = id_areas(pairs, rows * columns - 1)
        counts = [areas[row * columns : (row + 1) * columns] for row in range(rows)]
        label_of: Dict[int, int] = {}
        for index, area, (_, *pixels) in zip(claim.areas, claim.areas.values(), counts[1:], strict=True):
            most = max(pixels)
            if most and most / area >= self.majority:
                label_of[index] = labels_of[pixels.index(most)][0]
        if not label_of:
            return claim
        return dataclasses.replace(
            claim.without(dict.fromkeys(label_of, "veto")),
            semantics=semantics.with_labels(_relabelled(semantics.labels, claim, label_of)),
        )


def _relabelled(labels: Tensor, claim: Claim, label_of: Dict[int, int]) -> Tensor:
    """The labels with one for all the pixels of each of some instances."""
    table = torch.full((1 + len(claim.areas),), -1, dtype=torch.int64)
    for value, index in enumerate(claim.areas, start=1):
        table[value] = label_of.get(index, -1)
    new = table.to(labels.device).index_select(0, claim.panoptic_seg.flatten()).view(labels.shape)
    return labels.where(new < 0, new.to(labels.dtype))
