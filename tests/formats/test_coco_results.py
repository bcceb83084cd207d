"""COCO result files: grouped by image, held against images and categories, and semantic masks as one map."""

import json

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.coco_results import (
    NO_LABEL,
    categories_of_masks,
    read_instances,
    read_masks,
    read_results,
)


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
        with pytest.raises(InputError, match="the semantic masks of categories 0 and 5 overlap"):
            categories_of_masks([entry(0, "##"), entry(5, ".#")], 1, 2)

    def test_two_masks_of_one_category_are_one(self):
        assert categories_of_masks([entry(5, "#.."), entry(5, "..#")], 1, 3).tolist() == [[5, NO_LABEL, 5]]

    def test_two_masks_of_one_category_may_not_overlap_either(self):
        with pytest.raises(InputError, match="the semantic masks of categories 5 and 5 overlap"):
            categories_of_masks([entry(5, "##."), entry(5, ".##")], 1, 3)

    @pytest.mark.parametrize("entries", [[], [entry(5, "...")]], ids=["no mask", "an empty mask"])
    def test_nothing_is_covered(self, entries):
        assert categories_of_masks(entries, 1, 3).tolist() == [[NO_LABEL] * 3]

    def test_a_mask_of_another_size(self):
        with pytest.raises(InputError, match=r"mask of category 5 is \[2, 1\], but image_size is \[1, 2\]"):
            categories_of_masks([entry(5, "# #")], 1, 2)


def images(*names, height=1, width=2):
    """Images 0, 1, ... of these names."""
    return [PanopticImage(i, name, height, width, None, ()) for i, name in enumerate(names)]


THINGS_0_AND_7 = Categories.from_coco(
    [{"id": i, "name": str(i), "isthing": isthing} for i, isthing in ((0, 1), (5, 0), (7, 1))]
)


class TestInstances:
    def read(self, path):
        return read_instances(path, images("a.jpg", "b.jpg"), THINGS_0_AND_7)

    def test_entries_keep_their_place_in_the_file(self, write):
        entries = [entry(7, "##", image_id=1, score=1), entry(0, "#.", image_id=0, score=0.25)]
        read = self.read(write([*entries, entries[0]]))
        assert [(e.place, e.category_id, e.score) for e in read[1]] == [(0, 7, 1.0), (2, 7, 1.0)]
        assert read[0][0].segmentation == entries[1]["segmentation"]
        assert read[0][0].category_id == 0

    def test_an_image_without_entries_is_left_out(self, write):
        assert self.read(write([])) == {}

    def test_scores_that_are_not_finite_are_kept(self, write):
        entries = [entry(7, "##", image_id=1, score=score) for score in (float("nan"), float("inf"))]
        assert [str(e.score) for e in self.read(write(entries))[1]] == ["nan", "inf"]

    def test_polygons_have_no_size_to_be_wrong(self, write):
        polygon = {"image_id": 0, "category_id": 7, "score": 1, "segmentation": [[0, 0, 1, 0, 1, 1]]}
        assert len(self.read(write([polygon]))[0]) == 1

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"image_id": 2}, "entry 1: 2 is not among the images"),
            ({"image_id": True}, "entry 1: True is not among the images"),
            ({"image_id": "0"}, "entry 1: '0' is not among the images"),
            ({"image_id": [0]}, r"entry 1: 'image_id' must name an image, got \[0\]"),
            ({"image_id": 0.0}, "entry 1: 'image_id' must name an image, got 0.0"),
            ({"category_id": 6}, "entry 1: category 6 is not among the categories"),
            ({"category_id": 5}, "entry 1: category 5 is stuff; instances are things"),
            ({"category_id": 7.0}, "entry 1: 'category_id' must be an integer, got 7.0"),
            ({"category_id": False}, "entry 1: 'category_id' must be an integer, got False"),
            ({"score": None}, "entry 1: 'score' must be a number, got None"),
            ({"score": "0.5"}, "entry 1: 'score' must be a number, got '0.5'"),
            ({"score": True}, "entry 1: 'score' must be a number, got True"),
            ({"segmentation": {"size": [2, 1], "counts": "02"}}, r"entry 1 is \[2, 1\], but image_size is \[1, 2\]"),
            ({"segmentation": {"counts": "02"}}, "entry 1 is None, but image_size is"),
        ],
    )
    def test_wrong_entries_are_named(self, write, change, message):
        good = entry(7, "##", image_id=0, score=0.5)
        with pytest.raises(InputError, match=f"results.json, {message}"):
            self.read(write([good, {**good, **change}]))

    def test_a_score_is_needed(self, write):
        with pytest.raises(InputError, match="entry 0: 'score' must be a number, got None"):
            self.read(write([entry(7, "##", image_id=0)]))


class TestSemanticResults:
    def test_by_image_id(self, write):
        read = read_masks(write([entry(0, "#.", image_id=1), entry(93, ".#", image_id=1)]), images("a.jpg", "b.jpg"))
        assert [(e.place, e.label) for e in read[1]] == [(0, 0), (1, 93)]
        assert set(read) == {1}

    def test_a_file_name_belongs_to_the_image_it_ends_in(self, write):
        names = ["/data/val/x/a.jpg", "/data/val/a.jpg", "val/bb.jpg", "val/x/a.jpg"]
        read = read_masks(
            write([entry(5, "#.", file_name=name) for name in names[:3]]), images("a.jpg", "x/a.jpg", "bb.jpg", "b.jpg")
        )
        assert {image_id: [e.place for e in entries] for image_id, entries in read.items()} == {0: [1], 1: [0], 2: [2]}

    def test_two_file_names_may_not_mean_one_image(self, write):
        path = write([entry(5, "#.", file_name=name) for name in ("x/a.jpg", "y/a.jpg")])
        with pytest.raises(InputError, match=r"'x/a.jpg' and 'y/a.jpg' both mean image 0, 'a.jpg'"):
            read_masks(path, images("a.jpg"))

    @pytest.mark.parametrize("name", ["xa.jpg", "a.png", "", "a.jpg/b"])
    def test_an_unknown_file_name(self, write, name):
        with pytest.raises(InputError, match="entry 1: .* is not among the images"):
            read_masks(write([entry(5, "#.", file_name=n) for n in ("a.jpg", name)]), images("a.jpg"))

    def test_no_entries(self, write):
        assert read_masks(write([]), images("a.jpg")) == {}

    def test_entries_must_name_images_alike(self, write):
        mixed = [entry(5, "#.", image_id=0), entry(5, "#.", file_name="a.jpg")]
        with pytest.raises(InputError, match="entry 1: expected an object with 'image_id'"):
            read_masks(write(mixed), images("a.jpg"))
        with pytest.raises(InputError, match="entry 1: expected an object with 'file_name'"):
            read_masks(write(mixed[::-1]), images("a.jpg"))

    def test_a_mask_of_another_size(self, write):
        with pytest.raises(InputError, match=r"entry 0 is \[2, 1\], but image_size is \[1, 2\]"):
            read_masks(write([entry(5, "# .", image_id=0)]), images("a.jpg"))
