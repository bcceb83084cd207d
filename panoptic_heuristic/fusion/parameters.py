"""Checks that parameter dataclasses share."""

import math
from typing import Any

from panoptic_heuristic.errors import InputError


def check_number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> None:
    """Raises if a parameter is no finite number of the closed interval [low, high].

    Raises:
        InputError: names the parameter, its interval and the value.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        interval = f"{'[' if math.isfinite(low) else '('}{low}, {high}{']' if math.isfinite(high) else ')'}"
        raise InputError(f"{name} must be a finite number in {interval}, got {value!r}")
