"""Stuff on free pixels, and void where it is dropped, as in Detectron2."""

from dataclasses import dataclass

from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.stuff import STUFF_REGISTRY, CountedStuff, IsTooSmall, StuffFill


@STUFF_REGISTRY.register("void")
@dataclass(frozen=True)
class DroppedToVoid(CountedStuff):
    """Stuff takes its free pixels; those of what is dropped become void.

    The rule of Panoptic FPN (Kirillov et al., CVPR 2019). Reasons and parameters are those of
    :class:`panoptic_heuristic.fusion.stuff.CountedStuff`.
    """

    def fill(self, heads: HeadOutputs, claim: Claim, is_too_small: IsTooSmall) -> StuffFill:
        """See :meth:`panoptic_heuristic.fusion.stuff.StuffRule.fill`.

        Raises:
            InputError: see :meth:`panoptic_heuristic.fusion.stuff.CountedStuff.survey`.
        """
        return self.survey(heads, claim, is_too_small).filled(heads.semantics)
