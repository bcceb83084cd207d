import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

STARTS = [["-m", "panoptic_heuristic", "sweep-fusion"], [str(ROOT / "tools" / "sweep_fusion.py")]]


@pytest.mark.parametrize("given, expected", [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
@pytest.mark.parametrize("start", STARTS)
def test_threads_of_commands_wait_passively_unless_told_otherwise(tmp_path, start, given, expected):
    """The variable that OpenMP reads is there when PyTorch is loaded."""
    (tmp_path / "torch.py").write_text("import os, sys\nsys.exit(os.environ.get('OMP_WAIT_POLICY'))\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    env.pop("OMP_WAIT_POLICY", None)
    env.update({} if given is None else {"OMP_WAIT_POLICY": given})
    done = subprocess.run([sys.executable, *start, "--help"], env=env, capture_output=True, text=True)
    assert done.stderr.strip() == expected


def test_a_library_leaves_the_policy_to_its_user():
    code = "import os, panoptic_heuristic.detectron; print(os.environ.get('OMP_WAIT_POLICY'))"
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
