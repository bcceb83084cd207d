"""The images that are tuned on, and those that are held out."""

import numbers
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import ImageId, twin_note

DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The images to tune on and those to count on, by their place in the list of all.

    Attributes:
        tuning: ascending, at least one.
        held_out: ascending; none of them is in ``tuning``. May be empty.
    """

    tuning: Tuple[int, ...]
    held_out: Tuple[int, ...]


def folds_of(images: int, folds: int, seed: int, groups: Optional[Sequence[int]] = None) -> Tuple[Split, ...]:
    """Cuts images into folds at random; the last split tunes on all images, with none held out.

    Args:
        images: how many there are.
        folds: in [2, images], or [2, number of groups].
        seed: equal arguments give equal splits.
        groups: the number of each image's group, from 0, which no fold parts; None if each image is one.

    Raises:
        InputError: ``folds`` is no whole number or out of its interval, or there is one image only.
    """
    group_of = list(range(images)) if groups is None else list(groups)
    units, what = len(set(group_of)), "image" if groups is None else "group"
    if units < 2:
        raise InputError(f"there is {units} {what}; at least two are needed to hold one out")
    if not (isinstance(folds, numbers.Integral) and 2 <= folds <= units):
        raise InputError(f"folds must be a whole number in [2, {units}], the number of {what}s, got {folds!r}")
    drawn = np.random.default_rng(seed).permutation(units)
    everything = tuple(range(images))
    held_out = [set(fold.tolist()) for fold in np.array_split(drawn, folds)]
    splits = (
        Split(
            tuple(k for k in everything if group_of[k] not in fold), tuple(k for k in everything if group_of[k] in fold)
        )
        for fold in held_out
    )
    return (*splits, Split(everything, ()))


def given_split(image_ids: Sequence[ImageId], tuning_ids: Sequence[ImageId]) -> Tuple[Split, ...]:
    """One split: tune on the images that are named, hold out the others.

    Raises:
        InputError: an id is unknown or comes twice, there is none, or no image is left to hold out.
    """
    known = set(image_ids)
    for image_id in tuning_ids:
        if image_id not in known:
            raise InputError(
                f"image {image_id} of the tuning part is not in the cache, which has {len(known)} images"
                f"{twin_note(image_id, known)}"
            )
    chosen = set(tuning_ids)
    if len(chosen) < len(tuning_ids):
        twice = next(image_id for image_id in tuning_ids if list(tuning_ids).count(image_id) > 1)
        raise InputError(f"image {twice} is in the tuning part twice")
    if not 0 < len(chosen) < len(known):
        raise InputError(
            f"the tuning part has {len(chosen)} of {len(known)} images; it needs at least one, and so does the other"
        )
    places = range(len(image_ids))
    return (
        Split(
            tuple(place for place in places if image_ids[place] in chosen),
            tuple(place for place in places if image_ids[place] not in chosen),
        ),
    )


def split_at(tuning: int, images: int) -> Split:
    """Tune on the first images, hold out all that come after them.

    Args:
        tuning: how many are tuned on.
        images: how many there are.
    """
    return Split(tuple(range(tuning)), tuple(range(tuning, images)))


def check_whole(split: Split, groups: Sequence[int], names: Sequence[str]) -> None:
    """Raises if a split parts a group.

    Args:
        split: some of the images.
        groups: the number of each image's group.
        names: what each image is called.

    Raises:
        InputError: names two images of one group.
    """
    first = {groups[place]: place for place in reversed(split.tuning)}
    for place in split.held_out:
        if groups[place] in first:
            raise InputError(
                f"{names[first[groups[place]]]} is to be tuned on and {names[place]} held out, but they are of one "
                "group; put both in one part, or give other groups"
            )
