"""The meaning of a semantic head's labels."""

from typing import Dict, Iterable, Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.categories import is_integer
from panoptic_heuristic.formats.files import PathLike, read_json

LabelMeaning = Mapping[int, Optional[int]]
"""For each semantic label the dataset category id it means, or None if it is no stuff."""


def label_meaning(path: Optional[PathLike], no_labels: Iterable[int], categories: Categories) -> LabelMeaning:
    """The meaning of each label.

    Args:
        path: a JSON list, or an object whose keys are labels, of category ids and nulls; None if labels are
            category ids.
        no_labels: further labels, that are no stuff.
        categories: the data set's categories.

    Raises:
        InputError: a label is no whole number, or means neither a category nor null; or one of ``no_labels`` means a
            category.
    """
    meaning: Dict[int, Optional[int]] = {category_id: category_id for category_id in categories}
    if path is not None:
        meaning = _read_meaning(path, categories)
    for label in no_labels:
        if meaning.get(label) is not None:
            raise InputError(
                f"--no-label {label} is the label of category {meaning[label]}; "
                "say what every label means with --label-to-category"
            )
        meaning[label] = None
    return meaning


def _read_meaning(path: PathLike, categories: Categories) -> Dict[int, Optional[int]]:
    data = read_json(path)
    if not isinstance(data, (list, dict)):
        raise InputError(f"{path}: expected a list, or an object from label to category id, got {data!r}")
    meaning: Dict[int, Optional[int]] = {}
    for label, category_id in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(label, str) and not (label.isascii() and label.isdecimal()):
            raise InputError(f"{path}: label {label!r} must be a whole number >= 0")
        if category_id is not None and not (is_integer(category_id) and category_id in categories):
            raise InputError(f"{path}: label {label} means category {category_id!r}, which is not among the categories")
        meaning[int(label)] = category_id
    return meaning
