"""The stages of tuning, and the settings that say what is tuned.

The settings build on each other, and the simplest come first::

    default              the model's own settings, or Detectron2's where these are not known; see :func:`.default_of`
    start                what the search starts from; left out where that is the default
    scaled               the same with its area limits scaled to the images
    global               one score, one overlap, one limit of stuff
    per_class            a score and an overlap per thing, a limit per stuff, where that pays
    calibrated           ordered and cut by a probability; with shared slopes on top of global
    calibrated_by_rule   the same with the cuts that the rule says; calibrated's lie midway between these and the next
    calibrated_one_cut   the same with one searched cut for all

Where photos are at hand, a border rule is tried on top of global, and all that is tuned carries it if it helps there.
"""

import numbers
from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.tuning.calibrated import DEFAULT_FORM, FORMS
from panoptic_heuristic.ablation.tuning.thresholds import Baselines, raised_to_floor
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import whole_number
from panoptic_heuristic.fusion import Pipeline

STAGES = ("global", "per-class", "calibrated")

BASELINES = ("default", "start", "scaled")
"""The settings that are not tuned."""

BEFORE: Dict[str, Tuple[str, ...]] = {
    "global": (),
    "per_class": ("global",),
    "calibrated": ("per_class", "global"),
    "calibrated_by_rule": ("calibrated",),
    "calibrated_one_cut": ("calibrated",),
}
"""Besides the baselines, a pipeline's gain is compared with the first of these that is there."""

TUNED_PIPELINES = tuple(BEFORE)


@dataclass(frozen=True)
class TuningSettings:
    """The rules and thresholds to tune, and how.

    Attributes:
        pipeline: the rules, and the thresholds to start from.
        default: what gains are over.
        on_regions: True if the pipeline is exact on regions, and so cheap to count. Otherwise few settings
            are tried, and there is no stage but the first.
        score_floor: the lowest score that the predictions have; no lower ``instances_score_thresh`` is tried.
        image_area: the pixels of an image, by which area limits are scaled.
        stages: some of :data:`STAGES`, in this order, the first one always; None for all there are.
        calibration: the form of the last stage, one of :data:`.FORMS`.
        shrinkage: how many standard errors a category's own values must gain; 0 for none.
        seed: of the folds and the intervals.
        tries_border: a border rule is tried on top of the global thresholds; photos must be there.

    Raises:
        InputError: a value is out of its interval, the stages or the form are others, or the pipeline asks for scores
            below the floor.
    """

    pipeline: Pipeline
    default: Default
    on_regions: bool
    score_floor: float
    image_area: float
    stages: Optional[Tuple[str, ...]] = None
    calibration: str = DEFAULT_FORM
    shrinkage: float = 1.0
    seed: int = 0
    tries_border: bool = False

    def __post_init__(self):
        if self.stages is None:
            object.__setattr__(self, "stages", STAGES if self.on_regions else STAGES[:1])
        _check_stages(self.stages, self.on_regions)
        if self.calibration not in FORMS:
            raise InputError(f"calibration must be one of {', '.join(FORMS)}, got {self.calibration!r}")
        if not isinstance(self.shrinkage, numbers.Real) or not 0 <= self.shrinkage < float("inf"):
            raise InputError(f"shrinkage must be in [0, inf) standard errors, got {self.shrinkage!r}")
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        score = self.pipeline.lowest_score_thresh
        if score < self.score_floor:
            raise InputError(
                f"tuning would start from instances_score_thresh {score:g}, but the cache holds no instance with a "
                f"score below {self.score_floor:g}; give a higher one, or make another cache"
            )

    @property
    def baselines(self) -> Baselines:
        """The pipelines that the search starts from."""
        return Baselines.of(self.pipeline, self.image_area)

    @property
    def untuned(self) -> Dict[str, Pipeline]:
        """Those of :data:`BASELINES` that there are."""
        start, scaled = self.baselines.start, self.baselines.scaled
        default = raised_to_floor(self.default.pipeline, self.score_floor)
        return {"default": default, **({} if start == default else {"start": start}), "scaled": scaled}


def _check_stages(stages: Sequence[str], on_regions: bool) -> None:
    in_order = tuple(stage for stage in STAGES if stage in stages)
    if not stages or stages[0] != STAGES[0] or tuple(stages) != in_order:
        raise InputError(
            f"stages must be some of {', '.join(STAGES)}, in this order and beginning with {STAGES[0]}, "
            f"got {' '.join(map(str, stages)) or 'none'}"
        )
    if len(stages) > 1 and not on_regions:
        raise InputError(
            f"the stage {stages[1]} is for rules that see nothing of pixels but their regions, and one of these sees "
            f"more; tune the stage {STAGES[0]} only"
        )
