"""The files that tuning leaves: a config per pipeline that ``train_net.py`` accepts, and one JSON of all numbers.

::

    OUTPUT/tuned.yaml        the best of those below on held-out images, or the scaled default
    OUTPUT/global.yaml       one per stage
    OUTPUT/tuning.json       everything measured; see :func:`tuning_json`
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.tuning.settings import BASELINES
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, write_json, written_whole
from panoptic_heuristic.fusion import Calibrated, Pipeline
from panoptic_heuristic.fusion.pipeline_files import config_text
from panoptic_heuristic.fusion.unused_keys import OWN_ARCHITECTURE

if TYPE_CHECKING:
    from panoptic_heuristic.ablation.tuning.result import TuningResult

FORMAT = 2
TUNED, NUMBERS = "tuned.yaml", "tuning.json"

_DETECTOR_THRESH = 0.05
"""Detectron2's MODEL.ROI_HEADS.SCORE_THRESH_TEST."""


def check_names(categories: Categories) -> None:
    """Raises if values of single categories cannot be written, since they go by name.

    Raises:
        InputError: two categories share a name.
    """
    names = [category.name for category in categories.values()]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two categories are called {name!r}, and values of single categories go by name in a config; "
                "give them different names, or tune the stage global only"
            )


def file_names(names: Sequence[str]) -> List[str]:
    """The files of a result, given the names of its pipelines."""
    return [TUNED, *(f"{name}.yaml" for name in names if name not in BASELINES), NUMBERS]


def config_yaml(
    pipeline: Pipeline, categories: Categories, *, base: Optional[str] = None, comments: Sequence[str] = ()
) -> str:
    """A config file for a model that fuses by a pipeline, whatever its base sets.

    Args:
        pipeline: any.
        categories: the data set's, for their names.
        base: what ``_BASE_`` says; None for none.
        comments: lines for the top.
    """
    content = pipeline.to_config(categories)
    # What the detector cuts, fusion never sees.
    score_thresh = min(_DETECTOR_THRESH, pipeline.lowest_score_thresh)
    detector = {"META_ARCHITECTURE": OWN_ARCHITECTURE, "ROI_HEADS": {"SCORE_THRESH_TEST": score_thresh}}
    comments = [*comments, "SCORE_THRESH_TEST is not above the lowest score that is let in."]
    if isinstance(pipeline.order, Calibrated):
        comments += [
            "WEIGHTS: bias, and the weights of logit of the score, agreement with the semantic labels, log of the "
            "area, fraction covered by better instances."
        ]
    content = {**({} if base is None else {"_BASE_": base}), **content, "MODEL": {**detector, **content["MODEL"]}}
    return config_text(content, comments)


def write_tuning(folder: PathLike, result: "TuningResult", base: Optional[PathLike] = None) -> List[Path]:
    """Writes all files; see :meth:`TuningResult.write`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Relative, so that the folders may move together.
    based_on = None if base is None else Path(os.path.relpath(base, folder)).as_posix()
    written = []
    for file_name in file_names(result.names):
        path = folder / file_name
        if file_name == NUMBERS:
            write_json(path, tuning_json(result))
        else:
            name = result.chosen if file_name == TUNED else path.stem
            pipeline = result.outcome.pipelines[name]
            text = config_yaml(pipeline, result.categories, base=based_on, comments=_comments(name, result))
            with written_whole(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def tuning_json(result: "TuningResult") -> Dict[str, Any]:
    """Everything measured, as JSON values; PQ and gains in percent.

    ::

        dataset_name, predictions, floors, how, stages, shrinkage, baselines: what was tuned, on what
        chosen        the name of the pipeline in tuned.yaml
        held_out      by name: pq, pq_things, pq_stuff; gains: against what, held_out, interval, tuning and
                      overfit; counts: by category id [iou_sum, tp, fp, fn], of all held-out images
        outcome       images; by name: pq_tuning, pipelines (see :meth:`Pipeline.to_mapping`); calibration
        splits        the same of each split, with the ids of its held_out images and pq_held_out
    """
    manifest, settings, baselines = result.manifest, result.settings, result.settings.baselines
    return {
        "format": FORMAT,
        "dataset_name": manifest.dataset_name,
        "predictions": dict(manifest.source),
        "floors": vars(manifest.floors).copy(),
        "how": result.how,
        "stages": list(settings.stages),
        "shrinkage": settings.shrinkage,
        "baselines": {"default": baselines.default.to_mapping(), "scaled": baselines.scaled.to_mapping()},
        "chosen": result.chosen,
        "held_out": _held_out_json(result),
        "outcome": _split_json(result, len(result.splits) - 1),
        "splits": [
            {
                **_split_json(result, place),
                "held_out": [manifest.images[image].image_id for image in split.held_out],
                "pq_held_out": {name: _number(value) for name, value in result.held_out_pq(place).items()},
            }
            for place, split in enumerate(result.splits)
            if split.held_out
        ],
    }


def _held_out_json(result: "TuningResult") -> Dict[str, Any]:
    counts = result.held_out_counts()
    return {
        report.name: {
            **{("pq" if group == "all" else f"pq_{group}"): _number(pq) for group, pq in report.pq.items()},
            "gains": [
                {
                    "against": gain.against,
                    "held_out": gain.held_out,
                    "interval": None if gain.interval is None else list(gain.interval),
                    "tuning": gain.tuning,
                    "overfit": gain.overfit,
                }
                for gain in report.gains
            ],
            "counts": {
                str(category_id): [value.iou_sum, value.tp, value.fp, value.fn]
                for category_id, value in counts.of_setting(place, result.categories).items()
            },
        }
        for place, report in enumerate(result.reports)
    }


def _split_json(result: "TuningResult", place: int) -> Dict[str, Any]:
    tuned = result.tuned[place]
    return {
        "images": len(result.splits[place].tuning),
        "pq_tuning": result.tuning_pq(place),
        "pipelines": {name: one.to_mapping() for name, one in tuned.pipelines.items() if name not in BASELINES},
        "calibration": dict(tuned.calibration),
    }


def _comments(name: str, result: "TuningResult") -> List[str]:
    report = next(one for one in result.reports if one.name == name)
    baselines, manifest = result.outcome.pipelines, result.manifest
    tuned_on, held_out = len(result.splits[-1].tuning), len(result.held_out_images)
    pq = f"PQ {report.pq['all']:.2f} (things {report.pq['things']:.2f}, stuff {report.pq['stuff']:.2f})"
    lines = [f"Fusion settings {name!r} for {manifest.dataset_name}, made by tune-fusion."]
    if name in BASELINES:
        lines.append(f"No tuned settings were better than these on {held_out} held-out images: {pq}.")
    else:
        lines.append(f"Tuned on {tuned_on} images. On {held_out} held-out images: {pq};")
        lines += [
            f"{gain.held_out:+.2f} {_described_interval(gain.interval)} over {baselines[gain.against].described()}."
            for gain in report.gains
            if gain.against in BASELINES
        ]
        folds = result.how.get("folds", 1)
        if folds > 1:
            lines.append(f"Those are of {folds} folds, each tuned without the images it is counted on.")
    source = ", ".join(f"{key} {value}" for key, value in sorted(manifest.source.items()) if isinstance(value, str))
    return lines + ([f"Predictions: {source}."] if source else [])


def _described_interval(interval: Optional[Tuple[float, float]]) -> str:
    return "[no interval]" if interval is None else f"[{interval[0]:+.2f}, {interval[1]:+.2f}]"


def _number(value: float) -> Optional[float]:
    """JSON has no NaN."""
    return None if value != value else value
