"""Common to the claim rules that weigh semantic logits: channels by their meaning, and a vote in boxes.

Shape legend: C channels, an image of H x W pixels, crops of h x w.
"""

import math
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.claim import Claim, renumbered
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.probabilities import largest
from panoptic_heuristic.fusion.soft_masks import SoftCrop, soft_crop

MASK_EPSILON = 1e-6
"""A mask probability counts as at least this and at most 1 - this, since logits of 0 and 1 are infinite."""

Window = Tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Channels:
    """The semantic logits of an image, and what each channel means.

    Attributes:
        who: the rule that uses them, for messages.
        logits: (C, H, W) float32 or float64, finite.
        meaning: dataset category id of each channel that means one, and None of those that mean
            none.
        categories: the data set's.
    """

    who: str
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
        return cls(who, logits, meaning, heads.categories)

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
            (h, w) float64 the logit, and (h, w) int64 its channel, of equal ones the first; without
            channels minus infinity and -1.
        """
        logits = self.logits[(slice(None), *window)]
        if not channels:
            nothing = logits.new_full(logits.shape[1:], -torch.inf, dtype=torch.float64)
            return nothing, torch.full_like(nothing, -1, dtype=torch.int64)
        values, winners = largest(logits, channels)
        return values.double(), winners

    def _meant(self, category_id: int) -> Tuple[int, ...]:
        wanted = category_id if category_id in self.meaning.values() else None
        return tuple(channel for channel, meant in self.meaning.items() if meant == wanted)


def mask_logits(probabilities: Tensor) -> Tensor:
    """The logits of mask probabilities.

    Args:
        probabilities: (h, w) floating point in [0, 1]; see :data:`MASK_EPSILON`.

    Returns:
        (h, w) float64, finite.
    """
    return torch.logit(probabilities.double(), eps=MASK_EPSILON)


def inside_box(instances: InstanceSet, index: int) -> SoftCrop:
    """The mask probabilities of one instance inside its box, rounded outwards and clipped to the image.

    Args:
        instances: with RoI mask probabilities.
        index: 0 to N - 1, the place in the input.
    """
    soft = soft_crop(instances, index)
    height, width = soft.values.shape
    if not soft.values.numel():
        return soft
    # Pasting has a margin of one pixel, where interpolation still says a little more than 0.
    x0, y0, x1, y1 = instances.boxes[index].tolist()
    left, top = max(math.floor(x0), soft.x0), max(math.floor(y0), soft.y0)
    right, bottom = min(math.ceil(x1), soft.x0 + width), min(math.ceil(y1), soft.y0 + height)
    rows, columns = slice(top - soft.y0, max(bottom, top) - soft.y0), slice(left - soft.x0, max(right, left) - soft.x0)
    return SoftCrop(left, top, soft.values[rows, columns])


def uncovered(
    instances: InstanceSet, ranked: Sequence[int], threshold_of: Callable[[int], float], *, within_category: bool
) -> Tuple[List[int], Dict[int, str]]:
    """Leaves out instances that lie mostly under better ones, which count if they are not left out.

    Args:
        instances: the things found.
        ranked: places in the input, best first.
        threshold_of: the fraction of its mask that may lie under better ones, by category id;
            compared in float64.
        within_category: whether only those of its own category count.

    Returns:
        Those that stay, best first, and why the others do not: ``empty`` or ``overlap``.
    """
    covered: Dict[Optional[int], Tensor] = {}
    kept = []
    dropped: Dict[int, str] = {}
    for index in ranked:
        crop, category_id = instances.crop(index), instances.category_ids[index]
        group = category_id if within_category else None
        if group not in covered:
            covered[group] = torch.zeros(instances.image_size, dtype=torch.bool, device=instances.device)
        window = covered[group][crop.window]
        area = int(crop.mask.count_nonzero())
        if area == 0:
            dropped[index] = "empty"
        elif int((window & crop.mask).count_nonzero()) / area > threshold_of(category_id):
            dropped[index] = "overlap"
        else:
            kept.append(index)
            window |= crop.mask
    return kept, dropped


class BoxVote:
    """A vote over pixels: the larger value wins, of equal ones the earlier.

    Args:
        best: (H, W) float64, the values to beat. Not changed.

    Attributes:
        best: (H, W) float64, the value of the winner.
        winner: (H, W) int32, its place, 0 where ``best`` was not beaten.
    """

    def __init__(self, best: Tensor):
        self.best = best.clone()
        self.winner = torch.zeros(best.shape, dtype=torch.int32, device=best.device)

    def enter(self, place: int, window: Window, values: Tensor) -> None:
        """Lets an instance compete inside its box.

        Args:
            place: its number, at least 1.
            window: rows and columns of the box, h x w.
            values: (h, w) float64.
        """
        wins = values > self.best[window]
        self.best[window] = values.where(wins, self.best[window])
        self.winner[window].masked_fill_(wins, place)


def claim_of_winners(winner: Tensor, kept: Sequence[int], dropped: Dict[int, str]) -> Claim:
    """Gives each pixel to the instance that won it.

    Args:
        winner: (H, W) int32: 0 for none, k for the k-th of ``kept``.
        kept: places in the input of those that competed, best first.
        dropped: why others did not. Those that won no pixel join them as ``outvoted``.
    """
    counts = torch.bincount(winner.flatten(), minlength=len(kept) + 1).tolist()
    areas = {index: counts[place] for place, index in enumerate(kept, start=1) if counts[place]}
    outvoted = {index: "outvoted" for index in kept if index not in areas}
    places = [place for place, index in enumerate(kept, start=1) if index in areas]
    return Claim(renumbered(winner, places, len(kept)), areas, {**dropped, **outvoted})
