"""What tuning leaves: a config per pipeline that ``train_net.py`` accepts, and one JSON of all numbers.

::

    OUTPUT/tuned.yaml        the best of those below on held-out images, or the scaled default
    OUTPUT/global.yaml       one per stage
    OUTPUT/tuning.json       everything measured; see :func:`tuning_json`
"""

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import yaml

from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.ablation.tuning.gains import StageReport, chosen_stage, tuning_pq
from panoptic_heuristic.ablation.tuning.tune import BASELINES, TuningResult, TuningSettings
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, write_json, written_whole
from panoptic_heuristic.fusion import Calibrated, Pipeline
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.stages import rule_name

FORMAT = 1
TUNED, NUMBERS = "tuned.yaml", "tuning.json"

_DETECTOR_CUTOFF = 0.05
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


def file_names(stages: Sequence[str]) -> List[str]:
    """The files of a result, given the names of its pipelines."""
    return [TUNED, *(f"{name}.yaml" for name in stages if name not in BASELINES), NUMBERS]


def config_yaml(
    pipeline: Pipeline, categories: Categories, *, base: Optional[str] = None, comments: Sequence[str] = ()
) -> str:
    """A config file that makes a pipeline, whatever its base sets.

    Args:
        pipeline: of a claim rule that has overlap thresholds, and Detectron2's rules after it.
        categories: the data set's, for their names.
        base: what ``_BASE_`` says; None for none.
        comments: lines for the top.
    """
    calibrated = isinstance(pipeline.order, Calibrated)
    fusion: List[str] = [
        # Sets what is not below as it was when this was tuned.
        "PRESET: detectron2",
        "THINGS: {AREA_LIMIT: 0}",
        _line("CLAIM", _rule_of(pipeline.claim, categories)),
        _line("STUFF_AREA_FRACTION", float(pipeline.stuff_area_fraction)),
        *_lines("PER_CLASS", _per_class(pipeline, categories)),
        "ORDER:",
        f"  NAME: {'calibrated' if calibrated else 'score'}",
    ]
    if calibrated:
        order = pipeline.order
        named = {name: _named(getattr(order, name), categories) for name in ("weights", "cut")}
        fusion += [
            "  # Bias, and the weights of logit of the score, agreement with the semantic labels, log of the area,",
            "  # fraction covered by better instances.",
            *_indented(_lines("WEIGHTS", [[name, list(value)] for name, value in named["weights"]])),
            "  " + _line("DEFAULT_WEIGHTS", list(order.default_weights)),
            *_indented(_lines("CUT", [[name, value] for name, value in named["cut"]])),
            "  " + _line("DEFAULT_CUT", float(order.default_cut)),
        ]
    lines = [
        *(f"# {comment}" for comment in comments),
        *([] if base is None else [_line("_BASE_", base)]),
        "MODEL:",
        "  ROI_HEADS:",
        "    # Not above the lowest score in use below: what the detector cuts, fusion never sees.",
        "    " + _line("SCORE_THRESH_TEST", min(_DETECTOR_CUTOFF, _lowest_score(pipeline))),
        "  PANOPTIC_FPN:",
        "    COMBINE:",
        "      " + _line("INSTANCES_CONFIDENCE_THRESH", float(pipeline.instances_score_thresh)),
        "      " + _line("OVERLAP_THRESH", float(pipeline.claim.overlap_threshold)),
        "      " + _line("STUFF_AREA_LIMIT", _pixels(pipeline.stuff_area_thresh)),
        "  PANOPTIC_FUSION:",
        *_indented(_indented(fusion)),
    ]
    return "\n".join(lines) + "\n"


def write_tuning(
    folder: PathLike,
    result: TuningResult,
    reports: Sequence[StageReport],
    settings: TuningSettings,
    manifest: Manifest,
    *,
    how: Mapping[str, Any],
    base: Optional[Path] = None,
) -> List[Path]:
    """Writes all files.

    Args:
        folder: made if it is missing.
        result: what was tuned and counted.
        reports: of the result.
        settings: what was tuned.
        manifest: of the predictions.
        how: JSON values that say how the images were parted.
        base: a config file that the written ones build on.

    Returns:
        The files, ``tuned.yaml`` first.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Relative, so that the folders may move together.
    based_on = None if base is None else Path(os.path.relpath(base, folder)).as_posix()
    chosen = chosen_stage(reports)
    written = []
    for file_name in file_names(result.stages):
        path = folder / file_name
        if file_name == NUMBERS:
            write_json(path, tuning_json(result, reports, settings, manifest, how))
        else:
            name = chosen if file_name == TUNED else path.stem
            comments = _comments(name, result, reports, manifest)
            text = config_yaml(result.outcome.pipelines[name], result.categories, base=based_on, comments=comments)
            with written_whole(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def tuning_json(
    result: TuningResult,
    reports: Sequence[StageReport],
    settings: TuningSettings,
    manifest: Manifest,
    how: Mapping[str, Any],
) -> Dict[str, Any]:
    """Everything measured, as JSON values; PQ and gains in percent.

    ::

        dataset_name, predictions, floors, how, stages, shrinkage, baselines: what was tuned, on what
        chosen        the name of the pipeline in tuned.yaml
        held_out      by pipeline: pq, pq_things, pq_stuff; gains: against what, held_out, interval, tuning and
                      overfit; counts: by category id [iou_sum, tp, fp, fn], of all held-out images
        outcome       images; by pipeline: pq_tuning, values; calibration
        parts         the same of each part, with the ids of its held_out images and pq_held_out
    """
    held_out = result.held_out_counts()
    return {
        "format": FORMAT,
        "dataset_name": manifest.dataset_name,
        "predictions": dict(manifest.source),
        "floors": vars(manifest.floors).copy(),
        "how": dict(how),
        "stages": list(settings.stages),
        "shrinkage": settings.shrinkage,
        "baselines": {
            "default": values_json(settings.baselines.default),
            "scaled": values_json(settings.baselines.scaled),
        },
        "chosen": chosen_stage(reports),
        "held_out": {
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
                    for category_id, value in held_out.of_setting(place, result.categories).items()
                },
            }
            for place, report in enumerate(reports)
        },
        "outcome": _part_json(result, len(result.parts) - 1),
        "parts": [
            {
                **_part_json(result, place),
                "held_out": [result.image_ids[image] for image in part.held_out],
                "pq_held_out": _held_out_pq(result, place),
            }
            for place, part in enumerate(result.parts)
            if part.held_out
        ],
    }


def values_json(pipeline: Pipeline) -> Dict[str, Any]:
    """The values of a pipeline as JSON, by the names of the Python arguments; without those that are empty."""
    claim, order = pipeline.claim, pipeline.order
    single = {
        "instances_score_thresh_of": pipeline.instances_score_thresh_of,
        "overlap_threshold_of": claim.overlap_threshold_of,
        "stuff_area_thresh_of": pipeline.stuff_area_thresh_of,
        "stuff_area_fraction_of": pipeline.stuff_area_fraction_of,
    }
    values: Dict[str, Any] = {
        "claim": rule_name("claim", claim),
        "instances_score_thresh": pipeline.instances_score_thresh,
        "overlap_threshold": claim.overlap_threshold,
        "stuff_area_thresh": pipeline.stuff_area_thresh,
        "stuff_area_fraction": pipeline.stuff_area_fraction,
    }
    if isinstance(order, Calibrated):
        single.update(weights=order.weights, cut=order.cut)
        values.update(default_weights=list(order.default_weights), default_cut=order.default_cut)
    for name, of_category in single.items():
        if of_category:
            values[name] = {str(key): list(one) if isinstance(one, tuple) else one for key, one in of_category.items()}
    return values


def described(pipeline: Pipeline) -> str:
    """The thresholds of a pipeline without values of single categories, for people."""
    limit = (
        f"{pipeline.stuff_area_fraction:.5g} of the image"
        if pipeline.stuff_area_fraction
        else f"{pipeline.stuff_area_thresh:g} pixels"
    )
    claim = rule_name("claim", pipeline.claim)
    parts = [] if claim == "greedy" else [claim]
    parts += [
        f"score {pipeline.instances_score_thresh:g}",
        f"overlap {pipeline.claim.overlap_threshold:g}",
        f"stuff {limit}",
    ]
    return ", ".join(parts)


def _comments(name: str, result: TuningResult, reports: Sequence[StageReport], manifest: Manifest) -> List[str]:
    report = next(one for one in reports if one.name == name)
    baselines = result.outcome.pipelines
    tuned_on, held_out = len(result.parts[-1].tuning), len(result.held_out_images)
    lines = [f"Fusion settings {name!r} for {manifest.dataset_name}, made by tune-fusion."]
    if name in BASELINES:
        better = f"No tuned settings were better than these on {held_out} held-out images"
        lines.append(f"{better}: {_described_pq(report)}.")
    else:
        lines.append(f"Tuned on {tuned_on} images. On {held_out} held-out images: {_described_pq(report)};")
        lines += [
            f"{gain.held_out:+.2f} {_described_interval(gain.interval)} over {described(baselines[gain.against])}."
            for gain in report.gains
            if gain.against in BASELINES
        ]
        folds = sum(bool(part.held_out) for part in result.parts)
        if folds > 1:
            lines.append(f"Those are of {folds} folds, each tuned without the images it is counted on.")
    source = ", ".join(f"{key} {value}" for key, value in sorted(manifest.source.items()) if isinstance(value, str))
    lines += [f"Predictions: {source}."] if source else []
    # Names come from outside, and a line break would end the comment.
    return [" ".join(line.split()) for line in lines]


def _described_pq(report: StageReport) -> str:
    return f"PQ {report.pq['all']:.2f} (things {report.pq['things']:.2f}, stuff {report.pq['stuff']:.2f})"


def _described_interval(interval: Optional[Tuple[float, float]]) -> str:
    return "[no interval]" if interval is None else f"[{interval[0]:+.2f}, {interval[1]:+.2f}]"


def _part_json(result: TuningResult, place: int) -> Dict[str, Any]:
    tuned = result.tuned[place]
    return {
        "images": len(result.parts[place].tuning),
        "pq_tuning": tuning_pq(result, place),
        "values": {name: values_json(pipeline) for name, pipeline in tuned.pipelines.items() if name not in BASELINES},
        "calibration": dict(tuned.calibration),
    }


def _held_out_pq(result: TuningResult, place: int) -> Dict[str, Optional[float]]:
    pq = result.held_out_counts(place).quality()
    every = [True] * len(result.categories)
    values = 100 * pq.mean("pq", every)
    return {name: _number(float(value)) for name, value in zip(result.stages, values, strict=True)}


def _number(value: float) -> Optional[float]:
    """JSON has no NaN."""
    return None if value != value else value


def _lowest_score(pipeline: Pipeline) -> float:
    return float(min([pipeline.instances_score_thresh, *pipeline.instances_score_thresh_of.values()]))


def _pixels(value: float) -> Any:
    return int(value) if float(value).is_integer() else float(value)


def _per_class(pipeline: Pipeline, categories: Categories) -> List[List[Any]]:
    entries = []
    for category in categories.values():
        values: Dict[str, Any] = {}
        for key, single in (
            ("INSTANCES_CONFIDENCE_THRESH", pipeline.instances_score_thresh_of),
            ("OVERLAP_THRESH", pipeline.claim.overlap_threshold_of),
            ("STUFF_AREA_LIMIT", pipeline.stuff_area_thresh_of),
            ("STUFF_AREA_FRACTION", pipeline.stuff_area_fraction_of),
        ):
            if category.id in single:
                value = single[category.id]
                values[key] = _pixels(value) if key == "STUFF_AREA_LIMIT" else float(value)
        if values:
            entries.append([category.name, values])
    return entries


def _rule_of(claim: ClaimRule, categories: Categories) -> Dict[str, Any]:
    """A claim rule's name and parameters, but for its overlap thresholds, which have keys of their own."""
    parameters = {name: value for name, value in vars(claim).items() if not name.startswith("overlap_threshold")}
    if "precedence" in parameters:
        # Categories go by name in a config.
        parameters["precedence"] = [[categories[one].name for one in pair] for pair in parameters["precedence"]]
    return {"NAME": rule_name("claim", claim), **{name.upper(): value for name, value in parameters.items()}}


def _named(values: Mapping[int, Any], categories: Categories) -> List[Tuple[str, Any]]:
    return [(category.name, values[category.id]) for category in categories.values() if category.id in values]


def _lines(key: str, entries: Sequence[Any]) -> List[str]:
    """A list, one entry per line."""
    return [f"{key}:", *(f"- {_flow(entry)}" for entry in entries)] if entries else [f"{key}: []"]


def _line(key: str, value: Any) -> str:
    return f"{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    # PyYAML's own spelling: it would read 1e-05 as text, and writes 1.0e-05.
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _indented(lines: Sequence[str]) -> List[str]:
    return [f"  {line}" for line in lines]
