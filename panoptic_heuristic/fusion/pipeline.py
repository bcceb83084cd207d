"""The rules and thresholds of fusing: the one class that says how images are fused."""

import dataclasses
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Dict, FrozenSet, Mapping, Optional, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.border import BorderRule
from panoptic_heuristic.fusion.category_lists import CategoryError
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.config_form import config_values, pipeline_to_config, told_by_key
from panoptic_heuristic.fusion.head_outputs import Need, needs_of
from panoptic_heuristic.fusion.leftover import LeftoverRule
from panoptic_heuristic.fusion.order import OrderRule
from panoptic_heuristic.fusion.parameters import (
    ParameterError,
    check_categories,
    check_number,
    numbers_of_categories,
)
from panoptic_heuristic.fusion.pipeline_files import read_pipeline_file
from panoptic_heuristic.fusion.presets import preset_mapping
from panoptic_heuristic.fusion.rules.border_none import NoRefinement
from panoptic_heuristic.fusion.rules.claim_greedy import Greedy
from panoptic_heuristic.fusion.rules.leftover_void import LeftToVoid
from panoptic_heuristic.fusion.rules.order_score import ByScore
from panoptic_heuristic.fusion.rules.stuff_void import DroppedToVoid
from panoptic_heuristic.fusion.rules.suppress_none import NoSuppression
from panoptic_heuristic.fusion.rules.veto_none import NoVeto
from panoptic_heuristic.fusion.short_form import short_form
from panoptic_heuristic.fusion.stages import (
    STAGES,
    THRESHOLDS,
    changed_rule,
    make_rule,
    rule_from_mapping,
    rule_name,
    rule_to_mapping,
)
from panoptic_heuristic.fusion.stuff import StuffRule
from panoptic_heuristic.fusion.suppress import SuppressRule
from panoptic_heuristic.fusion.veto import VetoRule


@dataclass(frozen=True)
class Pipeline:
    """The rules and thresholds of fusing. The default is Detectron2's.

    A value goes by its path: ``instances_score_thresh`` is a threshold, ``claim`` the rule of a stage, and
    ``claim.overlap_threshold`` a parameter of it.

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
        island_area_fraction: a connected part of one semantic label, of things or stuff, with fewer pixels than it
            times those of the image is an island, and takes the labels around it before everything else; see
            :func:`panoptic_heuristic.fusion.islands.without_islands`; in [0, 1]. Logits stay as they are, and what
            orders instances is measured on the head's own labels.
        instances_score_thresh_of: for single things, in place of ``instances_score_thresh``; keys
            are dataset category ids, here and below.
        stuff_area_thresh_of: for single stuff, in place of ``stuff_area_thresh``.
        stuff_area_fraction_of: for single stuff, in place of ``stuff_area_fraction``.

    Raises:
        ParameterError: a value is out of its interval, or a rule takes away what a later one needs.
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
    island_area_fraction: float = 0.0
    instances_score_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_fraction_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        for stage, rule in self.rules.items():
            if not callable(getattr(rule, STAGES[stage].method, None)):
                example = type(getattr(DEFAULT_PIPELINE, stage)).__name__
                raise ParameterError(None, f"must be a rule such as {example}(), got {rule!r}", stage=stage)
        self._check("instances_score_thresh", isthing=True)
        self._check("stuff_area_thresh", 0, isthing=False)
        self._check("stuff_area_fraction", 0, 1, isthing=False)
        check_number("thing_area_thresh", self.thing_area_thresh, 0)
        check_number("island_area_fraction", self.island_area_fraction, 0, 1)
        taken = getattr(self.suppress, "takes", ())
        name = rule_name("suppress", self.suppress)
        # What orders instances is measured on what the heads gave.
        self._check_needs("claim", {need: f"<suppress>={name} changes the masks" for need in taken})

    def _check(self, name: str, *interval: float, isthing: bool) -> None:
        check_number(name, getattr(self, name), *interval)
        values = numbers_of_categories(f"{name}_of", getattr(self, f"{name}_of"), *interval, isthing=isthing)
        object.__setattr__(self, f"{name}_of", values)

    @property
    def rules(self) -> Dict[str, Any]:
        """The rule of each stage, in the order in which they work."""
        return {stage: getattr(self, stage) for stage in STAGES}

    @classmethod
    def preset(cls, name: str) -> "Pipeline":
        """A published system: its rules, without what they learn, and its published thresholds.

        Args:
            name: one of :data:`panoptic_heuristic.fusion.PRESETS`, such as "rap".

        Raises:
            ParameterError: there is none of that name; names those there are.
        """
        return cls.from_mapping(preset_mapping(name))

    @classmethod
    def from_file(
        cls,
        path: Any,
        categories: Optional[Categories] = None,
        missing: Mapping[Need, str] = MappingProxyType({}),
    ) -> "Pipeline":
        """Reads the rules and thresholds of a file; needs no Detectron2.

        Args:
            path: a preset, a tuned YAML, a config, or a ``fusion.json`` that was stored with results.
            categories: the data set's, for values of single categories, which go by name in YAML.
            missing: see :meth:`check_needs`.

        Raises:
            CategoryError: the file names a category that the data set lacks.
            InputError: the file is missing or wrong, or a rule needs something that is missing; names the
                file, the key and the value.
        """
        content, is_config = read_pipeline_file(path)
        try:
            if is_config:
                return cls.from_config(content, categories, missing)
            pipeline = cls.from_mapping(content)
            pipeline.check_needs(missing)
            return pipeline
        except CategoryError as error:
            raise CategoryError(f"{path}: {error}") from error
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def from_config(
        cls,
        content: Mapping[str, Any],
        categories: Optional[Categories] = None,
        missing: Mapping[Need, str] = MappingProxyType({}),
    ) -> "Pipeline":
        """Reads the rules and thresholds out of a config; :meth:`to_config` is the inverse.

        Args:
            content: with ``MODEL.PANOPTIC_FPN.COMBINE`` and ``MODEL.PANOPTIC_FUSION``, a Detectron2 config
                or a mapping as read from its YAML; what is missing has its default.
            categories: the data set's; values of single categories go by their names. None if it has none.
            missing: see :meth:`check_needs`.

        Raises:
            InputError: a rule or a category is unknown, a value is out of its interval, or a rule needs
                something that is missing; names the key.
        """
        with told_by_key(categories):
            pipeline = cls(**config_values(content, categories))
            pipeline.check_needs(missing)
        return pipeline

    def to_config(self, categories: Optional[Categories] = None) -> Dict[str, Any]:
        """The config keys that make this pipeline, whatever a ``_BASE_`` file sets.

        Args:
            categories: the data set's, for the names of single categories. None if there are no such values.

        Raises:
            InputError: a value is for a category whose name another one has, too.
        """
        return pipeline_to_config(self, categories)

    def value(self, path: str) -> Any:
        """The value at a path; None if the rule that is chosen has no such parameter.

        Raises:
            ParameterError: there is no such threshold or stage.
        """
        stage, parameter = _split(path)
        if stage is None:
            return getattr(self, parameter)
        rule = getattr(self, stage)
        return rule if parameter is None else getattr(rule, parameter, None)

    def replaced(self, values: Mapping[str, Any]) -> "Pipeline":
        """The same with other values.

        Args:
            values: by path. A rule is a rule, or its name, which gives it its defaults. Rules are
                replaced before parameters are, in whatever order they are given.

        Raises:
            ParameterError: a path leads nowhere, or a value is out of its range.
        """
        changed: Dict[str, Any] = {}
        parameters: Dict[str, Dict[str, Any]] = {}
        for path, value in values.items():
            stage, parameter = _split(path)
            if stage is None:
                changed[parameter] = value
            elif parameter is None:
                changed[stage] = make_rule(stage, value, {}) if isinstance(value, str) else value
            else:
                parameters.setdefault(stage, {})[parameter] = value
        for stage, of_rule in parameters.items():
            changed[stage] = changed_rule(stage, changed.get(stage, getattr(self, stage)), of_rule)
        return dataclasses.replace(self, **changed)

    @property
    def needs(self) -> FrozenSet[Need]:
        """The things its rules need besides masks, scores and categories."""
        return frozenset().union(*map(needs_of, self.rules.values()))

    def check_categories(self, categories: Categories) -> None:
        """Raises if a value is for a category that is unknown, or for stuff where a thing is meant.

        Raises:
            ParameterError: names the parameter and the category.
        """
        check_categories(self, categories)
        for stage, rule in self.rules.items():
            try:
                check_categories(rule, categories)
            except ParameterError as error:
                raise error.of_stage(stage) from error

    def check_needs(self, missing: Mapping[Need, str]) -> None:
        """Raises if a rule needs something that will not be there. For a check before the first image.

        Args:
            missing: the things that will not be there, and why: a sentence that can follow "but".

        Raises:
            ParameterError: names the stage, the rule, what it needs, and why it is missing.
        """
        for stage in STAGES:
            self._check_needs(stage, missing)

    def _check_needs(self, stage: str, missing: Mapping[Need, str]) -> None:
        rule = getattr(self, stage)
        for need in sorted(needs_of(rule) & set(missing), key=lambda need: need.name):
            problem = f"needs {need.value}, but {missing[need]}"
            raise ParameterError(None, problem, stage=stage, rule=rule_name(stage, rule), mentions=("suppress",))

    def instances_score_thresh_for(self, category_id: int) -> float:
        """The score that an instance of a category needs."""
        return self.instances_score_thresh_of.get(category_id, self.instances_score_thresh)

    @property
    def lowest_score_thresh(self) -> float:
        """The lowest score that an instance of some category needs."""
        return float(min((self.instances_score_thresh, *self.instances_score_thresh_of.values())))

    def is_too_small(self, category_id: int, area: int, image_area: int) -> bool:
        """True if a stuff segment is dropped for its size.

        Args:
            category_id: of stuff.
            area: its free pixels.
            image_area: the pixels of the image, H * W.
        """
        fraction = self.stuff_area_fraction_of.get(category_id, self.stuff_area_fraction)
        return area < self.stuff_area_thresh_of.get(category_id, self.stuff_area_thresh) or area < fraction * image_area

    def __str__(self) -> str:
        """One line: the rule of each stage with its parameters, then the thresholds, as in :meth:`to_mapping`."""
        rules, thresholds = [], []
        for name, value in self.to_mapping().items():
            if name in STAGES:
                parameters = {key: one for key, one in value.items() if key != "name" and one != {"of_category": []}}
                listed = ", ".join(f"{key}={_short(one)}" for key, one in parameters.items())
                rules.append(f"{name}={value['name']}" + (f"({listed})" if listed else ""))
            else:
                thresholds.append(f"{name}={_short(value)}")
        return f"{' '.join(rules)}; {' '.join(thresholds)}"

    def described(self) -> str:
        """In short, for people: the claim rule, other rules that are not Detectron2's, and the thresholds."""
        return short_form(self)

    def to_mapping(self) -> Dict[str, Any]:
        """JSON values, to be stored with results; :meth:`from_mapping` is the inverse.

        Rules come first, in the order in which they work; thresholds of single categories only where
        there are some, as pairs of a dataset category id and a value.
        """
        values: Dict[str, Any] = {stage: rule_to_mapping(stage, rule) for stage, rule in self.rules.items()}
        for name in THRESHOLDS:
            values[name] = getattr(self, name)
            if of_category := getattr(self, f"{name}_of", None):
                values[f"{name}_of"] = sorted(map(list, of_category.items()))
        return values

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> "Pipeline":
        """Reads what :meth:`to_mapping` gave; what is missing has its default.

        Raises:
            ParameterError: there is no such rule or threshold, or a value is out of its interval.
        """
        if not isinstance(data, Mapping):
            raise ParameterError("pipeline", f"must be a mapping, got {data!r}")
        values: Dict[str, Any] = {}
        for name, value in data.items():
            if name in STAGES:
                values[name] = rule_from_mapping(name, value)
            elif name in _OF_CATEGORY:
                values[name] = _pairs(name, value)
            elif name in THRESHOLDS:
                values[name] = value
            else:
                known = ", ".join((*STAGES, *THRESHOLDS, *_OF_CATEGORY))
                raise ParameterError(str(name), f"is neither a stage nor a threshold; there are {known}")
        return cls(**values)


def _pairs(name: str, value: Any) -> Dict[Any, Any]:
    pairs = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise ParameterError(name, f"must be a list of pairs of a category id and a value, got {value!r}")
    return dict(pairs)


def _split(path: str) -> Tuple[Optional[str], Any]:
    """The stage and the parameter of a path; one of them is None for a threshold, and for a whole rule."""
    stage, _, parameter = path.partition(".")
    if stage in STAGES:
        return stage, parameter or None
    if parameter or stage not in (*THRESHOLDS, *_OF_CATEGORY):
        known = ", ".join((*THRESHOLDS, *(f"{stage}.<parameter>" for stage in STAGES)))
        raise ParameterError(path, f"leads nowhere; there are {known}")
    return None, stage


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"of {len(value['of_category'])} categories"
    if isinstance(value, list):
        return f"{len(value)} values"
    return f"{value:g}" if isinstance(value, float) else str(value)


_OF_CATEGORY = ("instances_score_thresh_of", "stuff_area_thresh_of", "stuff_area_fraction_of")

DEFAULT_PIPELINE = Pipeline()
"""Detectron2's rule and thresholds."""
