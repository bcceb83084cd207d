"""Results of evaluations, and their file."""

import itertools
import json

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import read_json, write_json
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    Coverage,
    ImageMeasures,
    MeasureSettings,
    PanopticQuality,
    Result,
    measure_image,
)
from tests.formats.text_ids import ODD
from tests.quality.drawings import CAT, CATEGORIES, SKY, random_pair

IMAGES = {number * 7: measure_image(*random_pair(number), CATEGORIES) for number in range(12)}


def added(images, **arguments):
    quality = PanopticQuality(CATEGORIES, **arguments)
    for image_id, measures in images.items():
        quality.add(measures, image_id)
    return quality


def test_a_coverage_of_another_number_of_images():
    with pytest.raises(InputError, match="the coverage is 11 scored images, but there are 12"):
        added(IMAGES).result(coverage=Coverage(12, 11))


@pytest.mark.parametrize("numbers", [(3, 4, 0), (4, 3, 4), (4, 3, -1), (4.0, 3, 0), (True, 0, 0)])
def test_a_coverage_that_cannot_be(numbers):
    with pytest.raises(InputError, match="coverage must be integers 0 <= empty <= scored <= ground_truth, got"):
        Coverage(*numbers)


def test_what_is_not_scored_is_skipped():
    assert (Coverage(15, 12, 3).skipped, Coverage(4, 4).skipped) == (3, 0)


def test_pixels_are_those_of_all_images():
    result = added(IMAGES).result()
    assert result.pixels == sum(image.pixels for image in IMAGES.values())
    assert result.void_pixels == sum(image.void_pixels for image in IMAGES.values())
    assert added({}).result().pixels == 0


class TestFile:
    def test_its_form(self):
        counts = {"pq": {CAT: CategoryCounts(IOU_UNIT, 1, 2, 3)}, "pq_small": {}}
        image = ImageMeasures({"pq": counts["pq"]}, 20, 5)
        assert Result({"a": [1]}, Coverage(3, 1, 1), counts, {41: image}).to_json() == {
            "params": {"a": [1]},
            "coverage": {"ground_truth": 3, "scored": 1, "empty": 1},
            "counts": {"pq": {"7": [2**40, 1, 2, 3]}, "pq_small": {}},
            "images": {"41": {"counts": {"pq": {"7": [2**40, 1, 2, 3]}}, "pixels": 20, "void_pixels": 5}},
        }

    def test_ids_that_are_text_read_as_they_were_written(self, tmp_path):
        images = dict(zip((1, "1", "a", *ODD), itertools.cycle(IMAGES.values()), strict=False))
        result = added(images).result()
        write_json(tmp_path / "result.json", result.to_json())
        again = Result.from_json(read_json(tmp_path / "result.json"), "result.json")
        assert again == result and set(again.images) == {1, "1", "a", *ODD}
        assert {"1", '"1"', '"a"'} < set(result.to_json()["images"])

    @pytest.mark.parametrize("keep", [(), ("pq",), ("pq", "pq_dagger")])
    def test_it_reads_as_it_was_written(self, tmp_path, keep):
        result = added(IMAGES, keep=keep).result(params={"missing": "skip"}, coverage=Coverage(20, 12, 4))
        write_json(tmp_path / "result.json", result.to_json())
        again = Result.from_json(read_json(tmp_path / "result.json"), "result.json")
        assert again == result
        # Not only equal: JSON's true is 1.
        assert {type(n) for value in again.counts["pq"].values() for n in (value.iou_sum, value.tp)} == {int}

    def test_equal_work_gives_equal_bytes(self, tmp_path):
        parts = [added(dict(list(IMAGES.items())[place::3])) for place in range(3)]
        merged = parts[2].merge(parts[0]).merge(parts[1])
        for name, quality in (("one", added(IMAGES)), ("other", merged)):
            write_json(tmp_path / name, quality.result().to_json())
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_no_images(self):
        result = added({}).result()
        assert Result.from_json(json.loads(json.dumps(result.to_json())), "r") == result


class TestWrongFile:
    def content(self):
        images = {
            1: ImageMeasures({"pq": {CAT: CategoryCounts(IOU_UNIT // 2, 1, 0, 1), SKY: CategoryCounts(fp=1)}}, 9, 2),
            2: ImageMeasures({"pq": {CAT: CategoryCounts(fn=1)}}, 9, 9),
        }
        settings = MeasureSettings(iou_thresholds=(), sizes=False, dagger=False)
        return json.loads(json.dumps(added(images, settings=settings).result().to_json()))

    def test_the_right_one_is_read(self):
        assert Result.from_json(self.content(), "r.json").images[2].void_pixels == 9

    @pytest.mark.parametrize("data", [[], None, "x", 3])
    def test_no_object(self, data):
        with pytest.raises(InputError, match="r.json: expected an object, got"):
            Result.from_json(data, "r.json")

    @pytest.mark.parametrize("key", ["params", "coverage", "counts", "images"])
    def test_a_key_is_missing_or_no_object(self, key):
        content = self.content()
        with pytest.raises(InputError, match=f"r.json, {key}: expected an object, got list"):
            Result.from_json({**content, key: []}, "r.json")
        del content[key]
        with pytest.raises(InputError, match=f"r.json has no '{key}'"):
            Result.from_json(content, "r.json")

    @pytest.mark.parametrize(
        "path, value, problem",
        [
            ("coverage/scored", 3, "r.json: coverage must be integers"),
            ("coverage/ground_truth", 1, "r.json: coverage must be integers"),
            ("coverage/empty", 0.0, "r.json: coverage must be integers"),
            ("coverage", {"ground_truth": 3, "scored": 3, "empty": 0}, "is 3 scored images, but there are 2"),
            ("counts/pq", [], "r.json, counts, pq: expected an object, got list"),
            ("counts/pq/7", [1, 1, 1], r"r.json, counts, pq, 7: expected \[iou_sum, tp, fp, fn\]"),
            ("counts/pq/7", [1, 1, 1, -1], "whole numbers with"),
            ("counts/pq/7", [1, 1, 1, 1.0], "whole numbers with"),
            ("counts/pq/7", [1, True, 1, 1], "whole numbers with"),
            ("counts/pq/7", [1, 0, 1, 1], r"with iou_sum up to tp \* 2\*\*40; got \[1, 0, 1, 1\]"),
            ("counts/pq/7", [2**40 + 1, 1, 1, 1], "with iou_sum up to"),
            ("counts/pq/cat", [0, 0, 0, 1], "r.json, counts, pq: expected ids, whole numbers, as keys; got 'cat'"),
            ("counts/pq/07", [0, 0, 0, 1], "got '07'"),
            ("counts/pq/7", [2**39, 1, 0, 3], "the images' counts of pq do not add up to those of all images"),
            ("counts/pq/9", [0, 0, 0, 1], "do not add up"),
            ("images/x", {}, "r.json, images: 'x' is no key of an image id; expected a whole number or, in "),
            ("images/1.0", {}, "'1.0' is no key of an image id"),
            ("images/ 1", {}, "' 1' is no key of an image id"),
            ("images/true", {}, "'true' is no key of an image id"),
            ('images/"\\u0061"', {}, "is no key of an image id"),
            ("images/" + 5000 * "[", {}, "is no key of an image id"),
            ("images/1/pixels", 1, "r.json, image 1: expected integers 0 <= void_pixels <= pixels, got 2 and 1"),
            ("images/1/void_pixels", -1, "got -1 and 9"),
            ("images/1/void_pixels", "2", "got '2' and 9"),
            ("images/1", {}, "r.json, image 1 has no 'counts'"),
            ("images/2/counts/pq/7", [0, 0, 0], "r.json, image 2, counts, pq, 7: expected"),
        ],
    )
    def test_a_wrong_value(self, path, value, problem):
        content = self.content()
        *parents, last = path.split("/")
        inner = content
        for key in parents:
            inner = inner[key]
        inner[last] = value
        with pytest.raises(InputError, match=problem):
            Result.from_json(content, "r.json")
