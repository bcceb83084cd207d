"""Registries of the stages' rules."""

from fvcore.common.registry import Registry


class NamedRegistry(Registry):
    """A registry whose entries go by the names used in YAML, not by class names."""

    def register(self, name: str):  # type: ignore[override]
        """A decorator that adds a rule under its name."""

        def add(rule):
            self._do_register(name, rule)
            return rule

        return add
