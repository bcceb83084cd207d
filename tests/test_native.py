"""The compiled kernels are optional: one switch, one door, and None behind it where they are not built."""

import os
import subprocess
import sys

import pytest

from panoptic_heuristic import native


def says(code, **environment):
    """What a new interpreter prints."""
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_the_switch_turns_them_off_and_there_is_no_function_then():
    code = "from panoptic_heuristic import native; print(native.are_there(), native.function('any', ()))"
    assert says(code, **{native.SWITCH: "off"}) == "False None"


@pytest.mark.skipif(not native.are_there(), reason="the compiled kernels are not built: pip install -e .")
def test_a_function_that_is_not_in_the_built_file_is_told_by_name():
    with pytest.raises(AttributeError, match="ph_no_such_function"):
        native.function("ph_no_such_function", ())


def test_importing_the_door_loads_neither_numpy_nor_torch():
    code = "import sys; from panoptic_heuristic import native; print('numpy' in sys.modules, 'torch' in sys.modules)"
    assert says(code) == "False False"
