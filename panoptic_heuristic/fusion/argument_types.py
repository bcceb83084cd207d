"""Checks that an argument is of the right type, for the functions that people call."""

from typing import Any

from panoptic_heuristic.fusion.parameters import ParameterError
from panoptic_heuristic.fusion.pipeline import Pipeline


def check_type(name: str, value: Any, kind: type, example: str) -> None:
    """Raises if an argument is of another type.

    Args:
        name: of the argument.
        value: any.
        kind: the type, or a base of all that fit.
        example: a value of it as one writes it in Python.

    Raises:
        ParameterError: names the argument, both types and the example.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise ParameterError(name, f"must be {article} {kind.__name__}, such as {example}; got {type(value).__name__}")


def check_pipeline(value: Any, name: str = "pipeline") -> None:
    """Raises if an argument is no pipeline but, say, the name of a preset or a mapping.

    Raises:
        ParameterError: names the argument and both types.
    """
    check_type(name, value, Pipeline, "Pipeline.preset('rap')")
