"""The files that tuning leaves: a config per pipeline that ``train-net`` accepts, and one JSON of all numbers.

::

    OUTPUT/tuned.yaml        the settings to take: see :func:`.recommended`
    OUTPUT/global.yaml       one per stage
    OUTPUT/tuning.json       everything measured; see :func:`tuning_json`
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from panoptic_heuristic.ablation.tuning.pool import images_of
from panoptic_heuristic.ablation.tuning.settings import BASELINES
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, write_json, write_text
from panoptic_heuristic.fusion import Calibrated, Pipeline
from panoptic_heuristic.fusion.pipeline_files import config_text
from panoptic_heuristic.fusion.unused_keys import OWN_ARCHITECTURE

if TYPE_CHECKING:
    from panoptic_heuristic.ablation.tuning.gains import Gain
    from panoptic_heuristic.ablation.tuning.result import TuningResult

FORMAT = 5
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
    # Relative, so that the folders may move together.
    based_on = None if base is None else Path(os.path.relpath(base, folder)).as_posix()
    written = []
    for file_name in file_names(result.names):
        path = folder / file_name
        if file_name == NUMBERS:
            write_json(path, tuning_json(result, based_on))
        else:
            name = result.chosen if file_name == TUNED else path.stem
            pipeline = result.outcome.pipelines[name]
            text = config_yaml(pipeline, result.categories, base=based_on, comments=_comments(name, result))
            write_text(path, text)
        written.append(path)
    return written


def tuning_json(result: "TuningResult", base: Optional[str] = None) -> Dict[str, Any]:
    """Everything measured, as JSON values; PQ and gains in percent.

    ::

        caches        of each: dataset_name, predictions (what made them), floors, images
        base          the _BASE_ of the YAMLs, relative to them; null for none
        how, stages, shrinkage: what was tuned, and how images were held out
        calibration   the form of the calibrated stage, ``shared`` or ``per-class``
        default       meaning: the model's own settings, or what stands for them
        baselines     the settings that were not tuned, by name
        chosen        the name of the settings in tuned.yaml
        held_out      by name: pq, pq_things, pq_stuff; gains: against what, held_out, interval, tuning and
                      overfit; to_best: the same against the best, null of itself; counts: by category id
                      [iou_sum, tp, fp, fn], of all held-out images
        reliability   of the calibrated probabilities on held-out images, a bin after the other: low, high, instances,
                      predicted (their mean), observed (the part that are true positives); empty without the stage
        outcome       images; by name: pq_tuning, pipelines (see :meth:`Pipeline.to_mapping`); calibration: rounds,
                      one_cut, and by category id expected_iou and examples, the number and the true among them;
                      borders: PQ of global by the border rules that were tried; only there if images were given
        splits        the same of each split, with the ids of its held_out images and pq_held_out
    """
    settings, images = result.settings, images_of(result.manifests)
    return {
        "format": FORMAT,
        "caches": [
            {
                "dataset_name": manifest.dataset_name,
                "predictions": dict(manifest.source),
                "floors": vars(manifest.floors).copy(),
                "images": len(manifest.images),
            }
            for manifest in result.manifests
        ],
        "base": base,
        "how": result.how,
        "stages": list(settings.stages),
        "calibration": settings.calibration,
        "shrinkage": settings.shrinkage,
        "default": {"meaning": result.default.meaning},
        "baselines": {name: one.to_mapping() for name, one in settings.untuned.items()},
        "chosen": result.chosen,
        "held_out": _held_out_json(result),
        "reliability": [vars(one).copy() for one in result.reliability],
        "outcome": _split_json(result, len(result.splits) - 1),
        "splits": [
            {
                **_split_json(result, place),
                "held_out": [images[image].image_id for image in split.held_out],
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
            "gains": [_gain_json(gain) for gain in report.gains],
            "to_best": None if report.to_best is None else _gain_json(report.to_best),
            "counts": {
                str(category_id): [value.iou_sum, value.tp, value.fp, value.fn]
                for category_id, value in counts.of_setting(place, result.categories).items()
            },
        }
        for place, report in enumerate(result.reports)
    }


def _gain_json(gain: "Gain") -> Dict[str, Any]:
    return {
        "against": gain.against,
        "held_out": gain.held_out,
        "interval": None if gain.interval is None else list(gain.interval),
        "tuning": gain.tuning,
        "overfit": gain.overfit,
    }


def _split_json(result: "TuningResult", place: int) -> Dict[str, Any]:
    tuned = result.tuned[place]
    return {
        "images": len(result.splits[place].tuning),
        "pq_tuning": result.tuning_pq(place),
        "pipelines": {name: one.to_mapping() for name, one in tuned.pipelines.items() if name not in BASELINES},
        "calibration": dict(tuned.calibration),
        **({"borders": dict(tuned.borders)} if tuned.borders else {}),
    }


def _comments(name: str, result: "TuningResult") -> List[str]:
    report, untuned = result.report(name), result.settings.untuned
    tuned_on, held_out = len(result.splits[-1].tuning), len(result.held_out_images)
    pq = f"PQ {report.pq['all']:.2f} (things {report.pq['things']:.2f}, stuff {report.pq['stuff']:.2f})"
    data_sets = " and ".join(dict.fromkeys(manifest.dataset_name for manifest in result.manifests))
    lines = [f"Fusion settings {name!r} for {data_sets}, made by tune-fusion."]
    if name in untuned:
        lines.append(f"No others are surely better than these on {held_out} held-out images: {pq}.")
    else:
        lines.append(f"Tuned on {tuned_on} images. On {held_out} held-out images: {pq};")
    meaning = {"default": f"the default, {result.default.meaning}"}
    lines += [
        f"{told(gain)} over {meaning.get(gain.against, gain.against)}: {untuned[gain.against].described()}."
        for gain in report.gains
        if gain.against in untuned
    ]
    if report.to_best is not None:
        lines.append(f"{told(report.to_best)} to {report.to_best.against}, the best of all.")
    folds = result.how.get("folds", 1)
    if folds > 1:
        lines.append(f"Those are of {folds} folds, each tuned without the images it is counted on.")
    source = result.manifests[0].source
    made_by = ", ".join(f"{key} {value}" for key, value in sorted(source.items()) if isinstance(value, str))
    return lines + ([f"Predictions: {made_by}."] if made_by else [])


def told(gain: "Gain") -> str:
    """A gain on held-out images with its interval."""
    interval = "no interval" if gain.interval is None else "{:+.2f}, {:+.2f}".format(*gain.interval)
    return f"{gain.held_out:+.2f} [{interval}]"


def _number(value: float) -> Optional[float]:
    """JSON has no NaN."""
    return None if value != value else value
