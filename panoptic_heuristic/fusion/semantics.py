"""The semantic labels of one image: one per pixel, and the category that each means."""

import collections.abc
import math
from functools import cached_property
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import listed, whole_number
from panoptic_heuristic.fusion import label_bytes
from panoptic_heuristic.fusion.instance_arguments import as_tensor, extremes
from panoptic_heuristic.fusion.islands import without_islands
from panoptic_heuristic.fusion.probabilities import at_channels, at_pixels, estimates, largest, probabilities

MAX_LABEL = 65535
"""Labels index tables; a larger one is a segment id or a mistake."""


class SemanticMap:
    """The semantic labels of one image.

    Args:
        labels: (H, W) integers, NumPy array or tensor on any device: the argmax over channels.
        label_to_category: for each label the dataset category id it means, or None for a label
            that is no stuff (the collapsed "things" label, "other"). A dict, or a list indexed by
            label. A label may mean a thing category: heads with one channel per thing class.
            Labels that mean the same category are one segment.
        logits: (C, H, W) floating point, one channel per label 0 to C - 1, for the rules that need
            more than labels.
        best_stuff: where logits were not kept: (H, W) the most probable label that means stuff, any
            that ``label_to_category`` lacks where that is not known, and (H, W) bool, whether its
            probability is at least ``best_stuff_floor``.
        best_stuff_floor: see ``best_stuff``.

    Attributes:
        areas: label -> number of pixels, for the labels that occur, ascending.
        labels, label_to_category, logits, best_stuff, best_stuff_floor: as given, as tensors.
        is_numpy: True if the labels came as anything but a tensor.

    Raises:
        InputError: wrong type, shape or dtype, or a label in the map that ``label_to_category`` lacks.
    """

    def __init__(
        self,
        labels: Any,
        label_to_category: Union[Mapping[int, Optional[int]], Sequence[Optional[int]]],
        logits: Optional[Any] = None,
        best_stuff: Optional[Tuple[Any, Any]] = None,
        best_stuff_floor: Optional[float] = None,
    ):
        self.is_numpy = not isinstance(labels, Tensor)
        self.labels: Tensor = as_tensor(labels)
        if self.labels.ndim != 2 or self.labels.is_floating_point() or self.labels.dtype == torch.bool:
            raise InputError(
                f"semantic labels must be (H, W) integers, got {tuple(self.labels.shape)} {self.labels.dtype}"
            )
        if not self.labels.numel():
            raise InputError(f"semantic labels must have at least one pixel, got {tuple(self.labels.shape)}")
        self.label_to_category = _meanings(label_to_category)
        self.logits: Optional[Tensor] = None if logits is None else as_tensor(logits)
        if self.logits is not None:
            if tuple(self.logits.shape[1:]) != self.image_size:
                raise InputError(f"logits are {tuple(self.logits.shape)}, but the labels {self.image_size}")
            if not self.logits.is_floating_point():
                raise InputError(f"logits must be floating point, got {self.logits.dtype}")
        self.best_stuff: Optional[Tuple[Tensor, Tensor]] = None
        if best_stuff is not None:
            if not isinstance(best_stuff, (tuple, list)) or len(best_stuff) != 2:
                raise InputError(f"best_stuff must be a pair of maps, got {type(best_stuff).__name__}")
            self.best_stuff = as_tensor(best_stuff[0]), as_tensor(best_stuff[1])
            for values in self.best_stuff:
                if tuple(values.shape) != self.image_size:
                    raise InputError(f"the best stuff is {tuple(values.shape)}, but the labels {self.image_size}")
        self.best_stuff_floor = best_stuff_floor
        self._largest: Dict[Tuple[int, ...], Tuple[Tensor, Tensor]] = {}
        self.areas = self._count_known_labels()

    @property
    def image_size(self) -> Tuple[int, int]:
        """(H, W) in pixels."""
        height, width = self.labels.shape
        return height, width

    @property
    def device(self) -> torch.device:
        """The device that the labels are on."""
        return self.labels.device

    @property
    def short_labels(self) -> Tensor:
        """The labels, of one byte each where that is known to be enough."""
        return self.labels if self._bytes is None else torch.from_numpy(self._bytes)

    def count(self, where: Optional[Tensor] = None) -> Dict[int, int]:
        """Pixels per label.

        Args:
            where: (H, W) bool: the pixels to count; None for all.

        Returns:
            label -> number of pixels, for the labels that occur there, ascending.
        """
        if self._bytes is not None:
            return label_bytes.counts(self._bytes, None if where is None else where.numpy())
        labels = self.labels.flatten() if where is None else self.labels.masked_select(where)
        return {label: count for label, count in enumerate(torch.bincount(labels.long()).tolist()) if count}

    def labels_of_category(self) -> Dict[int, List[int]]:
        """The labels that occur and mean a category, ascending, by its id; categories by their first label."""
        labels_of: Dict[int, List[int]] = {}
        for label in self.areas:
            category_id = self.label_to_category[label]
            if category_id is not None:
                labels_of.setdefault(category_id, []).append(label)
        return labels_of

    def with_labels(
        self, labels: Tensor, label_to_category: Optional[Mapping[int, Optional[int]]] = None
    ) -> "SemanticMap":
        """Other labels for the same pixels, and all else as it is.

        Args:
            labels: (H, W) integers.
            label_to_category: what they mean; None if that stays, too.
        """
        meaning = self.label_to_category if label_to_category is None else label_to_category
        return SemanticMap(labels, meaning, self.logits, self.best_stuff, self.best_stuff_floor)

    def without_islands(self, area_fraction: float) -> "SemanticMap":
        """Labels whose islands are taken over by what is around them; logits and best stuff stay the head's.

        Worked out on the CPU, whatever device the labels are on.

        Args:
            area_fraction: see :func:`panoptic_heuristic.fusion.islands.without_islands`.

        Returns:
            The map itself if nothing changes.
        """
        labels = self.labels.cpu().numpy() if self._bytes is None else self._bytes
        cleaned = without_islands(labels, area_fraction)
        if cleaned is labels:
            return self
        return self.with_labels(torch.from_numpy(cleaned).to(self.device, self.labels.dtype))

    def channels(self, who: str) -> Tensor:
        """The logits, for a rule that cannot do without.

        Args:
            who: the rule, for the message.

        Returns:
            (C, H, W) float32 or float64, finite.

        Raises:
            InputError: there are none, or one is NaN or infinite.
        """
        if self.logits is None:
            raise InputError(f"{who} needs semantic logits, but there are only labels; give logits, or another rule")
        if not self._logits_are_finite:
            raise InputError(f"{who} needs semantic logits that are finite, but some are NaN or infinite")
        # Half precision rounds sums of probabilities, and the CPU is slow at it.
        return self.logits.float() if self.logits.dtype in (torch.float16, torch.bfloat16) else self.logits

    def label_probabilities(self, where: Tensor, who: str) -> Tensor:
        """The probability of the labels of some pixels, by the softmax over all channels.

        Args:
            where: (H, W) bool: the P pixels.
            who: what asks, for the message.

        Returns:
            (P,) float64 in [0, 1], pixels in row order.

        Raises:
            InputError: there are no logits, one is NaN or infinite, or such a label has no channel.
        """
        logits = at_pixels(self.channels(who), where)
        labels = self.labels.masked_select(where)
        if labels.numel():
            self.check_channel(int(labels.max()), who)
        return probabilities(logits, at_channels(logits, labels))

    def check_channel(self, label: int, who: str) -> None:
        """Raises if a label has no channel of logits.

        Args:
            label: any.
            who: what asks for it, for the message.

        Raises:
            InputError: names the rule, the label, and the number of channels.
        """
        channels = len(self.channels(who))
        if label >= channels:
            raise InputError(
                f"{who} needs logits of every label, but there are {channels} channels and label "
                f"{label}; labels count channels from 0"
            )

    @cached_property
    def label_estimates(self) -> Tensor:
        """(H, W) float32, :func:`panoptic_heuristic.fusion.probabilities.estimates` of the labels, kept once made.

        The logits are finite and on the CPU; a label without a channel has the estimate of the last one.
        """
        logits = self.channels("an estimate")
        labels = self.short_labels
        return estimates(logits, labels if max(self.areas) < len(logits) else labels.clamp(max=len(logits) - 1))

    @cached_property
    def estimated_means(self) -> Dict[int, float]:
        """The mean of :attr:`label_estimates` over the pixels of each label that occurs."""
        totals = np.bincount(self.short_labels.flatten().numpy(), self.label_estimates.flatten().numpy())
        return {label: float(totals[label]) / area for label, area in self.areas.items()}

    def largest(self, channels: Sequence[int]) -> Tuple[Tensor, Tensor]:
        """:func:`panoptic_heuristic.fusion.probabilities.largest` of the logits, which are there, kept once made."""
        key = tuple(channels)
        if key not in self._largest:
            self._largest[key] = largest(self.channels("the largest"), key)
        return self._largest[key]

    @cached_property
    def _logits_are_finite(self) -> bool:
        # Much faster than asking each value; NaN passes through both.
        return all(math.isfinite(extreme) for extreme in torch.stack(self.logits.aminmax()).tolist())

    def having(self, labels: Sequence[int]) -> Tensor:
        """(H, W) bool: the pixels that have one of some labels."""
        if self._bytes is not None and len(labels) == 1:
            return torch.from_numpy(np.equal(self._bytes, labels[0]))
        return self.look_up(dict.fromkeys(labels, 1)).bool()

    def look_up(self, value_of_label: Mapping[int, int]) -> Tensor:
        """Replaces labels by values.

        Args:
            value_of_label: the new value of a label; labels it lacks become 0.

        Returns:
            (H, W) int32.
        """
        if self._bytes is not None:
            return torch.from_numpy(label_bytes.values(self._bytes, value_of_label))
        table = torch.zeros(max([*self.areas, *value_of_label]) + 1, dtype=torch.int32)
        for label, value in value_of_label.items():
            table[label] = value
        # Indexing with the whole map takes six times as long on the CPU.
        return table.to(self.device).index_select(0, self.labels.flatten().long()).view(self.image_size)

    def count_taken(self, panoptic_seg: Tensor) -> Dict[int, int]:
        """:meth:`count` where an (H, W) int32 map is not 0."""
        if self._bytes is None:
            return self.count(panoptic_seg != 0)
        return label_bytes.counts_of_taken(self._bytes, panoptic_seg.numpy())

    def filled(self, panoptic_seg: Tensor, value_of_label: Mapping[int, int]) -> Tensor:
        """A map whose free pixels have the value of their label.

        Args:
            panoptic_seg: (H, W) int32, 0 where free. Not changed.
            value_of_label: see :meth:`look_up`.

        Returns:
            (H, W) int32.
        """
        if self._bytes is None:
            return panoptic_seg + self.look_up(value_of_label) * (panoptic_seg == 0)
        return torch.from_numpy(label_bytes.filled(self._bytes, panoptic_seg.numpy(), value_of_label))

    def _count_known_labels(self) -> Dict[int, int]:
        # An eighth of the memory to read, where labels fit.
        narrowed = label_bytes.narrowed(self.labels.numpy()) if self.device.type == "cpu" else None
        self._bytes, areas = narrowed or (None, {})
        if narrowed is None:
            low, high = extremes(self.labels)
            if low < 0 or high > MAX_LABEL:
                raise InputError(f"semantic labels must be in [0, {MAX_LABEL}], got {low if low < 0 else high}")
            areas = self.count()
        for label in areas:
            if label not in self.label_to_category:
                raise InputError(
                    f"the semantic map holds label {label}, which label_to_category lacks; "
                    "map it to a category, or to None if it is no stuff"
                )
        return areas

    def __repr__(self) -> str:
        height, width = self.image_size
        return f"SemanticMap({height}x{width}, {len(self.areas)} labels, {self.device})"


def _meanings(label_to_category: Any) -> Dict[int, Optional[int]]:
    """The dataset category id of each label, or None."""
    if isinstance(label_to_category, (dict, collections.abc.Mapping)):
        pairs = list(label_to_category.items())
    else:
        pairs = list(enumerate(listed("label_to_category", label_to_category, "{0: None, 1: 21}")))
    return {
        whole_number("a label of label_to_category", label): (
            None if one is None else whole_number("a category id of label_to_category", one)
        )
        for label, one in pairs
    }
