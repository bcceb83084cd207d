"""The size of islands of the label map, tried once the other global thresholds are found.

Other labels make other regions, which take room in :class:`.images.Memory`, so that only as many sets of them are
there at a time as splits have chosen sizes, and one more.
"""

from typing import Generator, List, Sequence

from panoptic_heuristic.ablation.tuning.counters import RegionCounter, pq_of_each
from panoptic_heuristic.fusion import Pipeline

ISLAND_AREA_FRACTIONS = (0.0, 0.001, 0.002, 0.004, 0.008)
"""The values that are tried."""


def tune_islands(
    pipelines: Sequence[Pipeline], images: Sequence[Sequence[int]], counter: RegionCounter
) -> Generator[None, None, List[Pipeline]]:
    """Gives each pipeline the island size of the highest PQ; its own if no other one is better.

    Args:
        pipelines: exact on regions.
        images: that each of them is tuned on, by place.
        counter: of the images.

    Yields:
        After each step of the counter.

    Returns:
        The pipelines.
    """
    best = list(pipelines)
    highest = yield from pq_of_each(best, images, counter)
    for fraction in ISLAND_AREA_FRACTIONS:
        tried = [one.replaced({"island_area_fraction": fraction}) for one in pipelines]
        if tried == list(pipelines):
            continue
        for number, pq in enumerate((yield from pq_of_each(tried, images, counter))):
            if pq > highest[number]:
                best[number], highest[number] = tried[number], pq
        counter.keep({one.island_area_fraction for one in best})
    return best
