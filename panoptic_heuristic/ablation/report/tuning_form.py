"""The form of ``tuning.json``, as far as a report shows it."""

import math
from typing import Any, Container, Iterable

from panoptic_heuristic.ablation.tuning.calibrated import FORMS
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import schema
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Calibrated, Pipeline

_COUNT = schema.whole(0)
_PQ, _SHARE = schema.or_null(schema.number(0, 100)), schema.number(0, 1)


def _gain(value: Any, where: str) -> None:
    """A difference of PQ; NaN where nothing occurs."""
    if not (isinstance(value, float) and math.isnan(value)):
        schema.number(-200, 200)(value, where)


_OF_GAIN = schema.fields(
    {
        "against": schema.text,
        "held_out": _gain,
        "interval": schema.or_null(schema.row_of(_gain, _gain)),
        "tuning": _gain,
        "overfit": _gain,
    }
)
_HELD_OUT = schema.fields(
    {
        "pq": _PQ,
        "pq_things": _PQ,
        "pq_stuff": _PQ,
        "gains": schema.list_of(_OF_GAIN),
        "to_best": schema.or_null(_OF_GAIN),
    }
)
_PIPELINES = schema.object_of(schema.object_of(schema.anything))
_FORM = schema.fields(
    {
        "caches": schema.list_of(
            schema.fields({"dataset_name": schema.text, "predictions": schema.object_of(schema.anything)})
        ),
        "base": schema.or_null(schema.text),
        "how": schema.fields({}, {"groups": _COUNT, "folds": _COUNT, "tuning_images": _COUNT}),
        "default": schema.fields({"meaning": schema.text}),
        "baselines": _PIPELINES,
        "chosen": schema.text,
        "held_out": schema.object_of(_HELD_OUT),
        "outcome": schema.fields({"pipelines": _PIPELINES}),
        "splits": schema.list_of(schema.fields({"held_out": schema.list_of(schema.image_id)})),
    }
)
_CALIBRATION = schema.fields(
    {
        "calibration": schema.one_of(*FORMS),
        "outcome": schema.fields(
            {
                "calibration": schema.fields(
                    {
                        "examples": schema.object_of(schema.row_of(_COUNT, _COUNT), key=schema.whole_key),
                        "expected_iou": schema.object_of(_SHARE, key=schema.whole_key),
                        "default_expected_iou": _SHARE,
                    }
                )
            }
        ),
        "reliability": schema.list_of(
            schema.fields(
                {
                    "low": _SHARE,
                    "high": _SHARE,
                    "instances": _COUNT,
                    "predicted": schema.or_null(_SHARE),
                    "observed": schema.or_null(_SHARE),
                }
            )
        ),
    }
)


def check_tuning(data: Any, categories: Categories, where: str) -> None:
    """Checks a whole ``tuning.json``.

    Args:
        data: the parsed file.
        categories: the data set's.
        where: its path.

    Raises:
        InputError: it has another form, names settings that it does not have, or those cannot be read.
    """
    _FORM(data, where)
    pipelines = {**data["outcome"]["pipelines"], **data["baselines"]}
    chosen, held_out = data["chosen"], data["held_out"]
    _check_names(["default"], data["baselines"], f"{where}, baselines")
    _check_names([chosen], pipelines, f"{where}, outcome, pipelines")
    _check_names(["default", chosen], held_out, f"{where}, held_out")
    if chosen != "default":
        against = [gain["against"] for gain in held_out[chosen]["gains"]]
        _check_names(["default"], against, f"{where}, held_out, {chosen}, gains")
    # Others may have rules that are not known here.
    for name in {"default", chosen, "calibrated"} & pipelines.keys():
        try:
            pipeline = Pipeline.from_mapping(pipelines[name])
        except InputError as error:
            raise InputError(f"{where}, settings {name!r}: {error}") from error
        if name == "calibrated" and isinstance(pipeline.order, Calibrated):
            _CALIBRATION(data, where)
            _check_names(data["outcome"]["calibration"]["examples"], [str(key) for key in categories], where)


def _check_names(names: Iterable[str], there: Container[str], where: str) -> None:
    for name in names:
        if name not in there:
            raise InputError(f"{where}: {name!r} is not among what it has; make it anew")
