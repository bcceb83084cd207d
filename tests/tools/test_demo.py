"""tools/demo.py: what it reads, sweeps and draws, on a training of seconds."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.fusion import Greedy, Pipeline
from panoptic_heuristic.quality import add_counts, summarize


@pytest.fixture(scope="module")
def demo(load_tool):
    return load_tool("demo")


@pytest.fixture(scope="module")
def kept(demo, trained):
    """The demo's view of the trained model: its split, ground truth and head outputs."""
    split = read_dataset_yaml(trained.data / "shapes.yaml").splits["val"]
    content = split.read()
    return split, content, demo.read_head_outputs(split, content, trained.folder / "inference" / "shapes_val")


def test_fusing_the_kept_outputs_gives_the_pq_of_the_model_itself(demo, kept, trained):
    _, content, outputs = kept
    pipeline = Pipeline(Greedy(0.5), instances_score_thresh=0, stuff_area_thresh=30)
    results = [demo.fuse_one(output, content.categories, pipeline) for output in outputs]
    counts = add_counts(demo.count(*pair, content.categories) for pair in zip(outputs, results, strict=True))
    model = json.loads((trained.folder / "inference" / "results.json").read_text())["panoptic_seg"]
    summary = summarize(counts, content.categories)
    assert 100 * summary.all.pq == pytest.approx(model["PQ"], abs=1e-9)
    assert 100 * summary.stuff.pq == pytest.approx(model["PQ_st"], abs=1e-9)


def test_the_grid_is_swept_once_and_then_read(demo, kept, tmp_path, monkeypatch, capsys):
    _, content, outputs = kept
    monkeypatch.setattr(demo, "SCORES", (0.0, 0.5))
    table = demo.sweep(outputs, content.categories, tmp_path / "grid.json")
    assert len(table) == 2 * len(demo.OVERLAPS) * len(demo.STUFF_AREAS)
    monkeypatch.setattr(demo, "count", None)
    assert demo.sweep(outputs, content.categories, tmp_path / "grid.json") == table
    best = demo.print_grid(table)
    assert max(row["quality"]["all"]["pq"] for row in table) == next(
        row["quality"]["all"]["pq"] for row in table if row["setting"] == demo._setting(best)
    )
    assert "(default)" in capsys.readouterr().out


def test_a_sheet_of_pictures_is_written(demo, kept, tmp_path):
    split, content, outputs = kept
    best = Pipeline(instances_score_thresh=0, stuff_area_thresh=0)
    demo.draw(tmp_path / "sheet.png", outputs, content.categories, split, best, number=2)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert sheet.shape[1] > 1000 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 100


def test_wrong_input_ends_in_one_sentence(demo, tmp_path, capsys):
    assert demo.main(["--output", str(tmp_path), "--pictures", "0"]) == 2
    assert "--pictures must be at least 1" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert demo.main(["--output", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


