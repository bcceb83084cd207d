"""Which rules fuse, and with which thresholds."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Mapping

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.border import BorderRule, NoRefinement
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.head_outputs import Need, needs_of
from panoptic_heuristic.fusion.leftover import LeftoverRule, LeftToVoid
from panoptic_heuristic.fusion.order import ByScore, OrderRule
from panoptic_heuristic.fusion.parameters import OfCategory, check_categories, check_number, numbers_of_categories
from panoptic_heuristic.fusion.rules.claim_greedy import Greedy
from panoptic_heuristic.fusion.stages import STAGES, rule_from_json, rule_name, rule_to_json
from panoptic_heuristic.fusion.stuff import DroppedToVoid, StuffRule
from panoptic_heuristic.fusion.suppress import NoSuppression, SuppressRule
from panoptic_heuristic.fusion.veto import NoVeto, VetoRule


@dataclass(frozen=True)
class Pipeline:
    """The rules and thresholds of fusing. The default is Detectron2's.

    Attributes:
        claim: who gets a contested pixel.
        instances_score_thresh: an instance is kept if its score >= it; compared in float64.
        stuff_area_thresh: a stuff segment is dropped if its free area in pixels < it; >= 0.
        stuff_area_fraction: a stuff segment is also dropped if its free area < it times the pixels
            of the image; compared in float64; in [0, 1].
        order: in which order instances claim; it may drop some.
        suppress: what is dropped, or taken off masks, before that.
        veto: which instances go after all have claimed.
        stuff: how stuff fills what is free.
        leftover: who gets pixels that the labels give to things, but no instance took.
        border: how borders are cleaned at the end.
        thing_area_thresh: an instance is dropped if it has fewer pixels after the veto; >= 0.
        instances_score_thresh_of: for single things, in place of ``instances_score_thresh``; keys
            are dataset category ids, here and below.
        stuff_area_thresh_of: for single stuff, in place of ``stuff_area_thresh``.
        stuff_area_fraction_of: for single stuff, in place of ``stuff_area_fraction``.

    Raises:
        InputError: a value is out of its interval, or a rule takes away what a later one needs.
    """

    claim: ClaimRule = field(default_factory=Greedy)
    instances_score_thresh: float = 0.5
    stuff_area_thresh: float = 4096
    stuff_area_fraction: float = 0.0
    order: OrderRule = field(default_factory=ByScore)
    suppress: SuppressRule = field(default_factory=NoSuppression)
    veto: VetoRule = field(default_factory=NoVeto)
    stuff: StuffRule = field(default_factory=DroppedToVoid)
    leftover: LeftoverRule = field(default_factory=LeftToVoid)
    border: BorderRule = field(default_factory=NoRefinement)
    thing_area_thresh: float = 0
    instances_score_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_fraction_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        for stage, rule in self.rules.items():
            if not callable(getattr(rule, STAGES[stage].method, None)):
                example = type(getattr(DEFAULT_PIPELINE, stage)).__name__
                raise InputError(f"{stage} must be a rule such as {example}(), got {rule!r}")
        self._check("instances_score_thresh", isthing=True)
        self._check("stuff_area_thresh", 0, isthing=False)
        self._check("stuff_area_fraction", 0, 1, isthing=False)
        check_number("thing_area_thresh", self.thing_area_thresh, 0)
        taken = getattr(self.suppress, "takes", ())
        name = rule_name("suppress", self.suppress)
        # What orders instances is measured on what the heads gave.
        self._check_needs("claim", {need: f"suppress={name} changes the masks" for need in taken})

    def _check(self, name: str, *interval: float, isthing: bool) -> None:
        check_number(name, getattr(self, name), *interval)
        values = numbers_of_categories(f"{name}_of", getattr(self, f"{name}_of"), *interval, isthing=isthing)
        object.__setattr__(self, f"{name}_of", values)

    @property
    def rules(self) -> Dict[str, Any]:
        """The rule of each stage, in the order in which they work."""
        return {stage: getattr(self, stage) for stage in STAGES}

    @property
    def needs(self) -> FrozenSet[Need]:
        """What its rules need besides masks, scores and categories."""
        return frozenset().union(*map(needs_of, self.rules.values()))

    def check_categories(self, categories: Categories) -> None:
        """Raises if a value is for a category that is unknown, or for stuff where a thing is meant.

        Raises:
            InputError: names the parameter and the category.
        """
        for rule in (self, *self.rules.values()):
            check_categories(rule, categories)

    def check_needs(self, missing: Mapping[Need, str]) -> None:
        """Raises if a rule needs what there will not be. For a check before the first image.

        Args:
            missing: what there will not be, and why: a sentence that can follow "but".

        Raises:
            InputError: names the stage, the rule, what it needs, and why it is missing.
        """
        for stage in STAGES:
            self._check_needs(stage, missing)

    def _check_needs(self, stage: str, missing: Mapping[Need, str]) -> None:
        rule = getattr(self, stage)
        for need in sorted(needs_of(rule) & set(missing), key=lambda need: need.name):
            raise InputError(f"{stage}={rule_name(stage, rule)} needs {need.value}, but {missing[need]}")

    def score_cutoff(self, category_id: int) -> float:
        """The score that an instance of a category needs."""
        return self.instances_score_thresh_of.get(category_id, self.instances_score_thresh)

    def is_too_small(self, category_id: int, area: int, image_area: int) -> bool:
        """Whether a stuff segment is dropped for its size.

        Args:
            category_id: of stuff.
            area: its free pixels.
            image_area: the pixels of the image, H * W.
        """
        fraction = self.stuff_area_fraction_of.get(category_id, self.stuff_area_fraction)
        return area < self.stuff_area_thresh_of.get(category_id, self.stuff_area_thresh) or area < fraction * image_area

    def __str__(self) -> str:
        """One line: the rule of each stage with its parameters, then the thresholds, as in :meth:`to_json`."""
        rules, thresholds = [], []
        for name, value in self.to_json().items():
            if name in STAGES:
                parameters = {key: one for key, one in value.items() if key != "name" and one != {"of_category": []}}
                listed = ", ".join(f"{key}={_short(one)}" for key, one in parameters.items())
                rules.append(f"{name}={value['name']}" + (f"({listed})" if listed else ""))
            else:
                thresholds.append(f"{name}={_short(value)}")
        return f"{' '.join(rules)}; {' '.join(thresholds)}"

    def to_json(self) -> Dict[str, Any]:
        """JSON values, to be stored with what was fused; :meth:`from_json` is the inverse.

        Rules come first, in the order in which they work; thresholds of single categories only where
        there are some.
        """
        values: Dict[str, Any] = {stage: rule_to_json(stage, rule) for stage, rule in self.rules.items()}
        for name in _THRESHOLDS:
            values[name] = getattr(self, name)
            if of_category := getattr(self, f"{name}_of", None):
                values[f"{name}_of"] = sorted(map(list, of_category.items()))
        return values

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pipeline":
        """Reads what :meth:`to_json` gave; what is missing has its default.

        Raises:
            InputError: there is no such rule, or a value is out of its interval.
        """
        values = {
            key: rule_from_json(key, value) if key in STAGES else dict(value) if key.endswith("_of") else value
            for key, value in data.items()
        }
        return cls(**values)

    @property
    def has_values_of_categories(self) -> bool:
        """Whether a threshold or a rule has values of single categories."""
        return any(isinstance(value, OfCategory) and value for one in (self, *self.rules.values())
                   for value in (getattr(one, parameter.name) for parameter in dataclasses.fields(one)))  # fmt: skip


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"of {len(value['of_category'])} categories"
    if isinstance(value, list):
        return f"{len(value)} values"
    return f"{value:g}" if isinstance(value, float) else str(value)


_THRESHOLDS = ("instances_score_thresh", "stuff_area_thresh", "stuff_area_fraction", "thing_area_thresh")

DEFAULT_PIPELINE = Pipeline()
"""Detectron2's rule and thresholds."""
