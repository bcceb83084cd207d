"""The border between Detectron2's contiguous ids and dataset category ids.

Detectron2's heads number things from 0 and semantic labels from 0, so the two overlap and only
``isthing`` tells them apart. The core knows dataset ids only; this file converts.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from detectron2.data import MetadataCatalog
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.formats.class_order import DEFAULT_ORDER, ClassOrder
from panoptic_heuristic.formats.label_divisor import decode_label_divisor

THINGS_LABEL = 0
"""The semantic label of all things together in a Panoptic FPN ("separated" in Detectron2)."""

DEFAULT_LABEL_DIVISOR = 1000
"""Where a data set's metadata have none."""

THINGS_LABEL_DATASET_ID = -1
"""Detectron2 wants a dataset id for that label too; -1 cannot be a category."""

THINGS_NAME, _THINGS_COLOR = "things", (82, 18, 128)


@dataclass(frozen=True)
class ContiguousIds:
    """The dataset category that each output channel of a head means.

    Attributes:
        categories: the data set's categories.
        things: dataset id per class of the instance head.
        labels: dataset id per channel of the semantic head; None for the collapsed things.
        from_dataset: False if no data set is known and the dataset ids are made up.
    """

    categories: Categories
    things: Tuple[int, ...]
    labels: Tuple[Optional[int], ...]
    from_dataset: bool = True

    @classmethod
    def of_categories(
        cls, categories: Categories, order: ClassOrder = DEFAULT_ORDER, where: str = "categories"
    ) -> "ContiguousIds":
        """The numbering of a Panoptic FPN: things in order, stuff in order after the things label.

        Args:
            categories: of the data set.
            order: theirs; semantic labels follow the list of :attr:`categories`, which gets it, too.
            where: the file that the order stands in, for messages.

        Raises:
            InputError: the order is not one of these categories.
        """
        things, stuff = order.applied(categories, where)
        ordered = categories if order == DEFAULT_ORDER else Categories([*things, *stuff])
        labels = (None, *(category.id for category in stuff))
        return cls(ordered, tuple(category.id for category in things), labels)

    @classmethod
    def of_counts(cls, num_things: int, num_labels: int) -> "ContiguousIds":
        """Made-up ids, for a model whose data set is not registered.

        Args:
            num_things: classes of the instance head.
            num_labels: channels of the semantic head, the things label included.
        """
        categories = Categories.from_lists(
            [f"thing {i}" for i in range(num_things)], [f"stuff {i}" for i in range(1, num_labels)]
        )
        ids = cls.of_categories(categories)
        return cls(ids.categories, ids.things, ids.labels, from_dataset=False)

    @classmethod
    def of_dataset(cls, name: str) -> "ContiguousIds":
        """The numbering of a data set that is registered with its panoptic metadata.

        Args:
            name: in Detectron2's ``MetadataCatalog``.

        Raises:
            InputError: nothing has registered it, or not as a panoptic data set.
        """
        ids = cls.of_metadata(MetadataCatalog.get(name))
        if ids is None:
            raise InputError(
                f"the data set {name} has no panoptic metadata; register it before, with "
                "thing_dataset_id_to_contiguous_id and stuff_dataset_id_to_contiguous_id"
            )
        return ids

    @classmethod
    def of_metadata(cls, metadata: Any) -> Optional["ContiguousIds"]:
        """Reads Detectron2's panoptic metadata; None if it holds none.

        Args:
            metadata: what ``MetadataCatalog.get(name)`` gives.
        """
        thing_of = getattr(metadata, "thing_dataset_id_to_contiguous_id", None)
        label_of = getattr(metadata, "stuff_dataset_id_to_contiguous_id", None)
        if not thing_of or not label_of:
            return None
        # The collapsed label has a dataset id in the metadata, but a name no category has.
        names = metadata.stuff_classes
        stuff_of = {
            dataset_id: label
            for dataset_id, label in label_of.items()
            if dataset_id not in thing_of and not (label == THINGS_LABEL and names[label] == THINGS_NAME)
        }
        things = [
            Category(dataset_id, metadata.thing_classes[index], True, _color(metadata, "thing_colors", index))
            for dataset_id, index in thing_of.items()
        ]
        stuff = [
            Category(dataset_id, names[label], False, _color(metadata, "stuff_colors", label))
            for dataset_id, label in stuff_of.items()
        ]
        labels: List[Optional[int]] = [None] * len(names)
        for dataset_id, label in stuff_of.items():
            labels[label] = dataset_id
        in_order = sorted(thing_of, key=thing_of.get)
        return cls(Categories(things + stuff), tuple(in_order), tuple(labels))

    def to_metadata(self) -> Dict[str, Any]:
        """The entries of Detectron2's metadata for a data set with these ids."""
        things = [self.categories[i] for i in self.things]
        stuff = [self.categories[i] for i in self.labels if i is not None]
        return {
            "thing_classes": [category.name for category in things],
            "thing_colors": [list(category.color) for category in things],
            "thing_dataset_id_to_contiguous_id": {category.id: i for i, category in enumerate(things)},
            "stuff_classes": [THINGS_NAME] + [category.name for category in stuff],
            "stuff_colors": [list(_THINGS_COLOR)] + [list(category.color) for category in stuff],
            "stuff_dataset_id_to_contiguous_id": {
                THINGS_LABEL_DATASET_ID: THINGS_LABEL,
                **{category.id: i for i, category in enumerate(stuff, start=1)},
            },
        }

    def to_contiguous(self, segments_info: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
        """Copies of segments with contiguous ids, as Detectron2's models return them."""
        label_of = {dataset_id: label for label, dataset_id in enumerate(self.labels) if dataset_id is not None}
        class_of = {dataset_id: index for index, dataset_id in enumerate(self.things)}
        return [
            {**segment, "category_id": (class_of if segment["isthing"] else label_of)[segment["category_id"]]}
            for segment in segments_info
        ]

    def read_prediction(
        self, panoptic_seg: Tensor, segments_info: Optional[Sequence[Mapping[str, Any]]], label_divisor: int
    ) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
        """A model's ``panoptic_seg`` in either map format, with dataset ids.

        Args:
            panoptic_seg: (H, W) integer tensor on any device. Not changed.
            segments_info: its segments with contiguous ids, or None for a label-divisor map.
            label_divisor: of a label-divisor map.

        Returns:
            (H, W) integers with 0 for void, and the segments.

        Raises:
            InputError: the label-divisor map holds a value that is no code.
        """
        panoptic_map = panoptic_seg.cpu().numpy()
        if segments_info is None:
            return decode_label_divisor(panoptic_map, label_divisor, self.things)
        return panoptic_map, self.to_dataset(segments_info)

    def to_dataset(self, segments_info: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
        """Copies of a model's segments with dataset ids."""
        return [
            {**segment, "category_id": (self.things if segment["isthing"] else self.labels)[segment["category_id"]]}
            for segment in segments_info
        ]


def _color(metadata: Any, key: str, index: int) -> Tuple[int, int, int]:
    colors = getattr(metadata, key, None)
    return tuple(colors[index]) if colors else (128, 128, 128)
