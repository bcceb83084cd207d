"""The check that what is fused belongs together."""

from typing import Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.semantics import SemanticMap


def check_inputs(instances: InstanceSet, semantics: Optional[SemanticMap], categories: Categories) -> None:
    """Raises if the outputs of the two heads, and the categories, do not fit each other.

    Raises:
        InputError: instances and semantics differ in size or device, an instance's category is
            unknown or stuff, or a label means a category that is unknown.
    """
    for index, category_id in enumerate(instances.category_ids):
        if category_id not in categories:
            raise InputError(f"instance {index} has category {category_id}, which is not among the categories")
        if not categories[category_id].isthing:
            raise InputError(f"instance {index} has category {category_id}, which is stuff; instances are things")
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
