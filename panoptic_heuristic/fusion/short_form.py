"""A pipeline in a few words: that of which it may differ from Detectron2's, and the thresholds."""

import dataclasses
from typing import Any, Dict, List, Mapping, Set

from panoptic_heuristic.fusion.stages import DEFAULT_RULES, parameter_names, rule_name


def short_form(pipeline: Any) -> str:
    """See :meth:`panoptic_heuristic.fusion.Pipeline.described`; values of single categories are but counted."""
    rules = pipeline.rules
    parts = [_told("claim", rules["claim"])]
    for stage, rule in rules.items():
        told = _told(stage, rule)
        if stage != "claim" and told != DEFAULT_RULES[stage]:
            parts.append(f"{stage} {told}")
    for path in (
        "instances_score_thresh", "claim.overlap_threshold", "stuff_area_thresh", "stuff_area_fraction",
        "thing_area_thresh", "island_area_fraction",
    ):  # fmt: skip
        value = pipeline.value(path)
        # No limit goes unsaid, but for stuff that has none of the other kind either.
        unsaid = path.endswith(("fraction", "thing_area_thresh")) or pipeline.stuff_area_fraction and "stuff" in path
        if value is not None and (value or not unsaid):
            parts.append(f"{path.rpartition('.')[2]} {_number(value)}")
    number = len(_single_categories(pipeline))
    single = f"; values of their own for {number} class{'es' if number > 1 else ''}" if number else ""
    return ", ".join(parts) + single


def _told(stage: str, rule: Any) -> str:
    """Its name, and single numbers and words that are not its defaults; the overlap threshold is told elsewhere."""
    defaults: Dict[str, Any] = {field.name: field.default for field in dataclasses.fields(rule)}
    told: List[str] = []
    for name in parameter_names(rule):
        value = getattr(rule, name)
        if name != "overlap_threshold" and isinstance(value, (str, int, float)) and value != defaults[name]:
            told.append(f"{name} {_number(value)}")
    return rule_name(stage, rule) + (f" ({', '.join(told)})" if told else "")


def _single_categories(pipeline: Any) -> Set[int]:
    values = [value for owner in (pipeline, *pipeline.rules.values()) for value in vars(owner).values()]
    return {category_id for value in values if isinstance(value, Mapping) for category_id in value}


def _number(value: Any) -> str:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    return f"{value:.10g}" if value >= 1 else f"{value:.5g}"
