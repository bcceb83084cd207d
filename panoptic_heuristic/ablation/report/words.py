"""Numbers and settings as a report spells them."""

import math
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.fusion import DEFAULT_PIPELINE
from panoptic_heuristic.fusion.stages import rule_to_mapping

_MINUS = "\N{MINUS SIGN}"
_NONE = "\N{EN DASH}"


def measure(value: Optional[float], digits: int = 2) -> str:
    """A PQ, SQ or RQ in percent; a dash where there is none."""
    if value is None or math.isnan(value):
        return _NONE
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", _MINUS)


def signed(value: Optional[float], digits: int = 2) -> str:
    """A difference with its sign; one that rounds to zero has none."""
    text = measure(value, digits)
    return text if text[0] in (_MINUS, _NONE) or not float(text) else f"+{text}"


def between(bounds: Optional[Tuple[float, float]], digits: int = 2) -> str:
    """An interval of a difference; empty where it is not known."""
    return "" if bounds is None else f"[{signed(bounds[0], digits)}, {signed(bounds[1], digits)}]"


def count(value: int) -> str:
    """An integer as people write it."""
    return f"{value:,}".replace("-", _MINUS)


def signed_count(value: int) -> str:
    """A difference of integers with its sign."""
    return f"+{count(value)}" if value > 0 else count(value)


def plural(number: int, noun: str) -> str:
    """Such as "1 image", "5,000 images" and "2 classes"."""
    return f"1 {noun}" if number == 1 else f"{count(number)} {noun}{'es' if noun.endswith('s') else 's'}"


def threshold(value: Optional[float]) -> str:
    """The value of a threshold, in as few digits as tell it from its neighbours; a dash where there is none."""
    if value is None:
        return _NONE
    return f"{value:.10g}" if value >= 1 else f"{value:.3g}"


def describe(values: Mapping[str, Any]) -> str:
    """A setting in words; a stuff limit of nothing goes unsaid beside one of the other kind.

    Args:
        values: by column, see :meth:`panoptic_heuristic.ablation.sweeping.grid.Grid.row`.
    """
    values = dict(values)
    left_out = "stuff_area_fraction"
    if values["stuff_area_fraction"]:
        left_out = None if values["stuff_area_thresh"] else "stuff_area_thresh"
    parts = [values.pop("claim")]
    first = ("instances_score_thresh", "overlap_threshold", "stuff_area_thresh", "stuff_area_fraction")
    for name in dict.fromkeys((*first, *values)):
        if values[name] is not None and name != left_out:
            parts.append(f"{name} {_told(values[name])}")
    return ", ".join(parts)


def claim_rules(grid: Grid) -> str:
    """The claim rules of a grid with their parameters, without the overlap threshold."""
    return ", ".join(_rules(grid, "claim"))


def other_rules(grid: Grid) -> str:
    """The rules of a grid that are not Detectron2's, all of a stage that has one; empty if there are none."""
    parts = []
    for stage, default in DEFAULT_PIPELINE.rules.items():
        rules = _rules(grid, stage)
        if stage != "claim" and rules != [_rule(stage, default)]:
            parts.append(f"{stage} {' or '.join(rules)}")
    for name in ("thing_area_thresh", "island_area_fraction"):
        values = sorted({pipeline.value(name) for pipeline in grid.settings})
        if values != [0]:
            parts.append(f"{name} {' or '.join(map(threshold, values))}")
    return ", ".join(parts)


def _rules(grid: Grid, stage: str) -> List[str]:
    return list(dict.fromkeys(_rule(stage, getattr(pipeline, stage)) for pipeline in grid.settings))


def _rule(stage: str, rule: Any) -> str:
    name, *parameters = rule_to_mapping(stage, rule).items()
    told = [f"{key} {value}" for key, value in parameters if key not in ("overlap_threshold", "overlap_threshold_of")]
    return f"{name[1]} ({', '.join(told)})" if told else name[1]


def _told(value: Any) -> str:
    """A value of a table; a dash where there is none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return threshold(value) if value is None or is_number else str(value)


def setting_columns(grid: Grid, settings: Sequence[int]) -> Tuple[Tuple[str, ...], List[Tuple[str, ...]]]:
    """The values in which the settings of a grid differ, and those of some settings.

    Returns:
        Names of columns, and a row per setting.
    """
    rows = [grid.row(number) for number in range(len(grid))]
    differing = [name for name in grid.columns if any(row[name] != rows[0][name] for row in rows)]
    # Words first, and the threshold that says most before the others.
    first = [name for name in ("claim", "instances_score_thresh") if name in differing]
    names = tuple(dict.fromkeys((*first, *differing))) or ("claim",)
    return names, [tuple(_told(rows[number][name]) for name in names) for number in settings]
