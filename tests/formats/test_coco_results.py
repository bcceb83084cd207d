"""COCO result files: grouped by image, and semantic masks as one map."""

import json

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_results import NO_LABEL, categories_of_masks, read_results


def entry(category_id, drawing, **more):
    """A result entry; "#" is in its mask."""
    mask = np.array([[pixel == "#" for pixel in row] for row in drawing.split()])
    rle = rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    segmentation = {"size": rle["size"], "counts": rle["counts"].decode("ascii")}
    return {"category_id": category_id, "segmentation": segmentation, **more}


@pytest.fixture
def write(tmp_path):
    def to_file(value):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(value))
        return path

    return to_file


class TestRead:
    def test_entries_are_grouped_in_file_order(self, write):
        entries = [entry(3, "##", image_id=7), entry(5, "#.", image_id=9), entry(3, ".#", image_id=7)]
        assert read_results(write(entries), "image_id") == {7: [entries[0], entries[2]], 9: [entries[1]]}

    def test_by_file_name(self, write):
        entries = [entry(0, "##", file_name="a/x.jpg"), entry(0, "##", file_name="b/x.jpg")]
        assert list(read_results(write(entries), "file_name")) == ["a/x.jpg", "b/x.jpg"]

    def test_no_entries(self, write):
        assert read_results(write([]), "image_id") == {}

    @pytest.mark.parametrize("missing", ["image_id", "category_id", "segmentation"])
    def test_an_entry_that_lacks_a_key_is_named(self, write, missing):
        entries = [entry(3, "##", image_id=7), entry(3, "##", image_id=7)]
        del entries[1][missing]
        with pytest.raises(InputError, match=f"results.json, entry 1: expected an object with '{missing}'"):
            read_results(write(entries), "image_id")

    def test_an_entry_that_is_no_object(self, write):
        with pytest.raises(InputError, match="results.json, entry 0: expected an object"):
            read_results(write(["image_id category_id segmentation"]), "image_id")

    def test_a_dict_is_no_result_file(self, write):
        with pytest.raises(InputError, match="results.json is no COCO result file: expected a list, got dict"):
            read_results(write({"annotations": []}), "image_id")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="cannot read .*gone.json"):
            read_results(tmp_path / "gone.json", "image_id")

    def test_no_json(self, tmp_path):
        (tmp_path / "cut.json").write_text('[{"image_id": 7,')
        with pytest.raises(InputError, match="cut.json is not valid JSON: .*line 1"):
            read_results(tmp_path / "cut.json", "image_id")


class TestMasks:
    def test_drawn(self):
        entries = [entry(0, "##.. ##.. ...."), entry(200, "...# ...# ..##"), entry(7, ".... ..#. ....")]
        labels = categories_of_masks(entries, 3, 4)
        assert labels.tolist() == [[0, 0, NO_LABEL, 200], [0, 0, 7, 200], [NO_LABEL, NO_LABEL, 200, 200]]
        assert labels.dtype == np.int64

    def test_category_0_is_not_taken_for_free(self):
        # Its pixels hold the value 0, but are covered.
        with pytest.raises(InputError, match="the semantic mask of category 5 overlaps another one"):
            categories_of_masks([entry(0, "##"), entry(5, ".#")], 1, 2)

    def test_two_masks_of_one_category_are_one(self):
        assert categories_of_masks([entry(5, "#.."), entry(5, "..#")], 1, 3).tolist() == [[5, NO_LABEL, 5]]

    def test_two_masks_of_one_category_may_not_overlap_either(self):
        with pytest.raises(InputError, match="category 5 overlaps"):
            categories_of_masks([entry(5, "##."), entry(5, ".##")], 1, 3)

    @pytest.mark.parametrize("entries", [[], [entry(5, "...")]], ids=["no mask", "an empty mask"])
    def test_nothing_is_covered(self, entries):
        assert categories_of_masks(entries, 1, 3).tolist() == [[NO_LABEL] * 3]

    def test_a_mask_of_another_size(self):
        with pytest.raises(InputError, match=r"mask of category 5 is \[2, 1\] pixels, but the image is \[1, 2\]"):
            categories_of_masks([entry(5, "# #")], 1, 2)
