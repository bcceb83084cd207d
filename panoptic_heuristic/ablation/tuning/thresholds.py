"""The thresholds that every pipeline is tuned in, whatever its rules are."""

import dataclasses
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from panoptic_heuristic.fusion import Pipeline, Power

REFERENCE_PIXELS = 640 * 480
"""Size of the images that published area limits are for: that of most images of COCO."""

_OF_CLAIM = ("claim.overlap_threshold", "claim.kept_fraction")


@dataclass(frozen=True)
class Thresholds:
    """The paths of a pipeline's thresholds. Stuff has a limit besides, in pixels or as a fraction of the image.

    Attributes:
        score: ``instances_score_thresh``, or ``order.key_cutoff`` where the instances that take part are told by the
            key that orders them.
        overlap: what an instance may lose to others: a maximum, ``overlap_threshold``, or the minimum
            ``kept_fraction``; None if the claim rule has neither.
    """

    score: str
    overlap: Optional[str]

    @classmethod
    def of(cls, pipeline: Pipeline) -> "Thresholds":
        """Those of a pipeline."""
        has_key = isinstance(pipeline.order, Power) and pipeline.order.key_cutoff > 0
        overlap = next((path for path in _OF_CLAIM if pipeline.value(path) is not None), None)
        return cls("order.key_cutoff" if has_key else "instances_score_thresh", overlap)

    def lowest(self, score_floor: float) -> float:
        """The lowest value of ``score`` that is tried: below the floor instances are not known. A key has no floor."""
        return score_floor if self.score == "instances_score_thresh" else 0.0


@dataclass(frozen=True)
class Baselines:
    """The pipelines that tuning starts from.

    Attributes:
        start: the pipeline as it is.
        scaled: the same with its area limits scaled to the images.
    """

    start: Pipeline
    scaled: Pipeline

    @classmethod
    def of(cls, pipeline: Pipeline, image_area: float) -> "Baselines":
        """Those of a pipeline.

        Args:
            pipeline: with the thresholds it comes with.
            image_area: the pixels of an image.
        """
        return cls(pipeline, scaled(pipeline, image_area))


def scaled(pipeline: Pipeline, image_area: float) -> Pipeline:
    """The pipeline with its area limits scaled from :data:`REFERENCE_PIXELS` to other images.

    Args:
        pipeline: its limit of stuff becomes a fraction of the image, that of things, of which there
            is none as a fraction, stays in pixels.
        image_area: the pixels of an image.
    """
    things = round(pipeline.thing_area_thresh * image_area / REFERENCE_PIXELS)
    return with_stuff_fraction(pipeline, REFERENCE_PIXELS).replaced({"thing_area_thresh": things})


def with_stuff_fraction(pipeline: Pipeline, image_area: float) -> Pipeline:
    """The pipeline with its limit of stuff as a fraction of the image, that in pixels as its share of so many."""
    fraction = max(pipeline.stuff_area_fraction, min(pipeline.stuff_area_thresh / image_area, 1.0))
    return pipeline.replaced(stuff_limit(0, fraction))


def stuff_limit(pixels: float, fraction: float) -> Dict[str, float]:
    """The values of a pipeline that make a limit of stuff."""
    return {"stuff_area_thresh": pixels, "stuff_area_fraction": fraction}


def raised_to_floor(pipeline: Pipeline, score_floor: float) -> Pipeline:
    """The pipeline with no ``instances_score_thresh`` below the scores of the instances that were kept."""
    of_category = {key: max(value, score_floor) for key, value in pipeline.instances_score_thresh_of.items()}
    return dataclasses.replace(
        pipeline,
        instances_score_thresh=max(pipeline.instances_score_thresh, score_floor),
        instances_score_thresh_of=of_category,
    )


def threshold_values(pipeline: Pipeline) -> Dict[str, Optional[float]]:
    """All thresholds that tuning may change, by name; None where the rules do not have it."""
    paths: Tuple[str, ...] = (
        "instances_score_thresh", "order.key_cutoff", *_OF_CLAIM, "stuff_area_thresh", "stuff_area_fraction",
        "thing_area_thresh",
    )  # fmt: skip
    return {path.rpartition(".")[2]: pipeline.value(path) for path in paths}
