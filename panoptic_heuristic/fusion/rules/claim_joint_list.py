"""Stuff is masks too: one list of things and stuff, pasted one after the other."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Container, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import torch

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, OverlapThresholds
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instances import Crop
from panoptic_heuristic.fusion.label_probabilities import mean_probabilities
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.rules.claim_greedy import drop_reason
from panoptic_heuristic.fusion.semantics import SemanticMap
from panoptic_heuristic.fusion.stuff import labels_of_stuff


@CLAIM_REGISTRY.register("joint_list")
@dataclass(frozen=True)
class JointList(OverlapThresholds):
    """Things and stuff take free pixels in one common order; each kind has its own thresholds.

    Panoptic SegFormer (Li et al., CVPR 2022) and kMaX-DeepLab (Yu et al., ECCV 2022) merge their
    masks this way; here those of stuff are the pixels whose semantic label means a category. Their
    key is the mean probability of these labels, by the softmax over all channels; things have the
    keys of the order stage. The highest key comes first, of equal ones things before stuff, by rank
    and by label. With fractions and means in float64, a candidate is
    dropped as

    - ``score``, before all others, if it is stuff whose key is below ``stuff_score_thresh``,
    - ``empty`` if it is a thing without a pixel,
    - ``overlap`` if the fraction of its mask claimed before exceeds the threshold of its kind,
    - ``covered`` if that leaves it no pixel.

    Otherwise it takes its free pixels, stuff for good, too: a later thing does not get them. What
    dropped stuff leaves is free for later things and then void. Under things, the labels of stuff
    that stays still count for the veto, and fill what it takes back. Area limits come later, in the
    stuff stage. Without semantics this is the greedy rule.

    Attributes:
        overlap_threshold: of things, in [0, 1].
        stuff_overlap_threshold: of stuff, in [0, 1].
        stuff_score_thresh: in [0, 1].
        overlap_threshold_of: for instances of single categories, in place of ``overlap_threshold``;
            keys are dataset category ids of things.

    Raises:
        InputError: a value is out of its interval.
    """

    overlap_threshold: float = 0.5
    stuff_overlap_threshold: float = 0.2
    stuff_score_thresh: float = 0.25
    overlap_threshold_of: Mapping[int, float] = field(default_factory=dict)

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.LOGITS})

    def __post_init__(self):
        super().__post_init__()
        for name in ("stuff_overlap_threshold", "stuff_score_thresh"):
            check_number(name, getattr(self, name), 0, 1)

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`.

        Raises:
            InputError: there is stuff, but no logits, one is not finite, or its label has no channel.
        """
        instances, semantics = heads.instances, heads.semantics
        labels_of = {} if semantics is None else labels_of_stuff(semantics, heads.categories)
        keys = self._stuff_keys(semantics, labels_of, order) if labels_of else {}
        panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32, device=instances.device)
        ids, is_free = quick(panoptic_seg), quick(torch.ones_like(panoptic_seg, dtype=torch.bool))
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        dropped_stuff = {one: "score" for one, key in keys.items() if key < self.stuff_score_thresh}
        for candidate in self._listed(instances.category_ids, order, keys, dropped_stuff):
            isthing, which = candidate.isthing, candidate.which
            crop = instances.crop(which) if isthing else Crop(0, 0, semantics.having(labels_of[which]))
            window, mask = crop.window, quick(crop.mask)
            free = mask & is_free[window]
            area, free_area = _count(mask), _count(free)
            reason = drop_reason(area, free_area, candidate.threshold)
            if reason is not None:
                (dropped if isthing else dropped_stuff)[which] = reason
                continue
            is_free[window] ^= free
            if isthing:
                areas[which] = free_area
                ids[window] += len(areas) * free
        return Claim(panoptic_seg, areas, dropped, _without(semantics, dropped_stuff), dropped_stuff)

    def _stuff_keys(
        self, semantics: SemanticMap, labels_of: Mapping[int, Sequence[int]], order: Order
    ) -> Dict[int, float]:
        """The key of each stuff category, or what compares as it does."""
        others = (self.stuff_score_thresh, *order.keys)
        return mean_probabilities(semantics, labels_of, "the claim rule joint_list", compared_with=others)

    def _listed(
        self,
        category_ids: Sequence[int],
        order: Order,
        stuff_keys: Mapping[int, float],
        dropped: Container[int],
    ) -> List["_Candidate"]:
        thresholds = (self.overlap_threshold_for(category_ids[one]) for one in order.ranked)
        listed = [
            _Candidate(key, True, index, threshold)
            for key, index, threshold in zip(order.keys, order.ranked, thresholds, strict=True)
        ]
        listed += [
            _Candidate(key, False, one, self.stuff_overlap_threshold)
            for one, key in stuff_keys.items()
            if one not in dropped
        ]
        # Sorting is stable: things come before stuff of the same key.
        return sorted(listed, key=lambda candidate: -candidate.key)


class _Candidate(NamedTuple):
    """One entry of the list: ``which`` is the place in the input of a thing, and the category id of stuff."""

    key: float
    isthing: bool
    which: int
    threshold: float


def _count(mask: Any) -> int:
    """The pixels of a mask."""
    return int(np.count_nonzero(mask)) if isinstance(mask, np.ndarray) else int(mask.count_nonzero())


def _without(semantics: Optional[SemanticMap], dropped_stuff: Mapping[int, str]) -> Optional[SemanticMap]:
    """The labels, of which those of dropped stuff mean none now; None if that changes nothing."""
    if not dropped_stuff:
        return None
    # Stuff that stays has all its pixels but those of things, so labels need not change.
    meaning = {
        label: None if category_id in dropped_stuff else category_id
        for label, category_id in semantics.label_to_category.items()
    }
    return semantics.with_labels(semantics.labels, meaning)
