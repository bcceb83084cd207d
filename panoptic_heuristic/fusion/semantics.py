"""What a semantic head found: one label per pixel, and which label means which category."""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.instances import as_tensor

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
        logits: (C, H, W) floating point, for the rules that need more than labels.

    Attributes:
        areas: label -> number of pixels, for the labels that occur, ascending.

    Raises:
        InputError: wrong shape or dtype, or a label in the map that ``label_to_category`` lacks.
    """

    def __init__(
        self,
        labels: Any,
        label_to_category: Union[Mapping[int, Optional[int]], Sequence[Optional[int]]],
        logits: Optional[Any] = None,
    ):
        self.labels: Tensor = as_tensor(labels)
        if self.labels.ndim != 2 or self.labels.is_floating_point() or self.labels.dtype == torch.bool:
            raise InputError(
                f"semantic labels must be (H, W) integers, got {tuple(self.labels.shape)} {self.labels.dtype}"
            )
        if not self.labels.numel():
            raise InputError(f"semantic labels must have at least one pixel, got {tuple(self.labels.shape)}")
        pairs = label_to_category.items() if isinstance(label_to_category, Mapping) else enumerate(label_to_category)
        self.label_to_category: Dict[int, Optional[int]] = {int(label): category for label, category in pairs}
        self.logits: Optional[Tensor] = None if logits is None else as_tensor(logits)
        if self.logits is not None and tuple(self.logits.shape[1:]) != self.image_size:
            raise InputError(f"logits are {tuple(self.logits.shape)}, but the labels {self.image_size}")
        self.areas = self._count_known_labels()

    @property
    def image_size(self) -> Tuple[int, int]:
        """(H, W) in pixels."""
        return tuple(self.labels.shape)

    @property
    def device(self) -> torch.device:
        """Where the labels are."""
        return self.labels.device

    def count(self, where: Optional[Tensor] = None) -> Dict[int, int]:
        """Pixels per label.

        Args:
            where: (H, W) bool: the pixels to count; None for all.

        Returns:
            label -> number of pixels, for the labels that occur there, ascending.
        """
        labels = self.labels.flatten() if where is None else self.labels.masked_select(where)
        counts = torch.bincount(labels.long()).tolist()
        return {label: count for label, count in enumerate(counts) if count}

    def look_up(self, value_of_label: Mapping[int, int]) -> Tensor:
        """Replaces labels by values.

        Args:
            value_of_label: the new value of a label; labels it lacks become 0.

        Returns:
            (H, W) int32.
        """
        table = torch.zeros(max([*self.areas, *value_of_label]) + 1, dtype=torch.int32)
        for label, value in value_of_label.items():
            table[label] = value
        # Indexing with the whole map takes six times as long on the CPU.
        return table.to(self.device).index_select(0, self.labels.flatten().long()).view(self.image_size)

    def _count_known_labels(self) -> Dict[int, int]:
        low, high = int(self.labels.min()), int(self.labels.max())
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
