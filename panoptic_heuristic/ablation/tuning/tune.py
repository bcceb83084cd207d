"""Finds settings on one part of the images and counts them on the other.

The images are cut into folds: each is held out once, tuned without, and counted with what the others
gave; the counts of all folds are added. What is kept in the end is tuned on all images, and the held-out
PQ is what to expect of it. With a given split there is one such pair.

The stages build on each other::

    default, scaled      Detectron2's thresholds; the same with the limit of stuff as a fraction of the image
    global               score, overlap, limit of stuff
    per_class            a score and an overlap per thing, a limit per stuff, where that pays
    calibrated           ordered and cut by a probability, the cuts by rule
    calibrated_factor    the same with all cuts times a searched factor; a check of the rule
    calibrated_one_cut   the same with one searched cut for all; another

Shape legend: n images, C categories in the order of the data set's list, P pipelines.
"""

import functools
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibrated import tune_calibrated
from panoptic_heuristic.ablation.tuning.classes import tune_classes
from panoptic_heuristic.ablation.tuning.counts import count_pipelines, segments_of, total_counts
from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines, tune_global
from panoptic_heuristic.ablation.tuning.parts import Part
from panoptic_heuristic.ablation.tuning.stuff import tune_stuff
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Pipeline

STAGES = ("global", "per-class", "calibrated")

BASELINES = ("default", "scaled")

# What a stage's gain is compared with besides the baselines: the first of these that is there.
BEFORE: Dict[str, Tuple[str, ...]] = {
    "global": (),
    "per_class": ("global",),
    "calibrated": ("per_class", "global"),
    "calibrated_factor": ("calibrated",),
    "calibrated_one_cut": ("calibrated",),
}
TUNED_PIPELINES = tuple(BEFORE)


@dataclass(frozen=True)
class TuningSettings:
    """What to tune.

    Attributes:
        baselines: what is tuned from.
        score_floor: the lowest score that the predictions have; no lower cutoff is tried.
        stages: some of :data:`STAGES`, in this order, the first one always.
        shrinkage: how many standard errors a category's own values must gain; 0 for none.
    """

    baselines: Baselines
    score_floor: float
    stages: Tuple[str, ...] = STAGES
    shrinkage: float = 1.0

    def __post_init__(self):
        in_order = tuple(stage for stage in STAGES if stage in self.stages)
        if not self.stages or self.stages[0] != STAGES[0] or tuple(self.stages) != in_order:
            raise InputError(
                f"stages must be some of {', '.join(STAGES)}, in this order and beginning with {STAGES[0]}, "
                f"got {' '.join(self.stages) or 'none'}"
            )
        if not 0 <= self.shrinkage < float("inf"):
            raise InputError(f"shrinkage must be in [0, inf) standard errors, got {self.shrinkage!r}")
        score = self.baselines.default.instances_score_thresh
        if score < self.score_floor:
            raise InputError(
                f"the baseline has instances_score_thresh {score:g}, but the cache holds no instance with a score "
                f"below {self.score_floor:g}; give a higher one, or make another cache"
            )


@dataclass(frozen=True)
class Tuned:
    """What one part gave.

    Attributes:
        pipelines: by stage, see above.
        calibration: of the last stage: ``rounds``, ``factor``, ``one_cut``, and of each calibrated thing its
            ``expected_iou``; empty without it.
    """

    pipelines: Mapping[str, Pipeline]
    calibration: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TuningResult:
    """All that was tuned and counted.

    Attributes:
        image_ids: of all images.
        categories: the data set's.
        parts: which images were tuned and counted on; the last one's pipelines are the outcome.
        tuned: by part.
        tuning: the counts of the P pipelines on each part's own tuning images.
        held_out: (n, 3, C, P) int64, the counts of each held-out image, in the order of ``held_out_images``.
        segments: (n, C) int64, their ground-truth segments.
    """

    image_ids: Tuple[int, ...]
    categories: Categories
    parts: Tuple[Part, ...]
    tuned: Tuple[Tuned, ...]
    tuning: Tuple[SettingCounts, ...]
    held_out: np.ndarray
    segments: np.ndarray

    @property
    def stages(self) -> Tuple[str, ...]:
        """Names of the P pipelines."""
        return tuple(self.tuned[-1].pipelines)

    @property
    def outcome(self) -> Tuned:
        """What is kept in the end."""
        return self.tuned[-1]

    @property
    def held_out_images(self) -> Tuple[int, ...]:
        """Ids of the images that were held out."""
        return tuple(self.image_ids[place] for part in self.parts for place in part.held_out)

    def held_out_counts(self, part: Optional[int] = None) -> SettingCounts:
        """Counts on the held-out images, of one part or of all."""
        ends = np.cumsum([0, *(len(one.held_out) for one in self.parts)])
        rows = slice(None) if part is None else slice(ends[part], ends[part + 1])
        chosen = self.held_out[rows]
        return SettingCounts(*chosen.sum(axis=0), self.segments[rows].sum(axis=0), len(chosen))


def tune_part(images: Sequence[Regions], categories: Categories, settings: TuningSettings) -> Tuned:
    """Runs all stages on the images of one tuning part, and sees no other."""
    tuned = _start(settings)
    for stage in settings.stages:
        tuned = _tune_stage(images, categories, settings, stage, (tuple(range(len(images))), tuned))
    return tuned


def run_tuning(
    images: Sequence[Regions],
    categories: Categories,
    settings: TuningSettings,
    parts: Sequence[Part],
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> TuningResult:
    """Tunes every part and counts its pipelines.

    Args:
        images: of the cache, in the order of their ids.
        categories: the data set's.
        settings: what to tune.
        parts: of :func:`fold_parts` or :func:`split_part`.
        workers: processes; the result does not depend on it.
        progress: wraps the iterable of steps, given their number; tqdm fits.

    Raises:
        InputError: a tuning part, or all that is held out, has no ground-truth segment.
    """
    held_out = [place for part in parts for place in part.held_out]
    for whose, places in (*(("to tune on", part.tuning) for part in parts), ("held out", held_out)):
        if not segments_of((images[place] for place in places), categories).any():
            raise InputError(f"the {len(places)} images {whose} have no ground-truth segment; give more images")
    steps = progress(_steps(images, categories, settings, parts, workers), (len(settings.stages) + 1) * len(parts))
    *stages, counts = _chunks(list(steps), len(parts))
    tuning, tables = zip(*counts, strict=True)
    return TuningResult(
        image_ids=tuple(image.image_id for image in images),
        categories=categories,
        parts=tuple(parts),
        tuned=tuple(stages[-1]),
        tuning=tuning,
        held_out=np.concatenate(tables),
        segments=np.stack([images[place].gt.per_category(categories) for place in held_out]),
    )


def _steps(
    images: Sequence[Regions],
    categories: Categories,
    settings: TuningSettings,
    parts: Sequence[Part],
    workers: int,
) -> Iterable[Any]:
    """For each stage the outcomes of all parts, and then their counts."""
    tuned = [_start(settings)] * len(parts)
    for stage in settings.stages:
        work = functools.partial(_tune_stage, images, categories, settings, stage)
        jobs = [(part.tuning, one) for part, one in zip(parts, tuned, strict=True)]
        tuned = []
        for one in _mapped(work, jobs, workers):
            tuned.append(one)
            yield one
    work = functools.partial(_count_part, images, categories)
    yield from _mapped(work, list(zip(parts, tuned, strict=True)), workers)


def _mapped(work: Callable[[Any], Any], jobs: List[Any], workers: int) -> Iterable[Any]:
    with ordered_map(work, jobs, workers=min(workers, len(jobs)), chunk=1) as results:
        yield from results


def _chunks(values: List[Any], length: int) -> List[List[Any]]:
    return [values[start : start + length] for start in range(0, len(values), length)]


def _start(settings: TuningSettings) -> Tuned:
    baselines = (settings.baselines.default, settings.baselines.scaled)
    return Tuned(dict(zip(BASELINES, baselines, strict=True)), {})


def _tune_stage(
    images: Sequence[Regions],
    categories: Categories,
    settings: TuningSettings,
    stage: str,
    job: Tuple[Tuple[int, ...], Tuned],
) -> Tuned:
    """Adds a stage to what the stages before have given on some of the images."""
    places, before = job
    chosen = [images[place] for place in places]
    pipelines, last = dict(before.pipelines), list(before.pipelines.values())[-1]
    if stage == "global":
        pipelines["global"] = tune_global(chosen, categories, settings.baselines, settings.score_floor)
        return Tuned(pipelines, {})
    if stage == "per-class":
        things = tune_classes(
            chosen, categories, last, score_floor=settings.score_floor, shrinkage=settings.shrinkage
        )
        pipelines["per_class"] = tune_stuff(chosen, categories, things, shrinkage=settings.shrinkage)
        return Tuned(pipelines, {})
    found = tune_calibrated(
        chosen, categories, last, score_floor=settings.score_floor, shrinkage=settings.shrinkage
    )
    pipelines["calibrated"] = found.by_rule
    pipelines["calibrated_factor"] = found.by_factor
    pipelines["calibrated_one_cut"] = found.by_one_cut
    return Tuned(
        pipelines,
        {
            "rounds": found.rounds,
            "factor": found.factor,
            "one_cut": found.one_cut,
            "expected_iou": {str(key): value for key, value in found.calibration.expected_iou.items()},
            "default_expected_iou": found.calibration.default_iou,
        },
    )


def _count_part(
    images: Sequence[Regions], categories: Categories, job: Tuple[Part, Tuned]
) -> Tuple[SettingCounts, np.ndarray]:
    """Counts on the tuning images together, and on each held-out image."""
    part, tuned = job
    pipelines = list(tuned.pipelines.values())
    tuning = total_counts([images[place] for place in part.tuning], pipelines, categories)
    return tuning, count_pipelines([images[place] for place in part.held_out], pipelines, categories)
