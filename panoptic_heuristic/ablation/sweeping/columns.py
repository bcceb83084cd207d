"""The values in which the settings of a grid differ, as columns of a table."""

from typing import Any, Dict, Mapping, Sequence

from panoptic_heuristic.fusion import STAGES, Pipeline

ALWAYS: Mapping[str, str] = {
    "claim": "claim",
    "overlap_threshold": "claim.overlap_threshold",
    "instances_score_thresh": "instances_score_thresh",
    "stuff_area_thresh": "stuff_area_thresh",
    "stuff_area_fraction": "stuff_area_fraction",
}
"""Column -> path of the values that every table of settings has."""


def columns_of(pipelines: Sequence[Pipeline]) -> Dict[str, str]:
    """Column -> path: :data:`ALWAYS`, and all else in which two pipelines that have it differ."""
    first: Dict[str, Any] = {}
    differing: Dict[str, None] = {}
    for pipeline in pipelines:
        for path, value in flat_values(pipeline).items():
            if first.setdefault(path, value) != value:
                differing[path] = None
    return {**ALWAYS, **{path: path for path in sorted(differing, key=_place) if path not in ALWAYS.values()}}


def row_of(pipeline: Pipeline, columns: Mapping[str, str] = ALWAYS) -> Dict[str, Any]:
    """The values of a pipeline in some columns; None where its rule has no such parameter."""
    values = flat_values(pipeline)
    return {column: values.get(path) for column, path in columns.items()}


def flat_values(pipeline: Pipeline) -> Dict[str, Any]:
    """Path -> JSON value of all thresholds and parameters, and at the path of a stage the name of its rule.

    Values of single categories are pairs of a dataset category id and a value.
    """
    flat: Dict[str, Any] = {}
    # The pipeline's own values of single categories are in its mapping only where there are some.
    own: Dict[str, Any] = {name: [] for name in vars(pipeline) if name.endswith("_of")}
    for path, value in {**own, **pipeline.to_mapping()}.items():
        if path not in STAGES:
            flat[path] = value
            continue
        flat[path] = value["name"]
        for name, parameter in value.items():
            if name != "name":
                flat[f"{path}.{name}"] = parameter["of_category"] if isinstance(parameter, Mapping) else parameter
    return flat


def _place(path: str) -> int:
    """Stages in the order in which they work, then thresholds."""
    stage, *_ = path.split(".")
    return list(STAGES).index(stage) if stage in STAGES else len(STAGES)
