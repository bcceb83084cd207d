"""Numbers and settings as a report spells them."""

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.sweep.grid import Grid, Setting
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


def describe(setting: Setting) -> str:
    """A setting in words; a stuff limit of nothing goes unsaid beside one of the other kind."""
    values = setting.to_json()
    parts = [values.pop("claim")]
    if setting.stuff_limit.fraction:
        parts_left_out = () if setting.stuff_limit.pixels else ("stuff_area_thresh",)
    else:
        parts_left_out = ("stuff_area_fraction",)
    for name in ("instances_score_thresh", "overlap_threshold", "stuff_area_thresh", "stuff_area_fraction"):
        if values[name] is not None and name not in parts_left_out:
            parts.append(f"{name} {threshold(values[name])}")
    return ", ".join(parts)


def claim_rules(grid: Grid) -> str:
    """The claim rules of a grid with their parameters, without the overlap threshold."""
    return ", ".join(dict.fromkeys(_rule("claim", pipeline.claim) for pipeline in grid.pipelines))


def other_rules(grid: Grid) -> str:
    """What the settings of a grid share of rules that are not Detectron2's; empty if there are none."""
    default, base = DEFAULT_PIPELINE.rules, grid.base
    parts = [
        f"{stage} {_rule(stage, rule)}"
        for stage, rule in base.rules.items()
        if stage != "claim" and rule != default[stage]
    ]
    if base.thing_area_thresh > 0:
        parts.append(f"thing_area_thresh {threshold(base.thing_area_thresh)}")
    return ", ".join(parts)


def _rule(stage: str, rule: Any) -> str:
    name, *parameters = rule_to_mapping(stage, rule).items()
    told = [f"{key} {value}" for key, value in parameters if key not in ("overlap_threshold", "overlap_threshold_of")]
    return f"{name[1]} ({', '.join(told)})" if told else name[1]


def setting_columns(grid: Grid, settings: Sequence[int]) -> Tuple[Tuple[str, ...], List[Tuple[str, ...]]]:
    """The thresholds in which the settings of a grid differ, and the values of some settings.

    Returns:
        Names of columns, and a row per setting.
    """
    values = {
        "claim": {claim.name for claim in grid.claims},
        "instances_score_thresh": set(grid.cutoffs),
        "overlap_threshold": {claim.overlap_threshold for claim in grid.claims},
        "stuff_area_thresh": {limit.pixels for limit in grid.stuff_limits},
        "stuff_area_fraction": {limit.fraction for limit in grid.stuff_limits},
    }
    names = tuple(name for name, found in values.items() if len(found) > 1) or ("claim",)
    all_settings = grid.settings
    rows = []
    for number in settings:
        row: Dict = all_settings[number].to_json()
        rows.append(tuple(row[name] if name == "claim" else threshold(row[name]) for name in names))
    return names, rows
