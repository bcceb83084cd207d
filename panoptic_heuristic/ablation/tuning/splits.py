"""The images that are tuned on, and those that are held out."""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError

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


def folds_of(images: int, folds: int, seed: int) -> Tuple[Split, ...]:
    """Cuts images into folds at random; the last split tunes on all images, with none held out.

    Args:
        images: how many there are.
        folds: in [2, images].
        seed: equal arguments give equal splits.

    Raises:
        InputError: ``folds`` is out of its interval, or there is one image only.
    """
    if images < 2:
        raise InputError(f"there is {images} image; at least two are needed to hold one out")
    if not 2 <= folds <= images:
        raise InputError(f"folds must be in [2, {images}], the number of images, got {folds}")
    drawn = np.random.default_rng(seed).permutation(images)
    everything = tuple(range(images))
    held_out = [set(fold.tolist()) for fold in np.array_split(drawn, folds)]
    splits = (Split(tuple(k for k in everything if k not in fold), tuple(sorted(fold))) for fold in held_out)
    return (*splits, Split(everything, ()))


def given_split(image_ids: Sequence[int], tuning_ids: Sequence[int]) -> Tuple[Split, ...]:
    """One split: tune on the images that are named, hold out the others.

    Raises:
        InputError: an id is unknown or comes twice, there is none, or no image is left to hold out.
    """
    known = set(image_ids)
    for image_id in tuning_ids:
        if image_id not in known:
            raise InputError(f"image {image_id} of the tuning part is not in the cache, which has {len(known)} images")
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
