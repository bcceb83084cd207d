"""The reliability of a calibrated probability: predicted against observed true positives on held-out images."""

import functools
from dataclasses import dataclass
from typing import Generator, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counters import RegionCounter
from panoptic_heuristic.ablation.tuning.examples import examples_of
from panoptic_heuristic.fusion import Calibrated, Pipeline

BINS = 10
"""Of equal width, from 0 to 1."""


@dataclass(frozen=True)
class Bin:
    """Instances whose probability is in [low, high), or 1 in the last bin.

    Attributes:
        low, high: the ends.
        instances: the number of them.
        predicted: their mean probability; None without any.
        observed: the part of them that are true positives; likewise.
    """

    low: float
    high: float
    instances: int
    predicted: Optional[float]
    observed: Optional[float]


def count_reliability(
    counter: RegionCounter, requests: Sequence[Tuple[Sequence[int], Pipeline]]
) -> Generator[None, None, Tuple[Bin, ...]]:
    """The bins of all requests together.

    Args:
        counter: of the images.
        requests: places of images, and a pipeline whose calibrated order was fitted to others.

    Yields:
        After each request.
    """
    sums = yield from counter.mapped(functools.partial(_of_request, counter), requests)
    return bins_of(sum(sums, np.zeros((3, BINS))))


def _of_request(counter: RegionCounter, request: Tuple[Sequence[int], Pipeline]) -> np.ndarray:
    places, pipeline = request
    return reliability_sums(counter.chosen(places, pipeline.island_area_fraction), pipeline)


def reliability_sums(images: Sequence[Regions], pipeline: Pipeline) -> np.ndarray:
    """(3, BINS) float64: the number of instances per bin, the sum of their probabilities, and the true positives.

    Args:
        images: others than the probability was fitted to.
        pipeline: its order is calibrated.
    """
    assert isinstance(pipeline.order, Calibrated)
    examples = examples_of(images, pipeline.instances_score_thresh)
    p = pipeline.order.probability(examples.features, examples.category_ids.tolist())
    places = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    return np.stack([np.bincount(places, values, BINS) for values in (np.ones(len(p)), p, examples.labels)])


def bins_of(sums: np.ndarray) -> Tuple[Bin, ...]:
    """The bins that sums of :func:`reliability_sums`, added up, are of."""
    return tuple(
        Bin(
            place / BINS,
            (place + 1) / BINS,
            int(number),
            float(predicted / number) if number else None,
            float(true / number) if number else None,
        )
        for place, (number, predicted, true) in enumerate(sums.T.tolist())
    )
