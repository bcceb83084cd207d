"""The passes of the claim that answer pipelines which differ in thresholds only, on one image.

Shape legend: S pipelines of a family, M ranked instances, P passes, K prefixes of the ranking.
"""

from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.claims import claims_are_prefixes
from panoptic_heuristic.ablation.regions.families import Family
from panoptic_heuristic.ablation.regions.ranking import Ranking
from panoptic_heuristic.ablation.regions.regions import distinct_rows


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes of the claim, and the pipelines that they answer.

    Attributes:
        ranking: of the image.
        places: (M,) int64, the place of each ranked instance's category.
        present: those that occur, ascending.
        overlap_thresholds: (M, P).
        takes_part: (M, P) bool; None if all do.
        prefixes: (K,) int64, ascending: how many of the first ranks are let in after all.
        pipelines: (s,) int64, the pipelines that are answered, by their place in the family.
        of_pipeline: (s,) the pass of each.
        prefix: (s,) the place of its prefix among the K.
    """

    ranking: Ranking
    places: np.ndarray
    present: np.ndarray
    overlap_thresholds: np.ndarray
    takes_part: Optional[np.ndarray]
    prefixes: np.ndarray
    pipelines: np.ndarray
    of_pipeline: np.ndarray
    prefix: np.ndarray

    def __len__(self) -> int:
        return self.overlap_thresholds.shape[1]


def passes_of(family: Family, ranking: Ranking, places: np.ndarray) -> Iterator[Passes]:
    """All passes that the pipelines of a family need.

    Where what a pipeline lets in are the first ranks, and what an instance gets is up to the better ones
    alone, one pass of all answers it. Other pipelines need a pass each, but for those that are alike
    in this image.

    Args:
        family: the pipelines.
        ranking: of the image, with an entry per row of the family's score thresholds.
        places: (M,) the place of each ranked instance's category.
    """
    first, entry = distinct_rows(np.packbits(ranking.takes_part.T, axis=1))
    entries, entry = ranking.takes_part[:, first], entry[family.entry]
    present = np.unique(places)
    overlaps, overlap = family.overlaps(places)
    is_prefix = np.asarray((entries[1:] <= entries[:-1]).all(axis=0)) & claims_are_prefixes(family.rules.claim)

    answered = np.flatnonzero(is_prefix[entry])
    if len(answered):
        prefixes, prefix = _distinct(entries.sum(axis=0)[entry[answered]])
        chosen, of_pipeline = _distinct(overlap[answered])
        thresholds = _columns(overlaps, chosen)
        yield Passes(ranking, places, present, thresholds, None, prefixes, answered, of_pipeline, prefix)
    others = np.flatnonzero(~is_prefix[entry])
    if len(others):
        pairs, of_pipeline = _distinct(entry[others] * overlaps.shape[1] + overlap[others])
        of_entry, of_overlap = np.divmod(pairs, overlaps.shape[1])
        yield Passes(
            ranking,
            places,
            present,
            overlaps[:, of_overlap],
            entries[:, of_entry],
            np.array([len(places)]),
            others,
            of_pipeline,
            np.zeros_like(others),
        )


def _columns(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Some columns; a view where they are all, of which there may be a thousand."""
    return values if len(chosen) == values.shape[1] else values[:, chosen]


def _distinct(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The distinct values, ascending, and the place of each among them."""
    distinct, place_of = np.unique(values, return_inverse=True)
    return distinct, place_of.reshape(-1)
