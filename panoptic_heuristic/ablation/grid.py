"""A grid of fusion settings, and the YAML file it is read from.

::

    CLAIM: [greedy]                                                # rules; this is the default
    INSTANCES_CONFIDENCE_THRESH: {from: 0.05, to: 0.95, steps: 10}
    OVERLAP_THRESH: [0.3, 0.5, 0.7]                                # of rules that have it
    STUFF_AREA_LIMIT: [0, 1024, 4096]                              # pixels
    STUFF_AREA_FRACTION: [0.001, 0.01]                             # of the image; further limits
    ORDER: {NAME: power, QUALITY_EXPONENT: 1}                      # one for all settings, and so is
    SUPPRESS: {NAME: nms, IOU_THRESHOLD: 0.5}

A value is a number, a list, or a range with both ends. A key left out has Detectron2's default.
"""

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import yaml
from fvcore.common.registry import Registry

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    ORDER_REGISTRY,
    SUPPRESS_REGISTRY,
    ByScore,
    NoSuppression,
    OrderRule,
    Pipeline,
    SuppressRule,
)
from panoptic_heuristic.fusion.parameters import OfCategory

_THRESHOLDS = ("INSTANCES_CONFIDENCE_THRESH", "OVERLAP_THRESH", "STUFF_AREA_LIMIT", "STUFF_AREA_FRACTION")
_KEYS = ("CLAIM", *_THRESHOLDS, "ORDER", "SUPPRESS")
_RANGE = {"from", "to", "steps"}
_MOST_SETTINGS = 1_000_000


@dataclass(frozen=True, order=True)
class ClaimSetting:
    """A claim rule and its parameter.

    Attributes:
        name: in YAML.
        overlap_threshold: None for a rule that has none.
    """

    name: str
    overlap_threshold: Optional[float]

    def rule(self) -> Any:
        """The rule itself."""
        rule = CLAIM_REGISTRY.get(self.name)
        return rule() if self.overlap_threshold is None else rule(overlap_threshold=self.overlap_threshold)


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
    """One point of a grid."""

    claim: ClaimSetting
    instances_score_thresh: float
    stuff_limit: StuffLimit
    order: OrderRule = field(default_factory=ByScore)
    suppress: SuppressRule = field(default_factory=NoSuppression)

    def pipeline(self) -> Pipeline:
        """What fuses by this setting."""
        return Pipeline(
            self.claim.rule(),
            instances_score_thresh=self.instances_score_thresh,
            stuff_area_thresh=self.stuff_limit.pixels,
            stuff_area_fraction=self.stuff_limit.fraction,
            order=self.order,
            suppress=self.suppress,
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
        claims: A rules with their parameters.
        cutoffs: K values of ``instances_score_thresh``.
        stuff_limits: L limits.
        order: of all settings.
        suppress: likewise.

    Raises:
        InputError: a value is out of its range or there twice, there are none or too many, or a
            rule has values of single categories.
    """

    claims: Tuple[ClaimSetting, ...]
    cutoffs: Tuple[float, ...]
    stuff_limits: Tuple[StuffLimit, ...]
    order: OrderRule = field(default_factory=ByScore)
    suppress: SuppressRule = field(default_factory=NoSuppression)

    def __post_init__(self):
        for name in ("claims", "cutoffs", "stuff_limits"):
            values = getattr(self, name)
            if not values:
                raise InputError(f"the grid is empty: it has no {name}")
            if len(set(values)) < len(values):
                raise InputError(f"the grid has a value of {name} twice: {values}")
        if len(self) > _MOST_SETTINGS:
            raise InputError(f"the grid has {len(self)} settings; at most {_MOST_SETTINGS} are counted at once")
        for rule in (self.order, self.suppress):
            if any(isinstance(value, OfCategory) for value in vars(rule).values()):
                raise InputError(f"a rule of a grid cannot have values of single categories, got {rule!r}")
        for claim in self.claims:
            # Each parameter is checked by whom it belongs to.
            for cutoff, limit in itertools.zip_longest(self.cutoffs, self.stuff_limits):
                Setting(claim, self.cutoffs[0] if cutoff is None else cutoff, limit or self.stuff_limits[0]).pipeline()

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
            Setting(*values, order=self.order, suppress=self.suppress)
            for values in itertools.product(self.claims, self.cutoffs, self.stuff_limits)
        )

    def to_json(self) -> Dict[str, Any]:
        """JSON values; :meth:`from_json` is the inverse."""
        return {
            "claims": [[claim.name, claim.overlap_threshold] for claim in self.claims],
            "cutoffs": list(self.cutoffs),
            "stuff_limits": [[limit.pixels, limit.fraction] for limit in self.stuff_limits],
            "order": _rule_to_json(ORDER_REGISTRY, self.order),
            "suppress": _rule_to_json(SUPPRESS_REGISTRY, self.suppress),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Grid":
        """Reads what :meth:`to_json` gave."""
        return cls(
            tuple(ClaimSetting(*value) for value in data["claims"]),
            tuple(data["cutoffs"]),
            tuple(StuffLimit(*value) for value in data["stuff_limits"]),
            _rule_from_json(ORDER_REGISTRY, data["order"]),
            _rule_from_json(SUPPRESS_REGISTRY, data["suppress"]),
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
        default = Pipeline()
        names = _listed(content.get("CLAIM", ["greedy"]))
        overlaps = _numbers(content, "OVERLAP_THRESH", [default.claim.overlap_threshold])
        claims: List[ClaimSetting] = []
        for name in names:
            if name not in CLAIM_REGISTRY:
                known = ", ".join(sorted(key for key, _ in CLAIM_REGISTRY))
                raise InputError(f"CLAIM must be of {known}, got {name!r}")
            has_overlap = "overlap_threshold" in {one.name for one in dataclasses.fields(CLAIM_REGISTRY.get(name))}
            claims += [ClaimSetting(name, value) for value in (overlaps if has_overlap else [None])]
        fractions = _numbers(content, "STUFF_AREA_FRACTION", [])
        pixels = _numbers(content, "STUFF_AREA_LIMIT", [] if fractions else [default.stuff_area_thresh])
        limits = [StuffLimit(value, 0.0) for value in pixels] + [StuffLimit(0.0, value) for value in fractions]
        cutoffs = _numbers(content, "INSTANCES_CONFIDENCE_THRESH", [default.instances_score_thresh])
        order = _rule(content, "ORDER", ORDER_REGISTRY) if "ORDER" in content else default.order
        suppress = _rule(content, "SUPPRESS", SUPPRESS_REGISTRY) if "SUPPRESS" in content else default.suppress
        return cls(tuple(claims), tuple(cutoffs), tuple(limits), order, suppress)


def _rule(content: Mapping[str, Any], key: str, registry: Registry) -> Any:
    """A rule from a mapping of its name and its parameters, as in a config."""
    values = dict(content[key]) if isinstance(content[key], Mapping) else {}
    name = values.pop("NAME", None)
    if not isinstance(name, str) or name not in registry:
        known = ", ".join(sorted(name for name, _ in registry))
        raise InputError(f"{key} must be a mapping with a NAME, which is one of {known}; got {content[key]!r}")
    rule = registry.get(name)
    parameter_of = {parameter.name.upper(): parameter.name for parameter in dataclasses.fields(rule)}
    for other in values:
        if other not in parameter_of:
            has = ", ".join(["NAME", *parameter_of])
            raise InputError(f"{key} has the key {other!r}; of {name} it may have {has}")
    return rule(**{parameter_of[other]: value for other, value in values.items()})


def _rule_to_json(registry: Registry, rule: Any) -> Dict[str, Any]:
    name = next(name for name, entry in registry if entry is type(rule))
    return {"name": name, **dataclasses.asdict(rule)}


def _rule_from_json(registry: Registry, data: Mapping[str, Any]) -> Any:
    return registry.get(data["name"])(**{name: value for name, value in data.items() if name != "name"})


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
