"""The counts of each split's pipelines on its images, when all is tuned."""

import functools
from typing import Callable, Generator, List, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.counters import Counter, raise_failed
from panoptic_heuristic.ablation.tuning.result import Tuned
from panoptic_heuristic.ablation.tuning.splits import Split
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline


def all_of(split: Split) -> List[int]:
    """The images of a split, by place."""
    return sorted((*split.tuning, *split.held_out))


def count_splits(
    counter_of: Callable[[Pipeline], Counter], splits: Sequence[Split], tuned: Sequence[Tuned], categories: Categories
) -> Generator[None, None, Tuple[Tuple[SettingCounts, ...], Tuple[SettingCounts, ...]]]:
    """Counts each split's pipelines on its images.

    Args:
        counter_of: gives what counts a pipeline.
        splits: the images.
        tuned: the pipelines of each split.
        categories: the data set's.

    Yields:
        After each step of a counter.

    Returns:
        The counts of each split's own tuning images, and those of each held-out image.

    Raises:
        InputError: a rule needs what is not known of an image.
    """
    all_pipelines = [list(one.pipelines.values()) for one in tuned]
    places = [all_of(split) for split in splits]
    each = yield from _each(counter_of, places, all_pipelines)
    by_place = [dict(zip(of_split, counts, strict=True)) for of_split, counts in zip(places, each, strict=True)]
    zero = SettingCounts.zeros(len(categories), len(all_pipelines[0]))
    return (
        tuple(
            sum((of_place[place] for place in split.tuning), zero)
            for split, of_place in zip(splits, by_place, strict=True)
        ),
        tuple(of_place[place] for split, of_place in zip(splits, by_place, strict=True) for place in split.held_out),
    )


_Part = Tuple[List[int], List[SettingCounts]]
"""Numbers of pipelines, and their counts of each image."""


def _each(
    counter_of: Callable[[Pipeline], Counter], places: Sequence[List[int]], pipelines: Sequence[List[Pipeline]]
) -> Generator[None, None, List[List[SettingCounts]]]:
    """The counts of each image by some pipelines, for each split."""
    parts: List[List[_Part]] = [[] for _ in places]
    for counter in dict.fromkeys(counter_of(one) for of_split in pipelines for one in of_split):
        numbers = [
            [number for number, one in enumerate(of_split) if counter_of(one) is counter] for of_split in pipelines
        ]
        asking = [split for split, some in enumerate(numbers) if some]
        requests = [(places[split], [pipelines[split][number] for number in numbers[split]]) for split in asking]
        found = yield from counter.each(requests)
        raise_failed(counter)
        for split, counts in zip(asking, found, strict=True):
            parts[split].append((numbers[split], counts))
    return [_in_order(of_split) for of_split in parts]


def _in_order(parts: Sequence[_Part]) -> List[SettingCounts]:
    """The counts of each image by all pipelines, by their numbers."""
    order = np.argsort([number for numbers, _ in parts for number in numbers])
    images = zip(*(counts for _, counts in parts), strict=True)
    return [functools.reduce(SettingCounts.beside, of_image).of_settings(order) for of_image in images]
