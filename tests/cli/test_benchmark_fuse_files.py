import argparse
import importlib
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("panopticapi")


@pytest.fixture(scope="module")
def benchmark():
    return importlib.import_module("benchmarks.fuse_files")


def arguments(benchmark, *argv):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(argv)


def test_it_times_both_and_compares_their_maps(benchmark, capsys):
    assert benchmark.run(arguments(benchmark, "--images", "1", "--detections", "6", "--repeats", "1")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 scenes, 6 detections each, instances_score_thresh 0.5, one core"
    assert [line.split()[0] for line in lines[1:]] == ["combine", "fuse_predictions", "ratio", "maps"]
    assert lines[-1].split()[-1] == "0"


@pytest.mark.parametrize(
    "ids, segments, same",
    [
        ([[5, 5, 0]], [(5, 1)], True),
        ([[6, 6, 0]], [(6, 1)], True),
        ([[6, 6, 0]], [(6, 2)], False),
        ([[6, 7, 0]], [(6, 1), (7, 1)], False),
        ([[6, 6, 6]], [(6, 1)], False),
        ([[6, 0, 0]], [(6, 1)], False),
        ([[6, 6, 0]], [(6, 1), (7, 1)], False),
    ],
)
def test_maps_are_the_same_up_to_numbering(benchmark, tmp_path, ids, segments, same):
    def write(name, ids, segments):
        (tmp_path / name).mkdir()
        rgb = np.stack([np.array(ids, np.uint8), *np.zeros((2, *np.shape(ids)), np.uint8)], axis=2)
        Image.fromarray(rgb).save(tmp_path / name / "a.png")
        info = [{"id": i, "category_id": category_id} for i, category_id in segments]
        annotation = {"image_id": 3, "file_name": "a.png", "segments_info": info}
        content = {"images": [{"id": 3, "height": 1, "width": 3}], "annotations": [annotation]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path / f"{name}.json", tmp_path / name

    different = benchmark.compare(*write("theirs", [[5, 5, 0]], [(5, 1)]), *write("ours", ids, segments))
    assert different == ([] if same else [3])
