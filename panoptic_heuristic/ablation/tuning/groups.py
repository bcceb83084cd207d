"""Groups of images that must not be parted, such as the frames of one video.

Frames of a video are nearly alike: tuned on some and reported on others, a gain would be that on images which were
tuned on. So a group is tuned on as a whole or held out as a whole, and intervals and standard errors take it as one.

Forms of groups, as text::

    column:NAME    images whose entries in the ground truth's JSON have the same value of this key
    name:PATTERN   images whose names give the same texts for the pattern's groups, such as name:(.*)_[0-9]+
    blocks:N       N images that follow each other by their names, of one cache
"""

import re
from collections.abc import Iterable
from typing import Any, Callable, Dict, Hashable, List, Optional, Sequence, Tuple, TypeVar, Union

from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.tuning.pool import ImagePool
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import read_json

Groups = Union[str, Sequence[Hashable]]
"""A text, see above, or a label for each image of a pool: those of equal labels are one group."""

_Summed = TypeVar("_Summed")


def group_numbers(groups: Groups, pool: ImagePool) -> Tuple[int, ...]:
    """The number of each image's group, from 0, in the order in which groups first occur.

    Args:
        groups: which images belong together.
        pool: the images.

    Raises:
        InputError: the groups have none of the forms, the pattern is none or does not match a name, a column is missing
            or holds lists, or there are more or fewer labels than images.
    """
    if not isinstance(groups, Iterable):
        raise InputError(f"groups must be column:NAME, name:PATTERN, blocks:N or a list of labels, got {groups!r}")
    labels = _labels(groups, pool) if isinstance(groups, str) else list(groups)
    if len(labels) != len(pool.images):
        raise InputError(f"groups must have a label for each of the {len(pool.images)} images, got {len(labels)}")
    numbers: Dict[Hashable, int] = {}
    return tuple(numbers.setdefault(label, len(numbers)) for label in labels)


def sums_of_groups(values: Sequence[_Summed], groups: Sequence[int]) -> List[_Summed]:
    """The sum of the values of each group, in the order in which groups first occur."""
    sums: Dict[int, Any] = {}
    for value, group in zip(values, groups, strict=True):
        sums[group] = sums[group] + value if group in sums else value
    return list(sums.values())


def _labels(text: str, pool: ImagePool) -> List[Hashable]:
    kind, colon, value = text.partition(":")
    if kind not in _FORMS or not (colon and value):
        raise InputError(f"groups must be column:NAME, name:PATTERN or blocks:N, got {text!r}")
    return [label for number, store in enumerate(pool.stores) for label in _FORMS[kind](value, store, number)]


def _columns(name: str, store: RegionStore, number: int) -> List[Hashable]:
    value_of = {image["id"]: image.get(name) for image in read_json(store.gt.path)["images"]}
    for image_id in store.image_ids:
        value = value_of[image_id]
        if value is None:
            raise InputError(f"image {image_id} in {store.gt.path} has no {name!r}, which is to name its group")
        if isinstance(value, (list, dict)):
            raise InputError(f"{name!r} of image {image_id} in {store.gt.path} is no text or number: {value!r}")
    return [value_of[image_id] for image_id in store.image_ids]


def _patterns(pattern: str, store: RegionStore, number: int) -> List[Hashable]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"the pattern {pattern!r} of the groups is no regular expression: {error}") from error
    if not compiled.groups:
        raise InputError(f"the pattern {pattern!r} has no part in brackets to name the group, as in (.*)_[0-9]+")
    labels: List[Hashable] = []
    for image in store.cache.manifest.images:
        match = compiled.search(image.file_name)
        if match is None:
            raise InputError(f"the pattern {pattern!r} of the groups does not match the name {image.file_name}")
        labels.append(match.groups())
    return labels


def _blocks(size: str, store: RegionStore, number: int) -> List[Hashable]:
    if not (size.isascii() and size.isdigit() and int(size)):
        raise InputError(f"groups as blocks:N need a whole number of at least 1, got {size!r}")
    names = [image.file_name for image in store.cache.manifest.images]
    place_of = {k: place for place, k in enumerate(sorted(range(len(names)), key=lambda k: _in_parts(names[k])))}
    return [(number, place_of[k] // int(size)) for k in range(len(names))]


def _in_parts(name: str) -> List[Tuple[int, str]]:
    """Texts and numbers by turns, so that frame 10 comes after frame 9."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


_FORMS: Dict[str, Callable[[str, RegionStore, int], List[Hashable]]] = {
    "column": _columns,
    "name": _patterns,
    "blocks": _blocks,
}


def chosen_groups(groups: Optional[Sequence[int]], places: Sequence[int]) -> Optional[Tuple[int, ...]]:
    """The groups of some images; None if each image is one."""
    return None if groups is None else tuple(groups[place] for place in places)
