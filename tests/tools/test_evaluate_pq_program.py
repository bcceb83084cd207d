"""evaluate_pq.py as a program of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.tiny_panoptic import write_png
from tests.tools.evaluation_files import Files, many_images, run

TOOL = ROOT / "tools" / "evaluate_pq.py"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_help_has_an_example_and_loads_nothing_heavy():
    code = (
        "import runpy, sys; sys.argv = ['evaluate_pq.py', '--help']\n"
        f"try: runpy.run_path({str(TOOL)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'torch', 'detectron2', 'matplotlib', 'fvcore', 'scipy'} & set(sys.modules)))"
    )
    out = run(["-c", code]).stdout
    assert "python tools/evaluate_pq.py --gt-json" in out
    assert out.splitlines()[-1] == "heavy: []"


def test_runs_from_the_command_line(files):
    many_images(files, 20)
    done = run([TOOL, *files.arguments, "--workers", "2", "--output", files.output])
    assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(files.output)
    os.remove(files.predictions.png(2))
    done = run([TOOL, *files.arguments, "--workers", "2", "--output", files.output])
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert not files.output.exists()


def _processes_of_group(group):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(state[2]) == group and state[0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc to see which processes are left")
def test_ctrl_c_leaves_no_process_and_no_file(tmp_path):
    # One noisy pair, named by ten thousand images: work for minutes out of a few files.
    files = Files(tmp_path)
    noise = np.random.default_rng(0).integers(1, 4, (600, 800))
    for path in (files.data.png("val", 0), files.predictions.png(0)):
        write_png(path, noise)
    segments = [{"id": k, "category_id": 90, "iscrowd": 0} for k in (1, 2, 3)]
    annotations = [{"image_id": k, "file_name": "0000.png", "segments_info": segments} for k in range(10000)]
    with files.data.edit("val") as content:
        content["images"] = [{"id": k, "file_name": "a.jpg", "height": 600, "width": 800} for k in range(10000)]
        content["annotations"] = annotations
    files.predictions.json.write_text(json.dumps({"annotations": annotations}))
    process = subprocess.Popen(
        [sys.executable, TOOL, *files.arguments, "--workers", "2", "--output", files.output],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while len(_processes_of_group(process.pid)) < 3:
            assert process.poll() is None and time.monotonic() < deadline, "the workers did not start"
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does: to every process of the group.
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "stopped\n")
        assert _processes_of_group(process.pid) == []
        assert not files.output.exists()
    finally:
        if _processes_of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
