"""evaluate-pq on label-divisor PNGs with numbers of stuff, and things without one."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.cli.evaluate_pq import main
from tests.cli.converting import convert
from tests.formats.tiny_panoptic import CATEGORIES

SKY, CAT, GRASS, DOG = 0, 7, 9, 90


def draw(rows):
    return np.array([[int(value) for value in row.split()] for row in rows])


class Labels:
    """Ground truth and predictions as 16-bit PNGs with divisor 100 and void 65535."""

    def __init__(self, folder):
        self.folder = folder
        self.categories = folder / "categories.json"
        self.categories.write_text(json.dumps(CATEGORIES))

    def write(self, name, rows):
        (self.folder / name).mkdir()
        Image.fromarray(draw(rows).astype(np.uint16)).save(self.folder / name / "a.png")

    def flags(self):
        return ["--label-divisor", "100", "--void", "65535"]

    def score(self, *more):
        return main(
            ["--gt-folder", str(self.folder / "gt"), "--pred-folder", str(self.folder / "pred"), "--categories",
             str(self.categories), *self.flags(), "--output", str(self.folder / "out"), "--overwrite",
             "--measures", "pq", *more]
        )  # fmt: skip

    def counts(self):
        """(TP, FP, FN) by category id, of those that occur."""
        content = json.loads((self.folder / "out" / "quality.json").read_text())
        # Counts are the sum of IoUs, TP, FP and FN.
        found = {int(key): tuple(one[1:]) for key, one in content["counts"]["pq"].items()}
        return {key: value for key, value in found.items() if any(value)}


@pytest.fixture
def labels(tmp_path):
    return Labels(tmp_path)


class TestStuffNumbers:
    @pytest.fixture(autouse=True)
    def files(self, labels):
        labels.write("gt", ["901 901 902", "701 903 903"])
        labels.write("pred", ["900 905 905", "701 903 903"])

    def test_they_fail_by_default(self, labels, capsys):
        assert labels.score() == 2
        error = capsys.readouterr().err
        assert "gt/a.png: the map holds 901, which is category 9 (grass) with an instance number" in error
        assert "--stuff-numbers ignore" in error and error.count("\n") == 1

    def test_ignored_grass_is_one_segment(self, labels):
        assert labels.score("--stuff-numbers", "ignore") == 0
        assert labels.counts() == {CAT: (1, 0, 0), GRASS: (1, 0, 0)}


class TestThingZero:
    @pytest.fixture(autouse=True)
    def files(self, labels):
        labels.write("gt", ["701 701 900", "701 701 900"])
        labels.write("pred", ["700 700 900", "700 700 900"])

    def test_it_fails_by_default(self, labels, capsys):
        assert labels.score() == 2
        error = capsys.readouterr().err
        assert "pred/a.png: the map holds 700, which is category 7 (cat), a thing, with instance number 0" in error
        assert "--thing-zero" in error and "crowds" not in error

    @pytest.mark.parametrize("fate, cat", [("ignore", (0, 0, 1)), ("crowd", (1, 0, 0)), ("segment", (1, 0, 0))])
    def test_as_chosen(self, labels, fate, cat):
        assert labels.score("--thing-zero", fate) == 0
        assert labels.counts() == {CAT: cat, GRASS: (1, 0, 0)}

    @pytest.mark.parametrize("fate", ["ignore", "crowd", "segment"])
    def test_converting_first_scores_the_same(self, labels, fate):
        assert labels.score("--thing-zero", fate) == 0
        expected = labels.counts()
        out = labels.folder / "coco"
        arguments = ["--label-root", labels.folder / "pred", "--categories-json", labels.categories, "--output", out]
        assert convert("label-divisor-to-coco", *arguments, *labels.flags(), "--thing-zero", fate) == 0
        assert labels.score("--pred-json", str(out / "panoptic.json"), "--pred-folder", str(out / "panoptic")) == 0
        assert labels.counts() == expected

    def test_in_ground_truth_it_is_a_crowd(self, labels):
        for name in ("gt", "pred"):
            (labels.folder / name / "a.png").unlink()
            (labels.folder / name).rmdir()
        labels.write("gt", ["700 700 900", "700 700 900"])
        labels.write("pred", ["701 701 900", "702 702 900"])
        assert labels.score() == 0
        # Cats inside a crowd of cats are neither right nor wrong.
        assert labels.counts() == {GRASS: (1, 0, 0)}
