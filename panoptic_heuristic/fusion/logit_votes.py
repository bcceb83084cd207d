"""A vote over pixels among stuff and instances, by the logits of both heads; for the claim rules that hold one.

Shape legend: an image of H x W pixels, boxes of h x w.
"""

import math
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from panoptic_heuristic.fusion.claim import Claim, HasOverlapThreshold
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.id_maps import id_areas, renumbered
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.soft_channels import Channels, Window
from panoptic_heuristic.fusion.soft_masks import SoftCrop, check_probabilities, soft_crop

MASK_EPSILON = 1e-6
"""A mask probability counts as at least this and at most 1 - this, since logits of 0 and 1 are infinite."""


class Entrant(NamedTuple):
    """An instance in the vote.

    Attributes:
        place: its number, from 1, best first.
        window: rows and columns of its box.
        mask_logits: (h, w) float64, of its mask probabilities; finite.
        semantic_logits: (h, w) float64, of its category.
    """

    place: int
    window: Window
    mask_logits: Tensor
    semantic_logits: Tensor


class LogitVote:
    """A vote over pixels: stuff stands with its semantic logits, and an instance enters inside its box.

    The larger value wins, of equal ones stuff, then the better rank. Instances that mostly lie under better
    ones do not take part.

    Args:
        heads: what was found.
        order: the instances, best first.
        rule: says how much of an instance may lie under better ones.
        who: the rule, for messages.
        within_category: True if only better ones of its own category count.

    Attributes:
        channels: of the semantic head.
        stuff: (H, W) floating point, the largest logit of stuff; minus infinity if there is none.
        stuff_labels: (H, W) integers, the stuff that has it; -1 if there is none.
        winner: (H, W) int32, the place of the winner, 0 where stuff wins.
        is_boxed: (H, W) bool: inside the box of an instance that entered.
        best: (H, W) float64, the value of the winner there; anything elsewhere.

    Raises:
        InputError: there are no RoI mask probabilities or no semantic logits.
    """

    def __init__(
        self, heads: HeadOutputs, order: Order, rule: HasOverlapThreshold, who: str, *, within_category: bool
    ):
        self._instances = heads.instances
        check_probabilities(self._instances, who)
        self.channels = Channels.of(heads, who)
        threshold_of = rule.overlap_threshold_for
        self._kept, self._dropped = _uncovered(self._instances, order.ranked, threshold_of, within_category)
        self.stuff, self.stuff_labels = self.channels.largest(self.channels.stuff)
        size, device = self.stuff.shape, self.stuff.device
        self.winner = torch.zeros(size, dtype=torch.int32, device=device)
        self.is_boxed = torch.zeros(size, dtype=torch.bool, device=device)
        self.best = torch.empty(size, dtype=torch.float64, device=device)

    def entrants(self) -> Iterator[Entrant]:
        """The instances that take part, best first.

        Raises:
            InputError: no channel means the category of an instance, or things.
        """
        for place, index in enumerate(self._kept, start=1):
            soft = inside_box(self._instances, index)
            channels = self.channels.of_thing(self._instances.category_ids[index])
            semantic, _ = self.channels.largest(channels, soft.window)
            yield Entrant(place, soft.window, torch.logit(soft.values.double(), eps=MASK_EPSILON), semantic.double())

    def enter(self, entrant: Entrant, values: Tensor) -> None:
        """Lets an instance compete inside its box, with (h, w) float64 values."""
        best, is_boxed = self.best[entrant.window], self.is_boxed[entrant.window]
        best.copy_(best.where(is_boxed, self.stuff[entrant.window].double()))
        wins = values > best
        best.copy_(values.where(wins, best))
        winner = self.winner[entrant.window]
        winner += (entrant.place - winner) * wins
        is_boxed.fill_(True)

    def claim(self, winner: Tensor) -> Claim:
        """Gives each pixel to the instance that won it; one that won no pixel is dropped as ``outvoted``.

        Args:
            winner: (H, W) int32, such as :attr:`winner`.
        """
        kept = self._kept
        counts = id_areas(winner, len(kept))
        areas = {index: counts[place] for place, index in enumerate(kept, start=1) if counts[place]}
        outvoted = {index: "outvoted" for index in kept if index not in areas}
        places = [place for place, index in enumerate(kept, start=1) if index in areas]
        return Claim(renumbered(winner, places, len(kept)), areas, {**self._dropped, **outvoted})


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


def _uncovered(
    instances: InstanceSet, ranked: Sequence[int], threshold_of: Callable[[int], float], within_category: bool
) -> Tuple[List[int], Dict[int, str]]:
    """Leaves out instances that lie mostly under better ones, which count if they are not left out.

    Args:
        instances: the things found.
        ranked: places in the input, best first.
        threshold_of: the fraction of its mask that may lie under better ones, by category id;
            compared in float64.
        within_category: True if only those of its own category count.

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
