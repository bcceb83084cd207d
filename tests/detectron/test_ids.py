"""Contiguous ids and dataset ids: Detectron2's own data sets, and categories nobody would choose."""

from types import SimpleNamespace

import pytest
from detectron2.data import MetadataCatalog
from detectron2.data.datasets.builtin_meta import COCO_CATEGORIES

from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.formats import Categories, Category

SKY, CAT, GRASS, DOG = 0, 7, 9, 5
# The ids start at 0, have gaps and are in no order; things and stuff are mixed.
CATEGORIES = Categories(
    [
        Category(GRASS, "grass", False, (0, 200, 0)),
        Category(CAT, "cat", True, (220, 20, 60)),
        Category(SKY, "sky", False, (70, 130, 180)),
        Category(DOG, "dog", True, (0, 0, 142)),
    ]
)
COCO_THINGS = [c for c in COCO_CATEGORIES if c["isthing"]]
COCO_STUFF = [c for c in COCO_CATEGORIES if not c["isthing"]]


def segment(isthing, category_id, **more):
    return {"id": 3, "isthing": isthing, "category_id": category_id, **more}


class TestCoco:
    @pytest.mark.parametrize("name", ["coco_2017_val_panoptic_separated", "coco_2017_train_panoptic_separated"])
    def test_the_separated_data_set_has_80_things_and_53_stuff(self, name):
        ids = ContiguousIds.of_metadata(MetadataCatalog.get(name))
        assert ids.from_dataset
        assert list(ids.things) == [c["id"] for c in COCO_THINGS]
        assert list(ids.labels) == [None] + [c["id"] for c in COCO_STUFF]
        assert (len(ids.things), len(ids.labels)) == (80, 54)

    def test_its_categories_are_cocos(self):
        categories = ContiguousIds.of_metadata(MetadataCatalog.get("coco_2017_val_panoptic_separated")).categories
        assert len(categories) == 133
        for entry in COCO_CATEGORIES:
            category = categories[entry["id"]]
            # Detectron2 shortens the names of some stuff.
            name = entry["name"] if entry["isthing"] else entry["name"].replace("-other", "").replace("-merged", "")
            assert category == Category(entry["id"], name, bool(entry["isthing"]), tuple(entry["color"]))

    def test_the_standard_data_set_numbers_things_and_stuff_together(self):
        ids = ContiguousIds.of_metadata(MetadataCatalog.get("coco_2017_val_panoptic"))
        assert list(ids.things) == [c["id"] for c in COCO_THINGS]
        assert list(ids.labels) == [None] * 80 + [c["id"] for c in COCO_STUFF]
        assert [c.name for c in ids.categories.stuff] == [c["name"] for c in COCO_STUFF]
        assert ids.to_dataset([segment(False, 80), segment(True, 79)]) == [segment(False, 92), segment(True, 90)]


class TestOfCategories:
    def test_things_by_id_and_stuff_by_the_list_after_the_things_label(self):
        ids = ContiguousIds.of_categories(CATEGORIES)
        assert ids.things == (DOG, CAT)
        assert ids.labels == (None, GRASS, SKY)
        assert ids.from_dataset

    def test_there_and_back(self):
        ids = ContiguousIds.of_categories(CATEGORIES)
        contiguous = [segment(True, 0), segment(True, 1), segment(False, 1), segment(False, 2)]
        dataset = [segment(True, DOG), segment(True, CAT), segment(False, GRASS), segment(False, SKY)]
        assert ids.to_dataset(contiguous) == dataset
        assert ids.to_contiguous(dataset) == contiguous

    def test_segments_are_copied_with_all_they_say(self):
        ids = ContiguousIds.of_categories(CATEGORIES)
        given = [segment(True, 1, score=0.5, area=9)]
        result = ids.to_dataset(given)
        assert result == [segment(True, CAT, score=0.5, area=9)]
        assert given == [segment(True, 1, score=0.5, area=9)]
        assert ids.to_contiguous(result) == given

    def test_metadata_and_back(self):
        ids = ContiguousIds.of_categories(CATEGORIES)
        metadata = ids.to_metadata()
        assert metadata["thing_classes"] == ["dog", "cat"]
        assert metadata["stuff_classes"] == ["things", "grass", "sky"]
        assert metadata["thing_dataset_id_to_contiguous_id"] == {DOG: 0, CAT: 1}
        assert metadata["stuff_dataset_id_to_contiguous_id"] == {-1: 0, GRASS: 1, SKY: 2}
        assert metadata["thing_colors"] == [[0, 0, 142], [220, 20, 60]]
        assert metadata["stuff_colors"][1:] == [[0, 200, 0], [70, 130, 180]]
        back = ContiguousIds.of_metadata(SimpleNamespace(**metadata))
        assert (back.things, back.labels, back.from_dataset) == (ids.things, ids.labels, True)
        assert dict(back.categories) == dict(CATEGORIES)

    def test_a_stuff_category_may_be_called_things(self):
        categories = Categories([Category(1, "cat", True, (1, 1, 1)), Category(0, "things", False, (2, 2, 2))])
        ids = ContiguousIds.of_categories(categories)
        back = ContiguousIds.of_metadata(SimpleNamespace(**ids.to_metadata()))
        assert back.labels == (None, 0)

    def test_without_stuff_the_things_label_remains(self):
        ids = ContiguousIds.of_categories(Categories([Category(4, "cat", True, (1, 1, 1))]))
        assert (ids.things, ids.labels) == ((4,), (None,))
        back = ContiguousIds.of_metadata(SimpleNamespace(**ids.to_metadata()))
        assert (back.things, back.labels) == ((4,), (None,))


class TestOfMetadata:
    def test_without_the_things_label_every_label_is_stuff(self):
        metadata = SimpleNamespace(
            thing_classes=["cat"],
            thing_dataset_id_to_contiguous_id={3: 0},
            stuff_classes=["sky", "grass"],
            stuff_dataset_id_to_contiguous_id={8: 0, 2: 1},
        )
        ids = ContiguousIds.of_metadata(metadata)
        assert ids.labels == (8, 2)
        # No colours in the metadata: some colour all the same.
        assert ids.categories[8] == Category(8, "sky", False, ids.categories[3].color)

    def test_a_label_per_thing_is_no_stuff(self):
        # As ADE20K in Detectron2's projects: the semantic labels go over things too.
        metadata = SimpleNamespace(
            thing_classes=["cat"],
            thing_dataset_id_to_contiguous_id={3: 0},
            stuff_classes=["sky", "cat"],
            stuff_dataset_id_to_contiguous_id={8: 0, 3: 1},
        )
        ids = ContiguousIds.of_metadata(metadata)
        assert (ids.things, ids.labels) == ((3,), (8, None))

    def test_things_follow_their_contiguous_ids_and_not_their_place(self):
        metadata = SimpleNamespace(
            thing_classes=["cat", "dog"],
            thing_dataset_id_to_contiguous_id={3: 1, 9: 0},
            stuff_classes=["things", "sky"],
            stuff_dataset_id_to_contiguous_id={5: 1, 0: 0},
        )
        ids = ContiguousIds.of_metadata(metadata)
        assert ids.things == (9, 3)
        assert (ids.categories[9].name, ids.categories[3].name) == ("cat", "dog")

    @pytest.mark.parametrize("name", ["nobody_registered_this", "coco_2017_val", "coco_2017_val_stuff"])
    def test_a_name_without_panoptic_metadata_gives_none(self, name):
        if name == "coco_2017_val_stuff":
            MetadataCatalog.get(name).stuff_dataset_id_to_contiguous_id = {92: 0}
        assert ContiguousIds.of_metadata(MetadataCatalog.get(name)) is None


def test_made_up_ids_say_so():
    ids = ContiguousIds.of_counts(2, 3)
    assert not ids.from_dataset
    assert (ids.things, ids.labels) == ((1, 2), (None, 3, 4))
    assert [c.name for c in ids.categories.values()] == ["thing 0", "thing 1", "stuff 1", "stuff 2"]
