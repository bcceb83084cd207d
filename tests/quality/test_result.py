"""Results: adding images and shards, and the file."""

import json
import pickle

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import read_json, write_json
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    Coverage,
    ImageMeasures,
    MeasureSettings,
    Result,
    add_counts,
    measure_image,
)
from tests.quality.drawings import CAT, CATEGORIES, SKY, random_pair

PARAMS = {"measures": MeasureSettings().to_params(), "missing": "error"}
IMAGES = {number * 7: measure_image(*random_pair(number), CATEGORIES) for number in range(12)}


def result_of(images, **arguments):
    return Result.of_images(images.items(), **{"params": PARAMS, **arguments})


def parts_of(images, count):
    items = list(images.items())
    return [dict(items[place::count]) for place in range(count)]


class TestAdding:
    def test_counts_are_the_sums_over_images(self):
        result = result_of(IMAGES)
        assert tuple(result.counts) == MeasureSettings().names
        for name, total in result.counts.items():
            assert total == add_counts(image.counts[name] for image in IMAGES.values())
        assert result.pixels == sum(image.pixels for image in IMAGES.values())
        assert result.void_pixels == sum(image.void_pixels for image in IMAGES.values())
        assert result.coverage == Coverage(12, 12, 0)

    def test_of_each_image_what_was_asked_for_is_kept(self):
        assert {tuple(image.counts) for image in result_of(IMAGES).images.values()} == {("pq",)}
        kept = result_of(IMAGES, keep=("pq_dagger", "pq")).images
        assert kept[7] == ImageMeasures(
            {name: IMAGES[7].counts[name] for name in ("pq_dagger", "pq")}, IMAGES[7].pixels, IMAGES[7].void_pixels
        )

    def test_the_order_of_the_images_does_not_matter(self):
        assert result_of(IMAGES) == result_of(dict(reversed(IMAGES.items())))

    @pytest.mark.parametrize("shards", [1, 2, 5, 12])
    def test_neither_do_shards(self, shards):
        merged = result_of({})
        for part in parts_of(IMAGES, shards):
            merged = merged.add(result_of(part))
        assert merged == result_of(IMAGES)

    def test_nothing_is_changed(self):
        images = {key: pickle.loads(pickle.dumps(value)) for key, value in IMAGES.items()}
        left, right = (result_of(part) for part in parts_of(images, 2))
        before = pickle.dumps((left, right))
        left.add(right)
        assert images == IMAGES
        assert pickle.loads(before) == (left, right)

    def test_coverage_adds(self):
        left, right = parts_of(IMAGES, 2)
        merged = result_of(left, coverage=Coverage(9, 6, 2)).add(result_of(right, coverage=Coverage(6, 6, 1)))
        assert merged.coverage == Coverage(15, 12, 3)
        assert merged.coverage.skipped == 3

    def test_no_images(self):
        result = result_of({})
        assert (result.counts, result.images, result.coverage, result.pixels) == ({}, {}, Coverage(0, 0), 0)

    def test_an_image_twice(self):
        with pytest.raises(InputError, match="image 7 was counted twice"):
            Result.of_images([(7, IMAGES[7]), (7, IMAGES[7])], params={})
        with pytest.raises(InputError, match="cannot be merged: image 0 is in both"):
            result_of(IMAGES).add(result_of(parts_of(IMAGES, 2)[0]))

    def test_shards_that_were_counted_differently(self):
        left, right = parts_of(IMAGES, 2)
        with pytest.raises(InputError, match="params differ in 'missing', 'error' and 'skip'"):
            result_of(left).add(result_of(right, params={**PARAMS, "missing": "skip"}))
        with pytest.raises(InputError, match="params differ in 'more', None and 1"):
            result_of(left).add(result_of(right, params={**PARAMS, "more": 1}))
        only_pq = {key: ImageMeasures({"pq": image.counts["pq"]}, 1, 0) for key, image in right.items()}
        with pytest.raises(InputError, match="their measures differ, pq, pq_dagger, .* and pq$"):
            result_of(left).add(result_of(only_pq))

    def test_images_of_different_settings(self):
        with pytest.raises(InputError, match="image 5 has the measures pq; those before it have pq, pq_iou_0.75"):
            result_of({**IMAGES, 5: ImageMeasures({"pq": {}}, 1, 0)})

    def test_a_coverage_of_another_number_of_images(self):
        with pytest.raises(InputError, match="the coverage is 11 scored images, but there are 12"):
            result_of(IMAGES, coverage=Coverage(12, 11))

    @pytest.mark.parametrize("numbers", [(3, 4, 0), (4, 3, 4), (4, 3, -1), (4.0, 3, 0), (True, 0, 0)])
    def test_a_coverage_that_cannot_be(self, numbers):
        with pytest.raises(InputError, match="coverage must be integers 0 <= empty <= scored <= ground_truth, got"):
            Coverage(*numbers)


class TestFile:
    def test_its_form(self):
        image = ImageMeasures({"pq": {CAT: CategoryCounts(IOU_UNIT, 1, 2, 3)}, "pq_small": {}}, 20, 5)
        assert result_of({41: image}, params={"a": [1]}, coverage=Coverage(3, 1, 1)).to_json() == {
            "params": {"a": [1]},
            "coverage": {"ground_truth": 3, "scored": 1, "empty": 1},
            "counts": {"pq": {"7": [2**40, 1, 2, 3]}, "pq_small": {}},
            "images": {"41": {"counts": {"pq": {"7": [2**40, 1, 2, 3]}}, "pixels": 20, "void_pixels": 5}},
        }

    @pytest.mark.parametrize("keep", [(), ("pq",), ("pq", "pq_dagger")])
    def test_it_reads_as_it_was_written(self, tmp_path, keep):
        result = result_of(IMAGES, keep=keep, coverage=Coverage(20, 12, 4))
        write_json(tmp_path / "result.json", result.to_json())
        again = Result.from_json(read_json(tmp_path / "result.json"), "result.json")
        assert again == result
        # Not only equal: JSON's true is 1.
        assert {type(n) for value in again.counts["pq"].values() for n in (value.iou_sum, value.tp)} == {int}

    def test_equal_work_gives_equal_bytes(self, tmp_path):
        parts = parts_of(IMAGES, 3)
        merged = result_of(parts[2]).add(result_of(parts[0])).add(result_of(parts[1]))
        for name, result in (("one", result_of(IMAGES)), ("other", merged)):
            write_json(tmp_path / name, result.to_json())
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_no_images(self):
        result = result_of({})
        assert Result.from_json(json.loads(json.dumps(result.to_json())), "r") == result


class TestWrongFile:
    def content(self):
        images = {
            1: ImageMeasures({"pq": {CAT: CategoryCounts(IOU_UNIT // 2, 1, 0, 1), SKY: CategoryCounts(fp=1)}}, 9, 2),
            2: ImageMeasures({"pq": {CAT: CategoryCounts(fn=1)}}, 9, 9),
        }
        return json.loads(json.dumps(result_of(images).to_json()))

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
            ("images/x", {}, "r.json, images: expected ids, whole numbers, as keys; got 'x'"),
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
