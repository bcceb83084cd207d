"""The thresholds that every pipeline is tuned in, whatever its rules are, and the values that are tried."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from panoptic_heuristic.fusion import Pipeline, Power

REFERENCE_PIXELS = 640 * 480
"""Size of the images that published area limits are for: that of most images of COCO."""

ZOOMS = 3
"""How often a threshold is searched, each time closer to the best value so far."""

# Even steps for fractions and scores; areas are told apart by ratios.
_SCORES, _OVERLAPS, _AREAS = (0.2, 0.4, 0.6, 0.8), (0.2, 0.5, 0.8), (0.0, 0.003, 0.01, 0.03)
_STEPS, _FACTORS, _FROM_NOTHING = (0.1, 0.05), (1.8, 1.35), (0.001, 0.0005)


@dataclass(frozen=True)
class Threshold:
    """One number of a pipeline.

    Attributes:
        stage: whose rule has it; None if it is the pipeline's own.
        name: of the parameter.
        values: to try, given the best one so far and the zoom, in [0, ZOOMS - 1].
    """

    stage: Optional[str]
    name: str
    values: Callable[[float, int], Tuple[float, ...]]

    def of(self, pipeline: Pipeline) -> float:
        """Its value."""
        return getattr(pipeline if self.stage is None else getattr(pipeline, self.stage), self.name)

    def nearby(self, pipeline: Pipeline, zoom: int) -> Tuple[Pipeline, ...]:
        """The pipeline with each of the values to try."""
        return tuple(self._replaced(pipeline, value) for value in self.values(self.of(pipeline), zoom))

    def _replaced(self, pipeline: Pipeline, value: float) -> Pipeline:
        if self.stage is not None:
            rule = dataclasses.replace(getattr(pipeline, self.stage), **{self.name: value})
            return dataclasses.replace(pipeline, **{self.stage: rule})
        values: Dict[str, Any] = {self.name: value}
        if self.name == "stuff_area_fraction":
            # A limit in pixels beside it would decide on small images.
            values["stuff_area_thresh"] = 0
        return dataclasses.replace(pipeline, **values)


def thresholds_of(pipeline: Pipeline, score_floor: float) -> Tuple[Threshold, ...]:
    """What is tuned of a pipeline: a cutoff, what instances may lose to others, and an area of stuff.

    The cutoff is the one on the key of the order if it has one, else that on the score. What
    instances may lose is a maximum, ``overlap_threshold``, or the minimum ``kept_fraction``,
    or nothing if the claim rule has neither.

    Args:
        pipeline: rules and thresholds.
        score_floor: below it scores are not tried, for such instances are not known.
    """
    cutoff = Threshold(None, "instances_score_thresh", lambda value, zoom: _even(_SCORES, value, zoom, score_floor))
    if isinstance(pipeline.order, Power) and pipeline.order.key_cutoff > 0:
        cutoff = Threshold("order", "key_cutoff", lambda value, zoom: _even(_SCORES, value, zoom))
    of_claim = [name for name in ("overlap_threshold", "kept_fraction") if hasattr(pipeline.claim, name)]
    lost = [Threshold("claim", name, lambda value, zoom: _even(_OVERLAPS, value, zoom)) for name in of_claim]
    return cutoff, *lost, Threshold(None, "stuff_area_fraction", _areas)


def scaled(pipeline: Pipeline, image_area: float) -> Pipeline:
    """The pipeline with its area limits scaled from :data:`REFERENCE_PIXELS` to other images.

    Args:
        pipeline: its limit of stuff becomes a fraction of the image, that of things, of which there
            is none as a fraction, stays in pixels.
        image_area: the pixels of an image.
    """
    fraction = max(pipeline.stuff_area_fraction, min(pipeline.stuff_area_thresh / REFERENCE_PIXELS, 1.0))
    return dataclasses.replace(
        pipeline,
        stuff_area_thresh=0,
        stuff_area_fraction=fraction,
        thing_area_thresh=round(pipeline.thing_area_thresh * image_area / REFERENCE_PIXELS),
    )


def raised_to_floor(pipeline: Pipeline, score_floor: float) -> Pipeline:
    """The pipeline with no cutoff on scores below those of the instances that were kept."""
    of_category = {key: max(value, score_floor) for key, value in pipeline.instances_score_thresh_of.items()}
    return dataclasses.replace(
        pipeline,
        instances_score_thresh=max(pipeline.instances_score_thresh, score_floor),
        instances_score_thresh_of=of_category,
    )


def threshold_values(pipeline: Pipeline) -> Dict[str, Optional[float]]:
    """All thresholds that tuning may change, by name; None where the rules do not have it."""
    owners = {
        "instances_score_thresh": pipeline,
        "key_cutoff": pipeline.order,
        "overlap_threshold": pipeline.claim,
        "kept_fraction": pipeline.claim,
        "stuff_area_thresh": pipeline,
        "stuff_area_fraction": pipeline,
        "thing_area_thresh": pipeline,
    }
    return {name: getattr(owner, name, None) for name, owner in owners.items()}


def _even(first: Tuple[float, ...], value: float, zoom: int, low: float = 0.0) -> Tuple[float, ...]:
    tried = first if zoom == 0 else (value - _STEPS[zoom - 1], value + _STEPS[zoom - 1])
    # 0.4 - 0.1 is not 0.3; ten digits are.
    return tuple(round(min(max(one, low), 1.0), 10) for one in tried)


def _areas(value: float, zoom: int) -> Tuple[float, ...]:
    if zoom == 0:
        return _AREAS
    if value == 0:
        return (_FROM_NOTHING[zoom - 1],)
    factor = _FACTORS[zoom - 1]
    return tuple(float(f"{min(one, 1.0):.4g}") for one in (value / factor, value * factor))
