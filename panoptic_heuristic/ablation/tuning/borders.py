"""A border rule, tried once the global thresholds and the size of islands are found.

Regions know nothing of borders and photos, so that with the rule each image is fused and scored pixel by pixel.
"""

from typing import Dict, Generator, List, Mapping, Sequence

from panoptic_heuristic.ablation.tuning.counters import Counter, pq_of_each, raise_failed
from panoptic_heuristic.ablation.tuning.settings import BASELINES
from panoptic_heuristic.fusion import Pipeline

NO_BORDER = "none"
BORDER = "guided_filter"
"""The rule that is tried, with its default parameters: on photographs it helps, and it leaves things as they are."""


def try_borders(
    pipelines: Sequence[Pipeline], images: Sequence[Sequence[int]], counter: Counter, with_photos: Counter
) -> Generator[None, None, List[Dict[str, float]]]:
    """PQ in percent of each pipeline by the name of its border rule, :data:`NO_BORDER` and :data:`BORDER`.

    Args:
        pipelines: without a border rule.
        images: that each of them is tuned on, by place.
        counter: of the images.
        with_photos: another one, for rules that look at photos.

    Yields:
        After each step of a counter.

    Raises:
        InputError: an image cannot be fused by the rule.
    """
    without = yield from pq_of_each(pipelines, images, counter)
    tried = yield from pq_of_each([one.replaced({"border": BORDER}) for one in pipelines], images, with_photos)
    raise_failed(with_photos)
    return [{NO_BORDER: 100 * one, BORDER: 100 * other} for one, other in zip(without, tried, strict=True)]


def chosen_border(pq: Mapping[str, float]) -> str:
    """The rule of the highest PQ; none if no other is better."""
    return max(pq, key=pq.__getitem__)


def with_border(pipelines: Mapping[str, Pipeline], border: str) -> Dict[str, Pipeline]:
    """The same with a border rule in each that was tuned, by name."""
    return {
        name: one if name in BASELINES else one.replaced({"border": border}) for name, one in pipelines.items()
    }
