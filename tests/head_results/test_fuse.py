"""Result files are fused from Python; that the maps are right is for the command's tests."""

import json

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_panoptic_json, read_panoptic_png
from panoptic_heuristic.fusion import Pipeline, Power
from panoptic_heuristic.head_results import fuse_heads, read_heads
from panoptic_heuristic.head_results.fuse import fusible
from tests.formats.drawn_results import found
from tests.formats.tiny_panoptic import CATEGORIES

CAT, DOG = 7, 90
INSTANCES = [
    found(CAT, "##. ...", 0.9),
    found(DOG, "..# ..#", 0.5),
    found(CAT, "... #..", 0.49),
    found(DOG, "... .#.", float("nan")),
    found(CAT, "... .#.", float("inf")),
]


@pytest.fixture
def heads(tmp_path):
    images = [{"id": i, "file_name": f"{i}.jpg", "height": 2, "width": 3} for i in (1, 2)]
    (tmp_path / "images.json").write_text(json.dumps({"images": images, "categories": CATEGORIES}))
    (tmp_path / "instances.json").write_text(json.dumps(INSTANCES))
    return read_heads(images=tmp_path / "images.json", instances=tmp_path / "instances.json")


def test_the_files_say_what_is_returned(heads, tmp_path):
    totals = []
    annotations = fuse_heads(
        heads, Pipeline(), tmp_path / "out", progress=lambda results, total: (totals.append(total), results)[1]
    )
    assert totals == [2]
    json_path, folder = tmp_path / "out" / "panoptic_predictions.json", tmp_path / "out" / "panoptic_predictions"
    content = json.loads(json_path.read_text())
    assert content["annotations"] == annotations
    assert content["info"] == {"fusion": json.loads(json.dumps(Pipeline().to_mapping()))}
    assert content["categories"] == list(CATEGORIES)
    first, second = read_panoptic_json(json_path).images
    assert [(s["category_id"], s["area"], s["score"]) for s in first.segments_info] == [(CAT, 2, 0.9), (DOG, 2, 0.5)]
    cat, dog = (s["id"] for s in first.segments_info)
    assert read_panoptic_png(folder / "1.png", height=2, width=3).tolist() == [[cat, cat, dog], [0, 0, dog]]
    assert second.segments_info == () and not read_panoptic_png(folder / "2.png", height=2, width=3).any()


def test_what_is_there_is_overwritten_when_asked(heads, tmp_path):
    fuse_heads(heads, Pipeline(), tmp_path)
    with pytest.raises(InputError, match="panoptic_predictions.json exists"):
        fuse_heads(heads, Pipeline(), tmp_path)
    annotations = fuse_heads(heads, Pipeline(instances_score_thresh=0.6), tmp_path, overwrite=True)
    assert [len(one["segments_info"]) for one in annotations] == [1, 0]
    assert np.unique(read_panoptic_png(tmp_path / "panoptic_predictions" / "1.png", height=2, width=3)).size == 2


@pytest.mark.parametrize("threshold, scores", [(0.49, [0.9, 0.5, 0.49]), (0.5, [0.9, 0.5]), (0.51, [0.9])])
def test_what_fusing_drops_for_its_score_is_left_out_before(heads, threshold, scores):
    kept = fusible(heads, Pipeline(instances_score_thresh=threshold))
    assert [entry.score for entry in kept.instances[1]] == scores
    per_class = Pipeline(instances_score_thresh=threshold, instances_score_thresh_of={DOG: 0.95})
    assert [entry.score for entry in fusible(heads, per_class).instances[1]] == [s for s in scores if s != 0.5]


def test_a_rule_that_needs_what_files_do_not_have_is_told_before_anything_is_written(heads, tmp_path):
    with pytest.raises(InputError, match="results of an instance head are masks and scores only"):
        fuse_heads(heads, Pipeline(order=Power(quality_exponent=1.0)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
