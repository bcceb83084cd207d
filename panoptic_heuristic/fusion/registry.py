"""Registries of the stages' rules."""

import inspect
from dataclasses import field, make_dataclass
from typing import Any, Callable, Dict, Tuple

from fvcore.common.registry import Registry


class NamedRegistry(Registry):
    """A registry whose entries go by the names used in YAML, not by class names.

    Attributes:
        method: the method that rules of this stage have.
    """

    def __init__(self, name: str, method: str):
        super().__init__(name)
        self.method = method
        _REGISTRY_OF[name] = self

    def register(self, name: str):  # type: ignore[override]
        """A decorator that adds a rule under its name.

        A rule is a frozen dataclass of its parameters with the stage's method, or a function in
        place of that method. Keyword-only arguments of a function, which must have defaults, are
        the rule's parameters, and an attribute ``needs`` is that of the rule.
        """

        def add(rule: Any) -> Any:
            self._do_register(name, rule if isinstance(rule, type) else self._rule_of(name, rule))
            return rule

        return add

    def _rule_of(self, name: str, function: Callable) -> type:
        parameters = [
            (parameter.name, Any, field(default=parameter.default))
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        ]

        def method(rule: Any, *arguments: Any) -> Any:
            return function(*arguments, **vars(rule))

        def reduce(rule: Any) -> Tuple:
            # Its module has the function under that name, not the class.
            return _remade, (self._name, name, vars(rule))

        namespace = {self.method: method, "__doc__": function.__doc__, "__reduce__": reduce}
        namespace["needs"] = frozenset(getattr(function, "needs", ()))
        return make_dataclass(function.__name__, parameters, frozen=True, namespace=namespace)


_REGISTRY_OF: Dict[str, NamedRegistry] = {}


def _remade(registry: str, name: str, parameters: Dict[str, Any]) -> Any:
    return _REGISTRY_OF[registry].get(name)(**parameters)
