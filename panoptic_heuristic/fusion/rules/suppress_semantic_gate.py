"""Masks that keep only the pixels where the semantic head agrees with them."""

from dataclasses import dataclass
from typing import ClassVar, Dict, FrozenSet, Sequence

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import agreeing_pixels
from panoptic_heuristic.fusion.instances import Crop
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY, Suppression


@SUPPRESS_REGISTRY.register("semantic_gate")
@dataclass(frozen=True)
class SemanticGate:
    """A mask keeps the pixels whose label means its category; see :func:`agreeing_pixels`.

    It is dropped as ``gate`` if nothing is left of it, or less than a fraction. An empty mask goes
    on. The baselines of Panoptic nuScenes (Fong et al., RA-L 2022) give a detection the points in
    its box that have its label, however few; the fraction is ours.

    Attributes:
        keep: a mask is dropped if what is left / its area < it; compared in float64; in [0, 1].

    Raises:
        InputError: a value is out of its interval.
    """

    keep: float = 0.0

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.SEMANTIC_LABELS})
    takes: ClassVar[FrozenSet[Need]] = frozenset({Need.ROI_PROBABILITIES})

    def __post_init__(self):
        check_number("keep", self.keep, 0, 1)

    def suppress(self, heads: HeadOutputs, candidates: Sequence[int]) -> Suppression:
        """See :meth:`panoptic_heuristic.fusion.suppress.SuppressRule.suppress`.

        Raises:
            InputError: there are candidates, but no semantic labels.
        """
        instances, semantics = heads.instances, heads.semantics
        if semantics is None and len(candidates):
            raise InputError("semantic_gate needs semantic labels, but there are none; use another suppress rule")

        def make_crop(index: int) -> Crop:
            crop = instances.crop(index)
            return crop._replace(
                mask=crop.mask & agreeing_pixels(semantics, instances.category_ids[index], crop.window)
            )

        gated = instances.with_masks(make_crop)
        dropped: Dict[int, str] = {}
        for index in candidates:
            area, left = (int(one.crop(index).mask.count_nonzero()) for one in (instances, gated))
            if self.drops(area, left):
                dropped[index] = "gate"
        return Suppression(gated, tuple(index for index in candidates if index not in dropped), dropped)

    def drops(self, area: int, left: int) -> bool:
        """True if a mask is dropped.

        Args:
            area: its pixels.
            left: those that agree.
        """
        return area > 0 and (left == 0 or left / area < self.keep)
