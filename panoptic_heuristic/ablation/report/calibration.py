"""The part of a report on tuning that shows the calibrated probability: its fit, its cuts and its reliability."""

from typing import Any, List, Mapping, Sequence, Tuple

from panoptic_heuristic.ablation.report.document import Block, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.words import count, measure, signed, threshold
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Calibrated, Pipeline
from panoptic_heuristic.fusion.rules.order_calibrated import FEATURES

_MEANINGS = {
    "shared": "All classes share its weights; each has a bias of its own.",
    "per-class": "Each class with examples enough has weights of its own.",
}
_COLUMNS = ("bias", *(name.replace("_", " ") for name in FEATURES))


def calibration_blocks(data: Mapping[str, Any], categories: Categories) -> List[Block]:
    """The section; nothing if that stage was not tuned.

    Args:
        data: what ``tuning.json`` holds.
        categories: the data set's.
    """
    outcome = data["outcome"]
    found = outcome["pipelines"].get("calibrated")
    order = None if found is None else Pipeline.from_mapping(found).order
    if not isinstance(order, Calibrated):
        return []
    return [
        Heading("Calibrated probability"),
        Text(
            "It is the logistic function of the weighted sum of these features of an instance, fitted to what "
            f"instances would match before fusion. {_MEANINGS[data['calibration']]} An instance whose probability is "
            "below the cut of its class is dropped; the cut is PQ of the class divided by twice the IoU to expect of a "
            "true positive, where accepting one more stops raising PQ."
        ),
        _fit(order, outcome["calibration"], categories),
        Text("Held-out instances by their probability, and the part of them that are true positives:"),
        _reliability(data["reliability"]),
    ]


def _fit(order: Calibrated, found: Mapping[str, Any], categories: Categories) -> Table:
    rows = []
    for category_id, (number, true) in sorted((int(key), value) for key, value in found["examples"].items()):
        expected = found["expected_iou"].get(str(category_id), found["default_expected_iou"])
        weights = order.weights.get(category_id, order.default_weights)
        cut = order.cut.get(category_id, order.default_cut)
        rows.append(_fit_row(categories[category_id].name, (count(number), count(true)), weights, expected, cut))
    others = (order.default_weights, found["default_expected_iou"], order.default_cut)
    rows.append(_fit_row("all others", ("", ""), *others))
    return Table(("class", "examples", "true", *_COLUMNS, "expected IoU", "cut"), tuple(rows))


def _fit_row(name: str, examples: Tuple[str, str], weights: Sequence[float], iou: float, cut: float) -> Row:
    return Row((name, *examples, *map(signed, weights), measure(iou), threshold(cut)))


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for one in bins:
        measures = (measure(one[name]) for name in ("predicted", "observed"))
        rows.append(Row((f"{one['low']:g} to {one['high']:g}", count(one["instances"]), *measures)))
    return Table(("probability", "instances", "predicted", "observed"), tuple(rows))
