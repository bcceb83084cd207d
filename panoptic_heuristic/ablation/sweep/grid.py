"""A grid of fusion settings, and the YAML file it is read from.

::

    CLAIM: [greedy, {NAME: class_aware, FREE_FRACTION: 0.2}]       # rules; greedy is the default
    INSTANCES_CONFIDENCE_THRESH: {from: 0.05, to: 0.95, steps: 10}
    OVERLAP_THRESH: [0.3, 0.5, 0.7]                                # of rules that have it
    STUFF_AREA_LIMIT: [0, 1024, 4096]                              # pixels
    STUFF_AREA_FRACTION: [0.001, 0.01]                             # of the image; further limits
    ORDER: {NAME: power, QUALITY_EXPONENT: 1}                      # one for all settings, and so are
    SUPPRESS: {NAME: nms, IOU_THRESHOLD: 0.5}                      # VETO, STUFF, LEFTOVER, BORDER and
    THING_AREA_LIMIT: 64                                           # pixels
    PRESET: rap                                                    # the rules where a stage has no key
    RULE_FILES: [my_rules.py]                                      # that register rules of one's own

A value that is swept is a number, a list, or a range with both ends. A key left out has Detectron2's
default; without ``OVERLAP_THRESH`` each claim rule has its own. Categories are named by their ids.
"""

import dataclasses
import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.parameters import OfCategory
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.fusion.rule_files import load_rule_files
from panoptic_heuristic.fusion.stages import STAGES, rule_class, rule_name

_THRESHOLDS = ("INSTANCES_CONFIDENCE_THRESH", "OVERLAP_THRESH", "STUFF_AREA_LIMIT", "STUFF_AREA_FRACTION")
_BASE_STAGES = tuple(stage for stage in STAGES if stage != "claim")
_KEYS = ("CLAIM", *_THRESHOLDS, *(stage.upper() for stage in _BASE_STAGES), "THING_AREA_LIMIT", "PRESET", "RULE_FILES")
_RANGE = {"from", "to", "steps"}
_MOST_SETTINGS = 1_000_000


@dataclass(frozen=True)
class ClaimSetting:
    """A claim rule with its overlap threshold, which is swept, and its other parameters, which are not.

    Attributes:
        name: in YAML.
        overlap_threshold: None for a rule that has none.
        parameters: pairs of a name and a value, of the other parameters that are not as in the base.
    """

    name: str
    overlap_threshold: Optional[float]
    parameters: Tuple[Tuple[str, Any], ...] = ()

    def rule(self, base: ClaimRule = DEFAULT_PIPELINE.claim) -> ClaimRule:
        """The rule itself.

        Args:
            base: its parameters are kept if it is of that name.

        Raises:
            InputError: there is no such rule, or a value is out of its interval.
        """
        rule = base if rule_name("claim", base) == self.name else rule_class("claim", self.name)()
        values = dict(self.parameters)
        if self.overlap_threshold is not None:
            values["overlap_threshold"] = self.overlap_threshold
        return dataclasses.replace(rule, **values)


@dataclass(frozen=True, order=True)
class StuffLimit:
    """A stuff segment is dropped if it has fewer pixels than either of these.

    Attributes:
        pixels: see ``stuff_area_thresh``.
        fraction: of the pixels of the image, see ``stuff_area_fraction``.
    """

    pixels: float
    fraction: float


@dataclass(frozen=True)
class Setting:
    """One point of a grid.

    Attributes:
        claim: who gets a contested pixel.
        instances_score_thresh, stuff_limit: see :class:`panoptic_heuristic.fusion.Pipeline`.
        base: all else. Its own claim rule and thresholds that are swept do not matter, but for the
            parameters of a claim rule of the same name.
    """

    claim: ClaimSetting
    instances_score_thresh: float
    stuff_limit: StuffLimit
    base: Pipeline = DEFAULT_PIPELINE

    def pipeline(self) -> Pipeline:
        """What fuses by this setting."""
        return dataclasses.replace(
            self.base,
            claim=self.claim.rule(self.base.claim),
            instances_score_thresh=self.instances_score_thresh,
            stuff_area_thresh=self.stuff_limit.pixels,
            stuff_area_fraction=self.stuff_limit.fraction,
        )

    def to_json(self) -> Dict[str, Any]:
        """What differs between the settings of a grid, in the words of the Python arguments."""
        return {
            "claim": self.claim.name,
            "overlap_threshold": self.claim.overlap_threshold,
            "instances_score_thresh": self.instances_score_thresh,
            "stuff_area_thresh": self.stuff_limit.pixels,
            "stuff_area_fraction": self.stuff_limit.fraction,
        }


@dataclass(frozen=True)
class Grid:
    """All combinations of some values. Settings are numbered with the last axis fastest.

    Attributes:
        claims: A rules with their parameters; those of one name differ in overlap thresholds only.
        cutoffs: K values of ``instances_score_thresh``.
        stuff_limits: L limits.
        base: of all settings, see :class:`Setting`.
        rule_files: Python files that register rules of one's own; reading the grid runs them.

    Raises:
        InputError: a value is out of its range or there twice, there are none or too many, or a
            rule or threshold has values of single categories.
    """

    claims: Tuple[ClaimSetting, ...]
    cutoffs: Tuple[float, ...]
    stuff_limits: Tuple[StuffLimit, ...]
    base: Pipeline = DEFAULT_PIPELINE
    rule_files: Tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("claims", "cutoffs", "stuff_limits"):
            values = getattr(self, name)
            if not values:
                raise InputError(f"the grid is empty: it has no {name}")
            if len(set(values)) < len(values):
                raise InputError(f"the grid has a value of {name} twice: {values}")
        if len(self) > _MOST_SETTINGS:
            raise InputError(f"the grid has {len(self)} settings; at most {_MOST_SETTINGS} are counted at once")
        parameters = {claim.name: claim.parameters for claim in self.claims}
        for claim in self.claims:
            if claim.parameters != parameters[claim.name]:
                raise InputError(f"the grid has {claim.name} with two sets of parameters; sweep them one by one")
            # Each parameter is checked by whom it belongs to.
            for cutoff, limit in itertools.zip_longest(self.cutoffs, self.stuff_limits):
                cutoff = self.cutoffs[0] if cutoff is None else cutoff
                pipeline = Setting(claim, cutoff, limit or self.stuff_limits[0], self.base).pipeline()
            if _has_values_of_categories(pipeline):
                raise InputError(f"a grid cannot have values of single categories, got {pipeline}")

    def __len__(self) -> int:
        return len(self.claims) * len(self.cutoffs) * len(self.stuff_limits)

    @property
    def shape(self) -> Tuple[int, int, int]:
        """(A, K, L)."""
        return len(self.claims), len(self.cutoffs), len(self.stuff_limits)

    @property
    def settings(self) -> Tuple[Setting, ...]:
        """All settings in the order of their numbers."""
        return tuple(
            Setting(*values, self.base) for values in itertools.product(self.claims, self.cutoffs, self.stuff_limits)
        )

    @cached_property
    def pipelines(self) -> Tuple[Pipeline, ...]:
        """What fuses by the first setting of each of ``claims``: all rules of the grid."""
        return tuple(
            Setting(claim, self.cutoffs[0], self.stuff_limits[0], self.base).pipeline() for claim in self.claims
        )

    def to_json(self) -> Dict[str, Any]:
        """JSON values; :meth:`from_json` is the inverse."""
        return {
            "claims": [[claim.name, claim.overlap_threshold, dict(claim.parameters)] for claim in self.claims],
            "cutoffs": list(self.cutoffs),
            "stuff_limits": [[limit.pixels, limit.fraction] for limit in self.stuff_limits],
            "base": self.base.to_mapping(),
            "rule_files": list(self.rule_files),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Grid":
        """Reads what :meth:`to_json` gave."""
        load_rule_files(data["rule_files"])
        return cls(
            tuple(ClaimSetting(name, overlap, _pairs(values)) for name, overlap, values in data["claims"]),
            tuple(data["cutoffs"]),
            tuple(StuffLimit(*value) for value in data["stuff_limits"]),
            Pipeline.from_mapping(data["base"]),
            tuple(data["rule_files"]),
        )

    @classmethod
    def from_yaml(cls, path: PathLike) -> "Grid":
        """Reads a grid file.

        Raises:
            InputError: the file is missing or no YAML, a key is unknown, or a value is out of its range.
        """
        try:
            with open(path, encoding="utf-8") as file:
                content = yaml.safe_load(file)
        except OSError as error:
            raise InputError(f"cannot read the grid {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
        if content is None:
            raise InputError(f"the grid {path} is empty; give values of {', '.join(_KEYS)}")
        if not isinstance(content, Mapping):
            raise InputError(f"{path}: expected the keys {', '.join(_KEYS)}, got {content!r}")
        for key in content:
            if key not in _KEYS:
                raise InputError(f"{path} has the key {key!r}; a grid has {', '.join(_KEYS)}")
        try:
            return cls._of_content(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def _of_content(cls, content: Mapping[str, Any]) -> "Grid":
        rule_files = _listed(content.get("RULE_FILES", []))
        load_rule_files(rule_files)
        base = _base(content)
        claims: List[ClaimSetting] = []
        for entry in _listed(content.get("CLAIM", rule_name("claim", base.claim))):
            claims += _claims(entry, base, content)
        fractions = _numbers(content, "STUFF_AREA_FRACTION", [])
        pixels = _numbers(content, "STUFF_AREA_LIMIT", [] if fractions else [base.stuff_area_thresh])
        limits = [StuffLimit(value, 0.0) for value in pixels] + [StuffLimit(0.0, value) for value in fractions]
        cutoffs = _numbers(content, "INSTANCES_CONFIDENCE_THRESH", [base.instances_score_thresh])
        return cls(tuple(claims), tuple(cutoffs), tuple(limits), base, tuple(rule_files))


def _has_values_of_categories(pipeline: Pipeline) -> bool:
    owners = (pipeline, *pipeline.rules.values())
    return any(isinstance(value, OfCategory) and value for owner in owners for value in vars(owner).values())


def _base(content: Mapping[str, Any]) -> Pipeline:
    """What all settings share."""
    base = Pipeline.from_mapping(preset_rules(content["PRESET"])) if "PRESET" in content else DEFAULT_PIPELINE
    values: Dict[str, Any] = {}
    for stage in _BASE_STAGES:
        if (key := stage.upper()) in content:
            name, parameters = _named(content[key], stage)
            values[stage] = rule_class(stage, name)(**parameters)
    if "THING_AREA_LIMIT" in content:
        values["thing_area_thresh"] = content["THING_AREA_LIMIT"]
    return dataclasses.replace(base, **values)


def _claims(entry: Any, base: Pipeline, content: Mapping[str, Any]) -> List[ClaimSetting]:
    """A claim rule, by its name or a mapping, with each overlap threshold."""
    if isinstance(entry, Mapping):
        name, parameters = _named(entry, "claim")
        if "overlap_threshold" in parameters:
            raise InputError("CLAIM has the key 'OVERLAP_THRESHOLD', which is swept; give it as OVERLAP_THRESH")
    else:
        name, parameters = entry, {}
        _check_name(name, "claim", f"CLAIM must be of {{known}}, or mappings with a NAME; got {name!r}")
    own = getattr(ClaimSetting(name, None).rule(base.claim), "overlap_threshold", None)
    overlaps = [None] if own is None else _numbers(content, "OVERLAP_THRESH", [own])
    return [ClaimSetting(name, overlap, _pairs(parameters)) for overlap in overlaps]


def _named(value: Any, stage: str) -> Tuple[str, Dict[str, Any]]:
    """The name and the parameters in a mapping, as in a config."""
    key, values = stage.upper(), dict(value) if isinstance(value, Mapping) else {}
    name = values.pop("NAME", None)
    _check_name(name, stage, f"{key} must be a mapping with a NAME, which is one of {{known}}; got {value!r}")
    parameter_of = {field.name.upper(): field.name for field in dataclasses.fields(rule_class(stage, name))}
    for other in values:
        if other not in parameter_of:
            has = ", ".join(["NAME", *parameter_of])
            raise InputError(f"{key} has the key {other!r}; of {name} it may have {has}")
        if isinstance(values[other], Mapping):
            raise InputError(f"{key}.{other}: a grid cannot have values of single categories, got {values[other]}")
    return name, {parameter_of[other]: _frozen(one) for other, one in values.items()}


def _check_name(name: Any, stage: str, message: str) -> None:
    known = sorted(one for one, _ in STAGES[stage])
    if not isinstance(name, str) or name not in known:
        raise InputError(message.replace("{known}", ", ".join(known)))


def _pairs(parameters: Mapping[str, Any]) -> Tuple[Tuple[str, Any], ...]:
    return tuple(sorted((name, _frozen(value)) for name, value in parameters.items()))


def _frozen(value: Any) -> Any:
    """Lists of YAML and JSON as tuples, which are hashable."""
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _listed(value: Any) -> List[Any]:
    return list(value) if isinstance(value, list) else [value]


def _numbers(content: Mapping[str, Any], key: str, default: List[float]) -> List[float]:
    """The values of a key as floats: a number, a list of numbers, or a range."""
    value = content.get(key, default)
    if isinstance(value, Mapping):
        return _range(key, value)
    values = _listed(value)
    for one in values:
        if isinstance(one, bool) or not isinstance(one, (int, float)):
            raise InputError(f"{key} must be a number, a list of numbers, or {{from, to, steps}}; got {one!r}")
    return [float(one) for one in values]


def _range(key: str, value: Mapping[str, Any]) -> List[float]:
    if set(value) != _RANGE or not all(isinstance(one, (int, float)) for one in value.values()):
        raise InputError(f"{key}: a range has the numbers from, to and steps, got {dict(value)}")
    steps = value["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or not 2 <= steps <= _MOST_SETTINGS:
        raise InputError(f"{key}: steps must be a whole number of at least 2, got {steps!r}")
    # 0.1 + 2 * 0.1 is not 0.3; ten digits are.
    return [round(float(one), 10) for one in np.linspace(value["from"], value["to"], steps)]
