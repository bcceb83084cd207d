"""The channels of semantic logits by their meaning, for the claim rules that weigh them.

Shape legend: C channels, an image of H x W pixels, windows of h x w.
"""

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.probabilities import largest
from panoptic_heuristic.fusion.semantics import SemanticMap

Window = Tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Channels:
    """The semantic logits of an image, and what each channel means.

    Attributes:
        who: the rule that uses them, for messages.
        semantics: that the logits are of.
        logits: (C, H, W) float32 or float64, finite.
        meaning: dataset category id of each channel that means one, and None of those that mean
            none.
        categories: the data set's.
    """

    who: str
    semantics: SemanticMap
    logits: Tensor
    meaning: Dict[int, Optional[int]]
    categories: Categories

    @classmethod
    def of(cls, heads: HeadOutputs, who: str) -> "Channels":
        """The channels of a semantic head.

        Raises:
            InputError: there are no logits, one is not finite, or a label that means a category has
                no channel.
        """
        if heads.semantics is None:
            raise InputError(f"{who} needs semantic logits, but there are no semantics; give some, or another rule")
        logits = heads.semantics.channels(who)
        known = heads.semantics.label_to_category
        for label, category_id in known.items():
            if label not in range(len(logits)) and category_id is not None:
                raise InputError(
                    f"{who} needs a channel of logits per label, but label {label} means category {category_id} "
                    f"and there are {len(logits)} channels"
                )
        meaning = {label: category_id for label, category_id in known.items() if label in range(len(logits))}
        return cls(who, heads.semantics, logits, meaning, heads.categories)

    @property
    def stuff(self) -> Tuple[int, ...]:
        """The channels that mean stuff, ascending."""
        return tuple(self.categories.labels_of_stuff(self.meaning))

    @property
    def things(self) -> Tuple[int, ...]:
        """The channels that are :meth:`of_thing` for any thing, ascending."""
        channels = {channel for category in self.categories.things for channel in self._meant(category.id)}
        return tuple(sorted(channels))

    def of_thing(self, category_id: int) -> Tuple[int, ...]:
        """The channels that mean a thing or, if none does, mean no category: the collapsed things.

        Raises:
            InputError: there are no such channels.
        """
        channels = self._meant(category_id)
        if not channels:
            raise InputError(
                f"{self.who} needs a semantic channel of category {category_id}, or one of all things, but each "
                "label means another category; use another rule"
            )
        return channels

    def largest(self, channels: Sequence[int], window: Window = WHOLE) -> Tuple[Tensor, Tensor]:
        """The largest of some channels at each pixel of a window.

        Returns:
            (h, w) floating point the logit, and (h, w) integers, its channel, of equal ones the first; without
            channels minus infinity and -1. They may be kept: not to be written to.
        """
        if channels and window == WHOLE:
            return self.semantics.largest(channels)
        logits = self.logits[(slice(None), *window)]
        if not channels:
            nothing = logits.new_full(logits.shape[1:], -torch.inf)
            return nothing, torch.full_like(nothing, -1, dtype=torch.int64)
        return largest(logits, channels)

    def _meant(self, category_id: int) -> Tuple[int, ...]:
        wanted = category_id if category_id in self.meaning.values() else None
        return tuple(channel for channel, meant in self.meaning.items() if meant == wanted)
