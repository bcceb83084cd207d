"""With the compiled kernels and without them: both give the same."""

import pytest

from panoptic_heuristic import native

NOT_BUILT = "the compiled kernels are not built: pip install -e ."

needs_kernels = pytest.mark.skipif(not native.are_there(), reason=NOT_BUILT)

WITH_AND_WITHOUT = [pytest.param(True, id="kernels", marks=needs_kernels), pytest.param(False, id="no_kernels")]


def choose_kernels(monkeypatch, on: bool) -> None:
    """Switches kernels off for the rest of a test, unless they are wanted."""
    if not on:
        monkeypatch.setattr(native, "function", lambda name, argument_types: None)
