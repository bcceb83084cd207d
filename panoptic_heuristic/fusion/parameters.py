"""Checks that the parameters of rules and pipelines share, and values of single categories."""

import dataclasses
import functools
import itertools
import math
import numbers
from collections.abc import Mapping
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories


class ParameterError(InputError):
    """A wrong value of fusing, with what it is about as fields, so that others can name it in their own words.

    Args:
        parameter: its name; None if the error is about the rule of a stage.
        problem: the rest of the sentence, such as "must be below 1". Another name of a parameter or
            stage in it stands as ``<name>``, see ``mentions``.
        stage: whose rule has the parameter; None if it is the pipeline's own, or not known yet.
        rule: the name of the rule that does not fit; None if the error is not about the choice.
        category_id: the dataset category id that the value is for; None for all.
        mentions: names of other parameters of the same rule, or of stages, in ``problem``.
    """

    def __init__(
        self,
        parameter: Optional[str],
        problem: str,
        *,
        stage: Optional[str] = None,
        rule: Optional[str] = None,
        category_id: Optional[int] = None,
        mentions: Tuple[str, ...] = (),
    ):
        self.parameter, self.problem, self.stage = parameter, problem, stage
        self.rule, self.category_id, self.mentions = rule, category_id, mentions
        super().__init__(self.told(lambda stage, parameter: parameter or stage or ""))

    def told(
        self,
        name_of: Callable[[Optional[str], Optional[str]], str],
        name_of_category: Optional[Callable[[int], str]] = None,
    ) -> str:
        """The sentence in other words.

        Args:
            name_of: gives the name of a parameter, from its stage and its name, either of which may be None.
            name_of_category: gives the name of a category id; None to tell the id.
        """
        text = name_of(self.stage, self.parameter)
        if self.category_id is not None:
            category_id = self.category_id
            text += f"[{category_id}]" if name_of_category is None else f" of {name_of_category(category_id)!r}"
        text += f"={self.rule} {self.problem}" if self.rule else f" {self.problem}"
        for name in self.mentions:
            stage, parameter = (name, None) if self.parameter is None else (self.stage, name)
            text = text.replace(f"<{name}>", name_of(stage, parameter))
        return text

    def of_stage(self, stage: str) -> "ParameterError":
        """The same error, once it is known which stage the rule is of."""
        return ParameterError(
            self.parameter, self.problem, stage=stage, rule=self.rule, category_id=self.category_id,
            mentions=self.mentions,
        )  # fmt: skip

    def __reduce__(self):
        # Exceptions are made anew from their text, which would lose the fields on the way out of a worker.
        return _error, (self.parameter, self.problem, self.stage, self.rule, self.category_id, self.mentions)


def _error(parameter, problem, stage, rule, category_id, mentions) -> ParameterError:
    return ParameterError(
        parameter, problem, stage=stage, rule=rule, category_id=category_id, mentions=mentions
    )  # fmt: skip


class OfCategory(Mapping):
    """A parameter's values of single categories: read-only and hashable, and it can be pickled.

    Args:
        values: hashable values by dataset category id. Copied.
        isthing: True for a parameter of things, False for one of stuff.
        example: a value as it is written in YAML, for messages.
    """

    def __init__(self, values: Mapping, *, isthing: bool, example: str = "0.3"):
        self._values: Dict[int, Any] = dict(values)
        self.isthing = isthing
        self.example = example

    def __getitem__(self, category_id: int) -> Any:
        return self._values[category_id]

    def get(self, category_id: int, default: Any = None) -> Any:
        """As of any mapping, without the detour by an error, which takes ten times as long."""
        return self._values.get(category_id, default)

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


class ThingPairs(tuple):
    """A parameter's pairs of different things, each a tuple of two dataset category ids."""


def check_number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    category_id: Optional[int] = None,
) -> None:
    """Raises if a parameter is no finite number of the closed interval [low, high].

    Args:
        name: of the parameter.
        value: to be checked.
        low: see above.
        high: see above.
        category_id: the category that the value is for; None for all.

    Raises:
        ParameterError: names the parameter, its interval and the value.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        interval = f"{'[' if math.isfinite(low) else '('}{low}, {high}{']' if math.isfinite(high) else ')'}"
        raise ParameterError(name, f"must be a finite number in {interval}, got {value!r}", category_id=category_id)


def check_whole_number(name: str, value: Any, low: int) -> None:
    """Raises if a parameter is no whole number from ``low`` on.

    Raises:
        ParameterError: names the parameter, its interval and the value.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ParameterError(name, f"must be a whole number in [{low}, inf), got {value!r}")


def check_flag(name: str, value: Any) -> None:
    """Raises if a parameter is neither True nor False.

    Raises:
        ParameterError: names the parameter and the value.
    """
    if not isinstance(value, bool):
        raise ParameterError(name, f"must be True or False, got {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises if a parameter is not one of some words.

    Raises:
        ParameterError: names the parameter, the words and the value.
    """
    if not isinstance(value, str) or value not in choices:
        raise ParameterError(name, f"must be one of {', '.join(choices)}, got {value!r}")


def check_ids(name: str, values: Any) -> None:
    """Raises if a parameter is no mapping from category ids.

    Raises:
        ParameterError: names the parameter and what it is.
    """
    if not isinstance(values, Mapping):
        raise ParameterError(name, f"must be a mapping from category ids, got {values!r}")
    for category_id in values:
        if not isinstance(category_id, numbers.Integral) or isinstance(category_id, bool):
            raise ParameterError(
                name, f"must be a mapping from category ids, which are integers, got {category_id!r}"
            )


def numbers_of_categories(
    name: str, values: Any, low: float = -math.inf, high: float = math.inf, *, isthing: bool
) -> OfCategory:
    """Checks and wraps a parameter that has one number per category.

    Args:
        name: of the parameter.
        values: a mapping from dataset category id to a finite number in [low, high].
        low: see ``values``.
        high: see ``values``.
        isthing: see :class:`OfCategory`.

    Raises:
        ParameterError: names parameter, category, interval and value.
    """
    check_ids(name, values)
    for category_id, value in values.items():
        check_number(name, value, low, high, category_id=category_id)
    return OfCategory(values, isthing=isthing)


def thing_pairs(name: str, values: Any) -> ThingPairs:
    """Checks and wraps a parameter that is a list of pairs of category ids.

    Args:
        name: of the parameter.
        values: pairs of dataset category ids; no pair may be there both ways, nor twice.

    Raises:
        ParameterError: names the parameter and the pair.
    """
    if not isinstance(values, (list, tuple)):
        raise ParameterError(name, f"must be a list of pairs of category ids, got {values!r}")
    pairs = []
    for pair in values:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ParameterError(name, f"must be a list of pairs of category ids, got {pair!r}")
        for one in pair:
            if not isinstance(one, numbers.Integral) or isinstance(one, bool):
                raise ParameterError(
                    name, f"must be a list of pairs of category ids, which are integers, got {one!r}"
                )
        first, second = map(int, pair)
        if first == second:
            raise ParameterError(name, f"must be of pairs of different categories, got {pair!r}")
        for other in ((first, second), (second, first)):
            if other in pairs:
                raise ParameterError(
                    name, f"must have one pair of the same two categories, got {other} and {pair!r}"
                )
        pairs.append((first, second))
    return ThingPairs(pairs)


def check_categories(rule: Any, categories: Categories) -> None:
    """Raises if a parameter names a category that is unknown or of the wrong kind.

    Args:
        rule: a dataclass; its fields of type :class:`OfCategory` or :class:`ThingPairs` are checked.
        categories: the data set's categories.

    Raises:
        ParameterError: names the parameter and the category.
    """
    for name in _field_names(rule.__class__):
        values = getattr(rule, name)
        # Nothing to check in most of them, and asking for the type of a mapping takes longest.
        if not values or isinstance(values, (int, float, str)):
            continue
        if isinstance(values, OfCategory):
            _check_kind(name, values, categories, isthing=values.isthing)
        elif isinstance(values, ThingPairs):
            _check_kind(name, itertools.chain(*values), categories, isthing=True)


@functools.cache
def _field_names(rule_class: Any) -> Tuple[str, ...]:
    # Asked for every image, and slow to find.
    return tuple(field.name for field in dataclasses.fields(rule_class))


def _check_kind(name: str, category_ids: Iterable[int], categories: Categories, *, isthing: bool) -> None:
    for category_id in category_ids:
        if category_id not in categories:
            raise ParameterError(name, f"names category {category_id}, which is not among the categories")
        if categories[category_id].isthing != isthing:
            kinds = ("a thing", "stuff") if categories[category_id].isthing else ("stuff", "things")
            raise ParameterError(
                name, f"names category {category_id}, which is {kinds[0]}; it is a parameter of {kinds[1]}"
            )
