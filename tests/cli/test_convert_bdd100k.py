"""convert-panoptic between COCO panoptic and BDD100K's bitmasks, and evaluate-pq on these."""

import json

import numpy as np
import pytest
from panopticapi.evaluation import pq_compute
from PIL import Image

from panoptic_heuristic.cli import evaluate_pq
from panoptic_heuristic.formats.conversions.bdd100k_files import CATEGORIES
from tests.cli.converting import coco, convert, segments_in

ROAD, SKY, PERSON, CAR = 7, 30, 31, 35
TRUNCATED, OCCLUDED, CROWD, IGNORED = 8, 4, 2, 1


def bitmask(rows):
    """(H, W, 4) of rows of "category/flags/number"."""
    values = [[[int(one) for one in pixel.split("/")] for pixel in row.split()] for row in rows]
    return np.array([[[c, flags, number >> 8, number & 255] for c, flags, number in row] for row in values], np.uint8)


def write(folder, rows, name="a.png"):
    folder.mkdir(exist_ok=True)
    Image.fromarray(bitmask(rows) if isinstance(rows, list) else rows).save(folder / name)
    return folder


def read(tmp_path, rows, *more):
    write(tmp_path / "bdd", rows)
    out = tmp_path / "out"
    assert convert("bdd100k-to-coco", "--bitmask-root", tmp_path / "bdd", *more, "--output", out, "--overwrite") == 0
    (segments,) = segments_in(out).values()
    return segments


class TestReading:
    def test_a_drawing(self, tmp_path):
        # Stuff is numbered as its category is; number 300 needs both bytes; flags of mere looks change nothing.
        rows = ["7/0/7 7/0/7 35/8/31", "30/0/30 35/4/300 0/0/0"]
        assert read(tmp_path, rows) == {
            (ROAD, 0, (0, 1)), (CAR, 0, (2,)), (SKY, 0, (3,)), (CAR, 0, (4,)),
        }  # fmt: skip

    @pytest.mark.parametrize("flags, crowd", [(0, 0), (8, 0), (4, 0), (12, 0), (2, 1), (1, 1), (3, 1), (15, 1)])
    @pytest.mark.parametrize("category, number", [(CAR, 31), (SKY, 30)])
    def test_crowd_and_ignored_are_crowds(self, tmp_path, flags, crowd, category, number):
        assert read(tmp_path, [f"{category}/{flags}/{number} 0/0/0"]) == {(category, crowd, (0,))}

    def test_stuff_of_several_numbers_is_one_segment(self, tmp_path):
        assert read(tmp_path, ["30/0/30 30/0/77 30/1/78"]) == {(SKY, 0, (0, 1, 2))}

    def test_background_is_void_whatever_its_number(self, tmp_path):
        assert read(tmp_path, ["0/3/1 0/0/0 35/0/1"]) == {(CAR, 0, (2,))}

    def test_things_without_a_number(self, tmp_path, capsys):
        write(tmp_path / "bdd", ["35/0/0 35/0/31"])
        arguments = ["--bitmask-root", tmp_path / "bdd", "--output", tmp_path / "out"]
        assert convert("bdd100k-to-coco", *arguments) == 2
        assert "image 1 (a.png): the map holds category 35 with instance 0, which is" in capsys.readouterr().err
        assert read(tmp_path, ["35/0/0 35/0/31"], "--thing-zero", "segment") == {(CAR, 0, (0,)), (CAR, 0, (1,))}

    def test_other_categories(self, tmp_path, capsys):
        known = tmp_path / "c.json"
        known.write_text(json.dumps([{"id": ROAD, "name": "road", "isthing": 0}]))
        write(tmp_path / "bdd", ["7/0/7 35/0/31"])
        arguments = ["--bitmask-root", tmp_path / "bdd", "--categories-json", known, "--output", tmp_path / "out"]
        assert convert("bdd100k-to-coco", *arguments) == 2
        assert "which means category 35, and that is not among the categories" in capsys.readouterr().err
        found = read(tmp_path, ["7/0/7 35/0/31"], "--categories-json", known, "--unlisted", "void")
        assert found == {(ROAD, 0, (0,))}

    def test_rgb_is_no_bitmask(self, tmp_path, capsys):
        write(tmp_path / "bdd", np.zeros((2, 2, 3), np.uint8))
        assert convert("bdd100k-to-coco", "--bitmask-root", tmp_path / "bdd", "--output", tmp_path / "out") == 2
        assert "a.png is 8-bit RGB; BDD100K's bitmasks are 8-bit RGBA" in capsys.readouterr().err

    def test_its_categories(self):
        assert list(CATEGORIES) == list(range(1, 41))
        assert [category.name for category in CATEGORIES.things][:2] == ["person", "rider"]
        assert len(CATEGORIES.stuff) == 30


class TestWriting:
    @pytest.fixture
    def data(self, data):
        # Category 0 is BDD100K's background.
        with data.edit("val") as content:
            content["categories"][0]["id"] = 1
            for annotation in content["annotations"]:
                for segment in annotation["segments_info"]:
                    segment["category_id"] = segment["category_id"] or 1
        return data

    def test_there_and_back_with_crowds_and_void(self, data, segments_before, tmp_path):
        assert convert("coco-to-bdd100k", *coco(data), "--output", tmp_path / "out") == 0
        known = ["--categories-json", data.json("val"), "--images-json", tmp_path / "out" / "images.json"]
        arguments = ["--bitmask-root", tmp_path / "out" / "bitmasks", *known, "--output", tmp_path / "back"]
        assert convert("bdd100k-to-coco", *arguments) == 0
        assert segments_in(tmp_path / "back") == segments_before

    def test_values(self, data, tmp_path):
        assert convert("coco-to-bdd100k", *coco(data), "--output", tmp_path / "out") == 0
        pixels = np.asarray(Image.open(tmp_path / "out" / "bitmasks" / "0000.png"))
        # Sky, the first and the second cat, a crowd of dogs, void; stuff goes up to category 9.
        found = [pixels[y, x].tolist() for y, x in ((0, 0), (1, 2), (1, 6), (2, 8), (7, 0))]
        assert found[0] == [1, 0, 0, 1] and found[4] == [0, 0, 0, 0] and found[3][:2] == [90, CROWD]
        assert found[1][0] == found[2][0] == 7 and found[1] != found[2] and min(found[1][3], found[2][3]) > 9

    def test_categories_that_no_byte_holds(self, data, tmp_path, capsys):
        with data.edit("val") as content:
            content["categories"][0]["id"] = 256
            content["annotations"] = content["annotations"][2:]
            content["images"] = content["images"][2:]
        assert convert("coco-to-bdd100k", *coco(data), "--output", tmp_path / "out") == 2
        assert "bitmasks hold category ids from 1 to 255, got 256 (sky)" in capsys.readouterr().err


def street(rng, shape=(60, 80)):
    """A bitmask like BDD100K's: stuff numbered by its category, things from 31, flags here and there."""
    pixels = np.zeros((*shape, 4), np.uint8)
    for category in rng.permutation([2, 7, 8, 10, 29, 30]):
        top, left = (int(rng.integers(0, size - 10)) for size in shape)
        height, width = (int(one) for one in rng.integers(10, 50, 2))
        pixels[top : top + height, left : left + width] = [category, 0, 0, category]
    for number in range(31, 31 + int(rng.integers(2, 7))):
        top, left = (int(rng.integers(0, size - 10)) for size in shape)
        height, width = (int(one) for one in rng.integers(5, 25, 2))
        flags = int(rng.choice([0, 0, TRUNCATED, OCCLUDED, TRUNCATED | OCCLUDED]))
        category = int(rng.choice([PERSON, CAR]))
        # Through both bytes: 31 + 256 * k.
        value = number + 256 * (number % 3)
        pixels[top : top + height, left : left + width] = [category, flags, value >> 8, value & 255]
    return pixels


def moved(rng, pixels):
    """A prediction: the bitmask, shifted a little, with the numbers of its own and no flags."""
    shifted = np.roll(pixels, tuple(int(one) for one in rng.integers(0, 5, 2)), axis=(0, 1)).copy()
    shifted[..., 1] = 0
    return shifted


class TestAgainstPanopticapi:
    """A sample like BDD100K's own: its stuff has numbers."""

    @pytest.fixture
    def sample(self, tmp_path):
        rng = np.random.default_rng(4)
        for place in range(12):
            pixels = street(rng)
            write(tmp_path / "gt", pixels, f"{place}.png")
            write(tmp_path / "pred", moved(rng, pixels), f"{place}.png")
        for name in ("gt", "pred"):
            arguments = ["--bitmask-root", tmp_path / name, "--output", tmp_path / f"coco_{name}"]
            assert convert("bdd100k-to-coco", *arguments) == 0
        return tmp_path

    def evaluate(self, sample, *arguments):
        assert evaluate_pq.main([*map(str, arguments), "--output", str(sample / "out"), "--overwrite"]) == 0
        content = json.loads((sample / "out" / "quality.json").read_text())
        return {int(key): tuple(one[1:]) for key, one in content["counts"]["pq"].items() if any(one)}, content

    def labels(self, sample):
        (sample / "c.json").write_text(json.dumps(CATEGORIES.to_coco()))
        return [
            "--gt-folder", sample / "gt", "--pred-folder", sample / "pred", "--categories", sample / "c.json",
            "--label-divisor", 2**24, "--void", 0, "--stuff-numbers", "ignore",
        ]  # fmt: skip

    def converted(self, sample):
        return [
            "--gt-json", sample / "coco_gt" / "panoptic.json", "--gt-folder", sample / "coco_gt" / "panoptic",
            "--pred-json", sample / "coco_pred" / "panoptic.json", "--pred-folder", sample / "coco_pred" / "panoptic",
        ]  # fmt: skip

    def test_bitmasks_score_as_what_they_are_converted_to(self, sample):
        direct, _ = self.evaluate(sample, *self.labels(sample))
        through_coco, _ = self.evaluate(sample, *self.converted(sample))
        assert direct == through_coco and len(direct) > 5

    @pytest.mark.parity
    def test_counts_are_panopticapis(self, sample, capsys):
        files = dict(zip(("gt_json_file", "gt_folder", "pred_json_file", "pred_folder"),
                         map(str, self.converted(sample)[1::2]), strict=True))  # fmt: skip
        expected = pq_compute(**files)
        counts, _ = self.evaluate(sample, *self.labels(sample))
        capsys.readouterr()
        assert evaluate_pq.main([*map(str, self.labels(sample))]) == 0
        table = capsys.readouterr().out
        for name, key in (("all", "All"), ("things", "Things"), ("stuff", "Stuff")):
            numbers = [f"{100 * expected[key][measure]:.2f}" for measure in ("pq", "sq", "rq")]
            assert [name, *numbers, str(expected[key]["n"])] in [line.split() for line in table.splitlines()]
        per_class = {key: one for key, one in expected["per_class"].items() if key in counts}
        assert len(per_class) == expected["All"]["n"] > 5
        for key, (tp, fp, fn) in counts.items():
            assert per_class[key]["rq"] == pytest.approx(tp / (tp + fp / 2 + fn / 2))
