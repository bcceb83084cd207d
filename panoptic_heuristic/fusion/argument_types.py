"""The check that an argument is a pipeline, for the functions that people call."""

from typing import Any

from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.fusion.pipeline import Pipeline


def check_pipeline(value: Any, name: str = "pipeline") -> None:
    """Raises if an argument is no pipeline but, say, the name of a preset or a mapping.

    Raises:
        InputError: names the argument and both types.
    """
    check_type(name, value, Pipeline, "Pipeline.preset('rap')")
