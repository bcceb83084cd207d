"""COCO result files: held against images and categories, grouped by image; and semantic masks as one map."""

import json

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.coco_results import (
    MaskEntry,
    map_of_masks,
    read_instances,
    read_masks,
)
from tests.formats.drawn_results import rle


def entry(category_id, drawing, **more):
    """A result entry; "#" is in its mask."""
    return {"category_id": category_id, "segmentation": rle(drawing), **more}


@pytest.fixture
def write(tmp_path):
    def to_file(value):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(value))
        return path

    return to_file


def images(*names, height=1, width=2):
    """Images 0, 1, ... of these names."""
    return [PanopticImage(i, name, height, width, None, ()) for i, name in enumerate(names)]


THINGS_0_AND_7 = Categories.from_coco(
    [{"id": i, "name": str(i), "isthing": isthing} for i, isthing in ((0, 1), (5, 0), (7, 1))]
)


class TestAnyResultFile:
    @pytest.fixture(params=["instances", "masks"])
    def read(self, request):
        if request.param == "masks":
            return lambda path: read_masks(path, images("a.jpg", "b.jpg"))
        return lambda path: read_instances(path, images("a.jpg", "b.jpg"), THINGS_0_AND_7)

    def test_entries_are_grouped_in_file_order(self, write, read):
        entries = [entry(7, drawing, image_id=k, score=0.5) for drawing, k in (("##", 1), ("#.", 0), (".#", 1))]
        found = read(write(entries))
        assert [[one.segmentation for one in found[k]] for k in found] == [
            [entries[0]["segmentation"], entries[2]["segmentation"]],
            [entries[1]["segmentation"]],
        ]
        assert list(found) == [1, 0]

    @pytest.mark.parametrize("missing", ["image_id", "category_id", "segmentation"])
    def test_an_entry_that_lacks_a_key_is_named(self, write, read, missing):
        entries = [entry(7, "##", image_id=1, score=0.5) for _ in range(2)]
        del entries[1][missing]
        with pytest.raises(InputError, match=f"results.json, entry 1: expected an object with '{missing}'"):
            read(write(entries))

    def test_an_entry_that_is_no_object(self, write, read):
        with pytest.raises(InputError, match="results.json, entry 0: expected an object"):
            read(write(["image_id category_id segmentation"]))

    def test_a_dict_is_no_result_file(self, write, read):
        with pytest.raises(InputError, match="results.json is no COCO result file: expected a list, got dict"):
            read(write({"annotations": []}))

    def test_a_missing_file(self, tmp_path, read):
        with pytest.raises(InputError, match="cannot read .*gone.json"):
            read(tmp_path / "gone.json")

    def test_no_json(self, tmp_path, read):
        (tmp_path / "cut.json").write_text('[{"image_id": 7,')
        with pytest.raises(InputError, match="cut.json is not valid JSON: .*line 1"):
            read(tmp_path / "cut.json")


def masks(*drawn):
    """Semantic masks of pairs of a label and a drawing."""
    return [MaskEntry(place, label, rle(drawing)) for place, (label, drawing) in enumerate(drawn)]


class TestMapOfMasks:
    def test_drawn(self):
        painted = map_of_masks(masks((0, "##.. ##.. ...."), (200, "...# ...# ..##"), (7, ".... ..#. ....")), 3, 4)
        assert painted.tolist() == [[1, 1, 0, 2], [1, 1, 3, 2], [0, 0, 2, 2]]

    def test_the_first_mask_is_not_taken_for_free(self):
        with pytest.raises(InputError, match="the semantic masks of categories 0 and 5 overlap"):
            map_of_masks(masks((0, "##"), (5, ".#")), 1, 2)

    def test_two_masks_of_one_category_may_lie_apart_and_not_overlap(self):
        assert map_of_masks(masks((5, "#.."), (5, "..#")), 1, 3).tolist() == [[1, 0, 2]]
        with pytest.raises(InputError, match="the semantic masks of categories 5 and 5 overlap"):
            map_of_masks(masks((5, "##."), (5, ".##")), 1, 3)

    @pytest.mark.parametrize("drawn", [[], [(5, "...")]], ids=["no mask", "an empty mask"])
    def test_nothing_is_covered(self, drawn):
        assert map_of_masks(masks(*drawn), 1, 3).tolist() == [[0] * 3]

    def test_a_mask_of_another_size(self):
        with pytest.raises(InputError, match=r"mask of category 5 is \[2, 1\], but image_size is \[1, 2\]"):
            map_of_masks(masks((5, "# #")), 1, 2)


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
            ({"image_id": True}, "entry 1: 'image_id' must name an image, got True"),
            ({"image_id": "x"}, "entry 1: 'x' is not among the images"),
            ({"image_id": "0"}, "entry 1: '0' is not among the images; there is 0, which is a number: write"),
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
