"""The outputs of the two heads for one image, checked to belong together, as every stage of fusing gets it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, FrozenSet, Optional

import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.instance_arguments import as_tensor
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.semantics import SemanticMap


class Need(Enum):
    """Inputs that a rule may need besides masks, scores and categories. The values are for messages."""

    BOXES = "the boxes of the instance head"
    ROI_PROBABILITIES = "RoI mask probabilities"
    MASK_QUALITY = "the mean mask probability of each instance"
    SEMANTIC_LABELS = "semantic labels"
    THING_LABELS = "semantic labels of single things"
    BEST_STUFF = "the best stuff label of each pixel"
    LOGITS = "semantic logits"
    IMAGE = "the image"


def needs_of(rule: Any) -> FrozenSet[Need]:
    """The needs of a rule of any stage: its attribute ``needs``, nothing if it has none."""
    return frozenset(getattr(rule, "needs", ()))


@dataclass(frozen=True, eq=False)
class HeadOutputs:
    """The input of fusing: an image of H x W pixels.

    Attributes:
        instances: the things found.
        semantics: the semantic labels, or None for no stuff.
        categories: the data set's.
        image: (H, W, 3) uint8 RGB tensor, or None. An array becomes one.

    Raises:
        InputError: instances and semantics differ in size or device, an instance's category is
            unknown or stuff, a label means a category that is unknown, or the image is of another
            size or type.
    """

    instances: InstanceSet
    semantics: Optional[SemanticMap]
    categories: Categories
    image: Optional[Any] = None

    def __post_init__(self):
        check_belongs_together(self.instances, self.semantics, self.categories)
        if self.image is not None:
            image = as_tensor(self.image)
            expected = (*self.instances.image_size, 3)
            if tuple(image.shape) != expected or image.dtype != torch.uint8:
                raise InputError(
                    f"the image must be {expected} uint8, as large as the output, "
                    f"got {tuple(image.shape)} {image.dtype}"
                )
            object.__setattr__(self, "image", image)

    def having(
        self, *, instances: Optional[InstanceSet] = None, semantics: Optional[SemanticMap] = None
    ) -> "HeadOutputs":
        """The same with other instances or semantics; None leaves them."""
        # A set of no instances is false.
        instances = self.instances if instances is None else instances
        semantics = self.semantics if semantics is None else semantics
        if instances is self.instances and semantics is self.semantics:
            return self
        return HeadOutputs(instances, semantics, self.categories, self.image)


def check_instances(instances: Any) -> None:
    """Raises if instances are no :class:`InstanceSet`.

    Raises:
        InputError: names the type that came, and how a set is made.
    """
    example = "InstanceSet.from_bitmaps(masks, scores, category_ids), with no masks where there is no instance"
    check_type("instances", instances, InstanceSet, example)


def check_belongs_together(instances: InstanceSet, semantics: Optional[SemanticMap], categories: Categories) -> None:
    """Raises if the outputs of the two heads, and the categories, do not fit each other.

    Raises:
        InputError: see :class:`HeadOutputs`.
    """
    check_type("categories", categories, Categories, "Categories.from_coco(data['categories'])")
    check_instances(instances)
    if semantics is not None:
        check_type("semantics", semantics, SemanticMap, "SemanticMap(labels, label_to_category), or None for no stuff")
    for category_id in dict.fromkeys(instances.category_ids):
        if category_id in categories and categories[category_id].isthing:
            continue
        who = f"instance {instances.category_ids.index(category_id)} has category {category_id}"
        if category_id not in categories:
            raise InputError(f"{who}, which is not among the categories")
        raise InputError(f"{who}, which is stuff; instances are things")
    if semantics is None:
        return
    if semantics.image_size != instances.image_size:
        raise InputError(
            f"the instances are on {instances.image_size} pixels, the semantic labels on {semantics.image_size}"
        )
    if semantics.device != instances.device:
        raise InputError(f"the instances are on {instances.device}, the semantic labels on {semantics.device}")
    for label, category_id in semantics.label_to_category.items():
        if category_id is not None and category_id not in categories:
            raise InputError(f"label {label} means category {category_id}, which is not among the categories")
