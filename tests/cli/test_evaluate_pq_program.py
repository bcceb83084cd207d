"""evaluate_pq.py as a program of its own."""

import json
import os
import shutil

import numpy as np

from tests.cli.evaluation_files import ScoredFiles, many_images
from tests.cli.processes import help_of, interrupt_at_work, needs_proc, run
from tests.conftest import ROOT
from tests.formats.tiny_panoptic import write_png

TOOL = ROOT / "tools" / "evaluate_pq.py"


def test_help_has_an_example_and_loads_nothing_heavy():
    text, loaded = help_of(TOOL)
    assert "panoptic-heuristic evaluate-pq --gt-json" in text and loaded == "[]"


def test_runs_from_the_command_line(scored):
    many_images(scored, 20)
    done = run([TOOL, *scored.arguments, "--workers", "2", "--output", scored.output])
    assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(scored.output)
    os.remove(scored.predictions.png(2))
    done = run([TOOL, *scored.arguments, "--workers", "2", "--output", scored.output])
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert not scored.output.exists()


@needs_proc
def test_ctrl_c_leaves_no_process_and_no_file(tmp_path):
    # One noisy pair, named by ten thousand images: work for minutes out of a few files.
    scored = ScoredFiles(tmp_path)
    noise = np.random.default_rng(0).integers(1, 4, (600, 800))
    for path in (scored.data.png("val", 0), scored.predictions.png(0)):
        write_png(path, noise)
    segments = [{"id": k, "category_id": 90, "iscrowd": 0} for k in (1, 2, 3)]
    annotations = [{"image_id": k, "file_name": "0000.png", "segments_info": segments} for k in range(10000)]
    with scored.data.edit("val") as content:
        content["images"] = [{"id": k, "file_name": "a.jpg", "height": 600, "width": 800} for k in range(10000)]
        content["annotations"] = annotations
    scored.predictions.json.write_text(json.dumps({"annotations": annotations}))
    arguments = [TOOL, *scored.arguments, "--workers", "2", "--output", scored.output]
    assert interrupt_at_work(arguments) == (130, "", "stopped\n")
    assert not scored.output.exists()
