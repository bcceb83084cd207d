"""A grid of settings: a pipeline, and axes of values that replace its own."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Hashable, Iterator, Mapping, Set, Tuple

from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.columns import columns_of, row_of
from panoptic_heuristic.ablation.sweeping.grid_files import grid_of_content, read_yaml
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import STAGES, Pipeline
from panoptic_heuristic.fusion.argument_types import check_pipeline
from panoptic_heuristic.fusion.rule_files import check_rules_are_there
from panoptic_heuristic.fusion.stages import parameter_names

_MOST_SETTINGS = 1_000_000

# As one is written, for messages.
_AXIS = "Axis.of('instances_score_thresh', [0.3, 0.5])"


@dataclass(frozen=True)
class Grid:
    """All combinations of the alternatives of some axes. Settings are numbered with the last axis fastest.

    A value replaces the base's own; a parameter that the rule which is chosen lacks is left out, and a
    combination that is there already does not come again.

    Attributes:
        base: what the settings share.
        axes: may be none; the base is the only setting then.
        rule_files: Python files that register rules of one's own; reading a grid file runs them.

    Raises:
        InputError: the base is no pipeline or one of the axes is no axis, a value is out of its range, no rule has a
            parameter, or there are too many settings.
    """

    base: Pipeline
    axes: Tuple[Axis, ...] = ()
    rule_files: Tuple[str, ...] = ()

    def __post_init__(self):
        check_pipeline(self.base, "base")
        check_type("axes", self.axes, Sequence, f"({_AXIS},)")
        for axis in self.axes:
            check_type("one of the axes", axis, Axis, _AXIS)
        combinations = math.prod(len(axis.alternatives) for axis in self.axes)
        if combinations > _MOST_SETTINGS:
            raise InputError(f"the grid has {combinations} settings; at most {_MOST_SETTINGS} are counted at once")
        # Says what is wrong with a value.
        _ = self.settings

    def __len__(self) -> int:
        return len(self.settings)

    @cached_property
    def settings(self) -> Tuple[Pipeline, ...]:
        """All settings in the order of their numbers."""
        settings: Dict[Hashable, Pipeline] = {}
        left_out: Set[str] = set()
        used: Set[str] = set()
        for rules, with_rules, parameters in self._combinations():
            kept = {path: value for path, value in parameters.items() if _has(with_rules, path)}
            used.update(kept)
            left_out.update(parameters.keys() - kept.keys())
            # Values may be of any type.
            key = (rules, *((path, repr(value)) for path, value in kept.items()))
            if key not in settings:
                settings[key] = with_rules.replaced(kept)
        for path in sorted(left_out - used):
            raise InputError(f"no rule of the grid has the parameter {path}; take it out")
        return tuple(settings.values())

    @cached_property
    def columns(self) -> Dict[str, str]:
        """Column -> path of what a table of the settings shows, see :func:`columns_of`."""
        return columns_of(self.settings)

    def row(self, number: int) -> Dict[str, Any]:
        """The values of a setting by column; None where its rule has no such parameter."""
        return row_of(self.settings[number], self.columns)

    def to_json(self) -> Dict[str, Any]:
        """JSON values; :meth:`from_json` is the inverse."""
        return {
            "base": self.base.to_mapping(),
            "axes": [axis.to_json() for axis in self.axes],
            "rule_files": list(self.rule_files),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Grid":
        """Reads what :meth:`to_json` gave. The rule files are not run.

        Raises:
            InputError: a rule is not there, or a value is out of its range.
        """
        check_rules_are_there(_rules_in(data), data["rule_files"])
        axes = tuple(Axis.from_json(axis) for axis in data["axes"])
        return cls(Pipeline.from_mapping(data["base"]), axes, tuple(data["rule_files"]))

    @classmethod
    def from_file(cls, path: PathLike) -> "Grid":
        """Reads a grid file, see :mod:`panoptic_heuristic.ablation.sweeping.grid_files`.

        Raises:
            InputError: the file is missing or no YAML, a key is unknown, or a value is out of its range.
        """
        content = read_yaml(path)
        try:
            return cls(*grid_of_content(content))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def _combinations(self) -> Iterator[Tuple[Tuple[int, ...], Pipeline, Dict[str, Any]]]:
        """All combinations: the places of their rules on the axes, the base with these, and the other values."""
        with_rules: Dict[Tuple[int, ...], Pipeline] = {}
        rule_axes = [number for number, axis in enumerate(self.axes) if axis.has_rules]
        places_of_axes = [range(len(axis.alternatives)) for axis in self.axes]
        for places in itertools.product(*places_of_axes):
            values: Dict[str, Any] = {}
            for axis, place in zip(self.axes, places, strict=True):
                values.update(axis.alternatives[place])
            rules = tuple(places[number] for number in rule_axes)
            if rules not in with_rules:
                with_rules[rules] = self.base.replaced({path: one for path, one in values.items() if path in STAGES})
            yield rules, with_rules[rules], {path: one for path, one in values.items() if path not in STAGES}


def _rules_in(data: Mapping[str, Any]) -> Iterator[Tuple[str, Any]]:
    """Stage and name of all rules in what :meth:`Grid.to_json` gave."""
    alternatives = [dict(one) for axis in data["axes"] for one in axis]
    for values in [data["base"], *alternatives]:
        yield from ((stage, values[stage]["name"]) for stage in STAGES if stage in values)


def _has(pipeline: Pipeline, path: str) -> bool:
    """True if a pipeline has a value at a path."""
    stage, _, parameter = path.partition(".")
    return stage not in STAGES or parameter in parameter_names(getattr(pipeline, stage))
