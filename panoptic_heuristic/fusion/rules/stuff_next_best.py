"""Stuff whose dropped pixels go to the next best stuff."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, FrozenSet

import torch

from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.probabilities import largest, places_of
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.stuff import STUFF_REGISTRY, CountedStuff, IsTooSmall, StuffFill


@STUFF_REGISTRY.register("next_best")
@dataclass(frozen=True)
class NextBest(CountedStuff):
    """Stuff takes its free pixels; those of what is too small go to the best stuff that stays.

    The rule of JSIS-Net (de Geus et al., 2018), whose floor is 0.25. Best is what has the largest
    logit there, of equal ones the first label, however improbable it is: the floor is about a
    pixel's own label, and those below it go to nobody. Which stuff stays is decided once, by its own
    pixels, and if none does, pixels become void. Reasons and parameters are those of
    :class:`CountedStuff`.
    """

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.LOGITS})

    def fill(self, heads: HeadOutputs, claim: Claim, is_too_small: IsTooSmall) -> StuffFill:
        """See :meth:`panoptic_heuristic.fusion.stuff.StuffRule.fill`.

        Raises:
            InputError: there are no logits, or one is NaN or infinite.
        """
        semantics = heads.semantics
        logits, meaning = semantics.channels("next_best"), semantics.label_to_category
        survey = self.survey(heads, claim, is_too_small)
        homeless = [label for label in semantics.areas if meaning[label] in survey.dropped]
        channels = [label for label in range(len(logits)) if meaning.get(label) in survey.areas]
        if not homeless or not channels:
            return survey.filled(semantics)
        moved = places_of(torch.as_tensor(quick(survey.fillable) & quick(semantics.having(homeless))))
        _, best = largest(logits.flatten(1).index_select(1, moved), channels)
        labels = semantics.short_labels if max(channels) < 255 else semantics.labels.long()
        labels = labels.flatten().index_copy(0, moved, best.to(labels.dtype)).view(semantics.image_size)
        relabelled = semantics.with_labels(labels)
        areas = dict.fromkeys(survey.areas, 0)
        for label, pixels in relabelled.count(survey.fillable).items():
            if meaning[label] in areas:
                areas[meaning[label]] += pixels
        return dataclasses.replace(survey, areas=areas).filled(relabelled)
