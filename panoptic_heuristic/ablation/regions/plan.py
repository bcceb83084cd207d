"""PQ counts of many pipelines at once, from the regions of an image: the integers of scoring pixel by pixel.

Shape legend: S pipelines, C categories in the order of the data set's list, R of them that the image's instances or
labels have, Q of them stuff that the labels hold; D outcomes of a claim, K prefixes of the ranking.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.after_claim import Candidates, settle
from panoptic_heuristic.ablation.regions.claims import distinct_claims
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff
from panoptic_heuristic.ablation.regions.families import Family, families_beside, families_of
from panoptic_heuristic.ablation.regions.passes import Passes, passes_of
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import Pipeline

# So many passes of the claim are made at once, for the sake of memory.
_MOST_PASSES = 1024
# And so many outcomes of them with a prefix of the ranking are settled at once.
_MOST_OUTCOMES = 8192


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """The counts of one image under S pipelines.

    Attributes:
        places: (R,) int64, categories by their place in the data set's list, ascending. Others have no counts.
        values: (3, R, S) int64: iou_sum, TP and FP.
    """

    places: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class SettingsPlan:
    """Pipelines to be counted together. Get one from :meth:`of`; it serves all images.

    Attributes:
        families: the pipelines, sorted by their rules.
        categories: the data set's.
        size: S, the number of pipelines.
    """

    families: Tuple[Family, ...]
    categories: Categories
    size: int

    @classmethod
    def of(cls, pipelines: Sequence[Pipeline], categories: Categories) -> "SettingsPlan":
        """Plans for pipelines.

        Args:
            pipelines: exact on regions.
            categories: the data set's.

        Raises:
            ParameterError: a value of a pipeline is for a category that is unknown or of the wrong kind.
        """
        for pipeline in pipelines:
            pipeline.check_categories(categories)
        return cls(families_of(pipelines, categories), categories, len(pipelines))

    def varied(self, category_id: int, values: Sequence[Tuple[float, float]]) -> "SettingsPlan":
        """A plan for one pipeline with other thresholds of one thing category, as many times as there are values.

        Checking and sorting a pipeline for each would take longer than counting them.

        Args:
            category_id: of the thing.
            values: S pairs: the score that its instances need, and the fraction of them that may be claimed already,
                1 where the claim does not ask.
        """
        assert self.size == 1, "one pipeline can be varied"
        scores, overlaps = zip(*values, strict=True)
        family = self.families[0].varied(self.categories.place_of[category_id], scores, overlaps)
        return SettingsPlan((family,), self.categories, len(values))

    @classmethod
    def beside(cls, plans: "Sequence[SettingsPlan]") -> "SettingsPlan":
        """The pipelines of plans for the same categories, one plan's after the other's."""
        sizes = [plan.size for plan in plans]
        return cls(families_beside([plan.families for plan in plans], sizes), plans[0].categories, sum(sizes))

    @property
    def island_area_fractions(self) -> Tuple[float, ...]:
        """The values that the pipelines have, ascending: :meth:`count` needs regions of each."""
        return tuple(sorted({family.rules.island_area_fraction for family in self.families}))

    @property
    def asks_best_stuff(self) -> bool:
        """True if regions must be told apart by their best stuff."""
        return any(asks_best_stuff(family.rules) for family in self.families)

    def read(self, store: RegionStore, image_id: ImageId, fingerprint: Optional[str] = None) -> Tuple[Regions, ...]:
        """The regions of an image that :meth:`count` needs, or any; arguments are those of :meth:`RegionStore.read`.

        Raises:
            InputError: the predictions or the ground truth are missing or damaged.
        """
        return tuple(
            store.read(
                image_id,
                with_best_stuff=self.asks_best_stuff,
                island_area_fraction=fraction,
                fingerprint=fingerprint,
            )
            for fraction in self.island_area_fractions or (0.0,)
        )

    def count(self, *regions: Regions) -> ImageCounts:
        """Counts one image under all pipelines.

        Args:
            regions: of the image, one for each of :attr:`island_area_fractions`, told apart by their best stuff if
                :attr:`asks_best_stuff`.

        Raises:
            InputError: what a rule needs is not known of the image, or a category is unknown.
        """
        regions_of = {one.island_area_fraction: one for one in regions}
        places = regions[0].instance_places(self.categories)
        # The last one is that of NO_CATEGORY.
        is_there = np.zeros(len(self.categories) + 1, dtype=bool)
        is_there[places] = True
        for one in regions:
            is_there[one.semantic] = True
        present = np.flatnonzero(is_there[:-1])
        counts = ImageCounts(present, np.zeros((3, len(present), self.size), dtype=np.int64))
        for family in self.families:
            ranking = family.rank(regions_of[family.rules.island_area_fraction], places)
            for passes in passes_of(family, ranking, places[ranking.ranked]):
                _enter_passes(counts, family, passes, self.categories)
        return counts


def _enter_passes(counts: ImageCounts, family: Family, passes: Passes, categories: Categories) -> None:
    """Enters the counts of the pipelines that some passes of the claim answer."""
    regions, ranked = passes.ranking.regions, passes.ranking.ranked
    at_once = max(1, min(_MOST_PASSES, _MOST_OUTCOMES // len(passes.prefixes)))
    for first in range(0, len(passes), at_once):
        chosen = slice(first, first + at_once)
        takes_part = None if passes.takes_part is None else passes.takes_part[:, chosen]
        claims, equal = distinct_claims(
            family.rules.claim, regions, ranked, passes.overlap_thresholds[:, chosen], takes_part
        )
        candidates = settle(regions, categories, family.rules, claims, passes.prefixes)

        own = np.flatnonzero((first <= passes.of_pipeline) & (passes.of_pipeline < first + at_once))
        # Each pipeline's outcome of the claim and prefix, among all D * K.
        at = equal[passes.of_pipeline[own] - first] * len(passes.prefixes) + passes.prefix[own]
        columns = family.numbers[passes.pipelines[own]]
        things = _things_of_categories(candidates, passes)
        counts.values[_cells(counts, passes.present, columns)] = things.take(at, axis=2)
        limits = family.stuff_limits(regions.area)[family.limit[passes.pipelines[own]]]
        stuff = _stuff_within(candidates, limits[:, candidates.stuff], at)
        counts.values[_cells(counts, candidates.stuff, columns)] = stuff


def _things_of_categories(candidates: Candidates, passes: Passes) -> np.ndarray:
    """(3, things, D * K) int64, the counts of each category of the ranked instances, after each prefix."""
    of_instances = candidates.things.counts()
    outcomes, ranks = of_instances.shape[1:]
    # Instances of a category beside each other, best first, so that what is up to a rank is a difference of sums.
    order = passes.places.argsort(kind="stable")
    up_to = np.zeros((3, outcomes, ranks + 1), dtype=np.int64)
    of_instances.take(order, axis=2).cumsum(axis=2, out=up_to[:, :, 1:])
    starts = np.searchsorted(passes.places[order], passes.present)
    # (things, K): how many of each category are among the first ranks.
    among = (passes.places[:, None] == passes.present).cumsum(axis=0)
    among = np.append(np.zeros((1, len(passes.present)), np.int64), among, axis=0)[passes.prefixes].T
    counts = up_to[:, :, starts[:, None] + among] - up_to[:, :, starts, None]
    return counts.transpose(0, 2, 1, 3).reshape(3, len(passes.present), outcomes * len(passes.prefixes))


def _stuff_within(candidates: Candidates, limits: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The counts of the stuff that is large enough.

    Args:
        candidates: of an image.
        limits: (s, Q), those of some pipelines.
        at: (s,) the place of each among the D * K.

    Returns:
        (3, Q, s) int64.
    """
    outcomes, prefixes, count = candidates.counted.shape
    stays = candidates.counted.reshape(outcomes * prefixes, count)[at] >= limits
    counts = candidates.stuff_outcomes.counts().reshape(3, outcomes * prefixes, count)
    return (counts[:, at] * stays).transpose(0, 2, 1)


def _cells(counts: ImageCounts, places: np.ndarray, columns: np.ndarray) -> tuple:
    """The index of the counts of some categories and pipelines, the latter ascending."""
    rows = np.searchsorted(counts.places, places)
    # A slice of all takes a tenth of the time.
    is_all = len(columns) == counts.values.shape[2]
    return (slice(None), rows) if is_all else (slice(None), rows[:, None], columns)
