"""Axes of a grid: alternatives of some values of a pipeline."""

import json
from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import listed
from panoptic_heuristic.fusion import STAGES
from panoptic_heuristic.fusion.stages import rule_from_mapping, rule_to_mapping, value_from_json, value_to_json


@dataclass(frozen=True)
class Axis:
    """Alternatives, each of one value or more.

    Attributes:
        alternatives: each maps paths of a pipeline, see :class:`panoptic_heuristic.fusion.Pipeline`, to values. At the
            path of a stage is a rule.

    Raises:
        InputError: there is no alternative, or one of them twice.
    """

    alternatives: Tuple[Mapping[str, Any], ...]

    def __post_init__(self):
        if not self.alternatives:
            raise InputError("the grid is empty: an axis has no value")
        seen = set()
        for alternative in self.to_json():
            text = json.dumps(alternative)
            if text in seen:
                told = ", ".join(f"{path} {value}" for path, value in alternative)
                raise InputError(f"the grid has a value twice: {told}")
            seen.add(text)

    @classmethod
    def of(cls, path: str, values: Iterable[Any]) -> "Axis":
        """The values of one path.

        Raises:
            InputError: ``values`` is a single one, or empty.
        """
        return cls(tuple({path: value} for value in listed(f"the values of {path}", values, "[0.3, 0.5]")))

    @classmethod
    def of_stuff_limits(cls, pixels: Iterable[float] = (), fractions: Iterable[float] = ()) -> "Axis":
        """Limits of stuff in pixels, and then limits that are fractions of the image."""
        limits = [(float(value), 0.0) for value in pixels] + [(0.0, float(value)) for value in fractions]
        return cls(tuple({"stuff_area_thresh": area, "stuff_area_fraction": fraction} for area, fraction in limits))

    @property
    def has_rules(self) -> bool:
        """True if a rule is among the values."""
        return any(path in STAGES for one in self.alternatives for path in one)

    def to_json(self) -> List[Any]:
        """JSON values; :meth:`from_json` is the inverse."""
        return [[[path, _value_to_json(path, value)] for path, value in one.items()] for one in self.alternatives]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> "Axis":
        """Reads what :meth:`to_json` gave."""
        return cls(tuple({path: _value_from_json(path, value) for path, value in one} for one in data))


def _value_to_json(path: str, value: Any) -> Any:
    return rule_to_mapping(path, value) if path in STAGES else value_to_json(value)


def _value_from_json(path: str, value: Any) -> Any:
    return rule_from_mapping(path, value) if path in STAGES else value_from_json(value)
