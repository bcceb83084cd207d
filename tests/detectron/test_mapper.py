"""Training samples from panoptic PNGs, drawn."""

import copy
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog
from detectron2.data import transforms as T
from PIL import Image

from panoptic_heuristic.detectron import add_panoptic_heuristic_config
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.detectron.mapper import DepthCheckingMapper, PanopticPngMapper
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from tests.formats.tiny_panoptic import CATEGORIES, draw, write_png, write_tiny_panoptic

TINY = Categories.from_coco(CATEGORIES)
FLIP = T.RandomFlip(1.0)

# s sky, g grass, c and C cats, d dog, x a crowd of dogs, "." void.
DRAWING = """
ssscc.
ssscc.
CCxxdd
gggggg
"""
VOID = 255


@pytest.fixture
def load(tmp_path):
    """Gives the records of a data set of the given drawings."""

    def records(*drawings, categories=CATEGORIES):
        data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=drawings, categories=categories)
        cfg = get_cfg()
        add_panoptic_heuristic_config(cfg)
        cfg.DATASETS.PANOPTIC_YAML = str(data.yaml)
        use_dataset_yaml(cfg, set())
        return data, DatasetCatalog.get("tiny_val")

    return records


def mapper(*augmentations, is_train=True, categories=TINY):
    return PanopticPngMapper(is_train, categories=categories, augmentations=list(augmentations), image_format="BGR")


def things_and_crowds(record):
    """(H, W) bool: where the drawing has a thing or a crowd, from the file itself."""
    name = f"{record['panoptic_root']}/{record['panoptic_image'].png_name}"
    rgb = np.asarray(Image.open(name)).astype(int)
    ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    return np.isin(ids, [s["id"] for s in record["panoptic_image"].segments_info if s["category_id"] in (7, 90)])


class TestWithoutAugmentation:
    @pytest.fixture
    def sample(self, load):
        return mapper()(load(DRAWING)[1][0])

    def test_semantic_labels(self, sample):
        # 0 is any thing and the crowd; 1 is sky, 2 is grass.
        assert sample["sem_seg"].tolist() == [
            [1, 1, 1, 0, 0, VOID],
            [1, 1, 1, 0, 0, VOID],
            [0, 0, 0, 0, 0, 0],
            [2, 2, 2, 2, 2, 2],
        ]
        assert sample["sem_seg"].dtype == torch.int64

    def test_instances_are_the_things_without_the_crowd(self, sample):
        instances = sample["instances"]
        assert instances.image_size == (4, 6)
        assert instances.gt_classes.tolist() == [0, 0, 1]
        # In pixels from the left upper corner to beyond the right lower one.
        assert instances.gt_boxes.tensor.tolist() == [[3, 0, 5, 2], [0, 2, 2, 3], [4, 2, 6, 3]]
        for mask, letter in zip(instances.gt_masks.tensor.numpy(), "cCd", strict=True):
            np.testing.assert_array_equal(mask, draw(DRAWING) == draw(letter)[0, 0])

    def test_the_image(self, sample, load):
        pixels = np.asarray(Image.open(sample["file_name"]))[..., ::-1]
        assert sample["image"].dtype == torch.uint8
        np.testing.assert_array_equal(sample["image"].permute(1, 2, 0).numpy(), pixels)

    def test_what_else_is_in_the_sample(self, sample):
        names = {"file_name", "image_id", "height", "width", "image", "sem_seg", "instances"}
        assert set(sample) == names
        assert (sample["image_id"], sample["height"], sample["width"]) == (1, 4, 6)


def test_the_record_is_not_changed(load):
    _, records = load(DRAWING)
    before = copy.deepcopy(records[0])
    mapper(FLIP)(records[0])
    mapper(is_train=False)(records[0])
    assert records[0] == before


def test_in_inference_there_is_no_ground_truth_and_no_png_is_opened(load):
    data, records = load(DRAWING)
    data.png("val", 0).unlink()
    sample = mapper(T.Resize((8, 12)), is_train=False)(records[0])
    assert set(sample) == {"file_name", "image_id", "height", "width", "image"}
    assert tuple(sample["image"].shape) == (3, 8, 12)
    assert (sample["height"], sample["width"]) == (4, 6)


def test_a_flip_turns_all_of_it(load):
    _, records = load(DRAWING)
    plain, flipped = mapper()(records[0]), mapper(FLIP)(records[0])
    assert torch.equal(flipped["image"], plain["image"].flip(2))
    assert torch.equal(flipped["sem_seg"], plain["sem_seg"].flip(1))
    assert torch.equal(flipped["instances"].gt_masks.tensor, plain["instances"].gt_masks.tensor.flip(2))
    assert flipped["instances"].gt_boxes.tensor.tolist() == [[1, 0, 3, 2], [4, 2, 6, 3], [0, 2, 2, 3]]


@pytest.mark.parametrize("size", [(3, 4), (5, 11), (8, 12), (37, 29), (64, 96)])
def test_resizing_keeps_labels_and_masks_together(load, size):
    drawing = "ssssssssss sccssCCssg sccsxxCssg sccxxddssg ggggdddddg ..ggggdddg ..gggggggg"
    _, records = load(drawing)
    sample = mapper(T.Resize(size), FLIP)(records[0])
    masks = sample["instances"].gt_masks.tensor.numpy()
    covered = masks.any(axis=0)
    labels = sample["sem_seg"].numpy()
    assert labels.shape == covered.shape == size
    assert (masks.sum(axis=0) <= 1).all()
    assert not (covered & (labels != 0)).any()
    # The crowd has the things label too: sent through the same transforms it fills the rest of it.
    turn = T.AugmentationList([T.Resize(size), FLIP])
    image = np.zeros(draw(drawing).shape + (3,), dtype=np.uint8)
    expected = turn(T.AugInput(image)).apply_segmentation(things_and_crowds(records[0]).astype(np.uint8))
    np.testing.assert_array_equal(labels == 0, expected == 1)
    if min(size) > 5:
        assert ((labels == 0) & ~covered).any() and covered.any()


def test_boxes_are_tight_around_the_masks_that_are_left(load):
    # Of the left cat two columns remain, of the right one nothing: it is no instance any more.
    _, records = load("ssssssss sccccssC sccccssC gggggggg")
    sample = mapper(T.CropTransform(0, 0, 3, 4))(records[0])
    assert sample["instances"].gt_boxes.tensor.tolist() == [[1, 1, 3, 3]]
    assert sample["instances"].gt_classes.tolist() == [0]
    assert sample["sem_seg"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0], [2, 2, 2]]


def test_crop_of_the_config_comes_first(load):
    _, records = load("ssssssss sccccssC sccccssC gggggggg")
    cfg = get_cfg()
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", [2, 3]
    cfg.INPUT.MIN_SIZE_TRAIN = (4,)
    sample = PanopticPngMapper(cfg, True, categories=TINY)(records[0])
    assert tuple(sample["image"].shape) == (3, 4, 6)
    assert tuple(sample["sem_seg"].shape) == sample["instances"].image_size == (4, 6)
    # In inference the whole image is taken.
    cfg.INPUT.MIN_SIZE_TEST = 4
    assert tuple(PanopticPngMapper(cfg, False, categories=TINY)(records[0])["image"].shape) == (3, 4, 8)


@pytest.mark.parametrize("drawing", ["ssss ssgg", ".... ....", "xxss xxgg"], ids=["stuff", "void", "a crowd"])
def test_an_image_without_things(load, drawing):
    _, records = load(drawing)
    sample = mapper(T.Resize((6, 12)))(records[0])
    instances = sample["instances"]
    assert len(instances) == 0
    assert tuple(instances.gt_masks.tensor.shape) == (0, 6, 12)
    assert tuple(instances.gt_boxes.tensor.shape) == (0, 4)
    assert tuple(instances.gt_classes.shape) == (0,)
    assert (instances.gt_masks.tensor.dtype, instances.gt_classes.dtype) == (torch.bool, torch.int64)


@pytest.mark.parametrize("count", [255, 256, 300])
def test_as_many_things_as_a_crowded_image_has(load, count):
    data, records = load("s" * 30 + (" " + "s" * 30) * 19)
    # One pixel each, in steps of two, so that no two touch; every id needs two bytes.
    ids = np.full((20, 30), 1, dtype=np.int32)
    places = [(y, x) for y in range(20) for x in range(y % 2, 30, 2)][:count]
    for thing, (y, x) in enumerate(places):
        ids[y, x] = 1000 + thing
    write_png(data.png("val", 0), ids)
    with data.edit("val") as content:
        content["annotations"][0]["segments_info"] += [
            {"id": 1000 + thing, "category_id": (7, 90)[thing % 2], "iscrowd": 0} for thing in range(count)
        ]
    cfg = get_cfg()
    add_panoptic_heuristic_config(cfg)
    cfg.DATASETS.PANOPTIC_YAML = str(data.yaml)
    use_dataset_yaml(cfg, set())
    sample = mapper(T.Resize((40, 60)), FLIP)(DatasetCatalog.get("tiny_val")[0])
    instances = sample["instances"]
    assert instances.gt_classes.tolist() == [thing % 2 for thing in range(count)]
    # A pixel becomes two by two of them, on the other side.
    expected = [[58 - 2 * x, 2 * y, 60 - 2 * x, 2 * y + 2] for y, x in places]
    assert instances.gt_boxes.tensor.tolist() == expected
    assert instances.gt_masks.tensor.sum(dim=(1, 2)).tolist() == [4] * count
    assert torch.equal(instances.gt_masks.tensor.any(dim=0), sample["sem_seg"] == 0)


@pytest.mark.parametrize("is_train", [True, False])
@pytest.mark.parametrize("deep", [np.uint16, np.int32, np.float32])
def test_a_range_scales_deep_images(load, deep, is_train):
    _, (record,) = load(DRAWING)
    values = np.full((4, 6), 100).astype(deep)
    values[0, :4] = 50, 200, 300, 400
    Image.fromarray(values).save(record["file_name"], format="PNG" if deep == np.uint16 else "TIFF")
    sample = mapper(is_train=is_train)({**record, "image_range": (100.0, 355.0)})
    expected = np.zeros((4, 6), np.uint8)
    expected[0, 1:4] = 100, 200, 255
    assert sample["image"].tolist() == [expected.tolist()] * 3 and "image_range" not in sample


def test_masks_take_memory_for_their_things_and_not_for_their_background(load):
    data, records = load(" ".join(["s" * 1000] * 1000))
    # 1,000 squares of 20 pixels: whole maps of all would be 1 GB.
    ids = np.full((1000, 1000), 1, dtype=np.int32)
    for thing in range(1000):
        y, x = 31 * (thing // 32), 31 * (thing % 32)
        ids[y : y + 20, x : x + 20] = 1000 + thing
    write_png(data.png("val", 0), ids)
    records[0]["panoptic_image"] = replace(
        records[0]["panoptic_image"],
        segments_info=(
            *records[0]["panoptic_image"].segments_info,
            *({"id": 1000 + thing, "category_id": 7} for thing in range(1000)),
        ),
    )
    before = _resident_bytes()
    masks = mapper()(records[0])["instances"].gt_masks.tensor
    assert _resident_bytes() - before < 200e6
    assert masks.shape == (1000, 1000, 1000) and masks[999].sum() == 400


def _resident_bytes():
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("the system does not say how much memory a process takes")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestWrongFiles:
    def test_an_image_of_another_size(self, load):
        data, records = load(DRAWING)
        Image.new("RGB", (7, 4)).save(data.image("val", 0))
        with pytest.raises(InputError, match=r"0000.jpg is 7x4 pixels, but the JSON says 6x4"):
            mapper()(records[0])

    def test_an_image_of_more_than_8_bits_per_channel(self, load):
        _, (record,) = load(DRAWING)
        Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000).save(record["file_name"], format="PNG")
        with pytest.raises(InputError, match="has pixels of 16-bit grey, which would all become white; save it with 8"):
            mapper()(record)
        data_set_of_detectron2 = DepthCheckingMapper(is_train=False, augmentations=[], image_format="BGR")
        with pytest.raises(InputError, match="has pixels of 16-bit grey, which would all become white; save it with 8"):
            data_set_of_detectron2({"file_name": record["file_name"]})

    def test_a_missing_image(self, load):
        data, records = load(DRAWING)
        data.image("val", 0).unlink()
        with pytest.raises(InputError, match="0000.jpg is missing"):
            mapper(is_train=False)(records[0])

    def test_a_damaged_image(self, load):
        data, records = load(DRAWING)
        data.image("val", 0).write_bytes(b"no JPEG")
        with pytest.raises(InputError, match="0000.jpg cannot be read as an image"):
            mapper()(records[0])

    def test_a_missing_png(self, load):
        data, records = load(DRAWING)
        data.png("val", 0).unlink()
        with pytest.raises(InputError, match="cannot read .*0000.png"):
            mapper()(records[0])

    def test_a_png_of_another_size(self, load):
        data, records = load(DRAWING)
        write_png(data.png("val", 0), draw("sssssss " * 4))
        with pytest.raises(InputError, match="0000.png is 7x4 pixels, but the JSON says 6x4"):
            mapper()(records[0])

    def test_a_png_with_an_id_that_the_json_lacks(self, load):
        data, records = load(DRAWING)
        write_png(data.png("val", 0), draw(DRAWING) + (draw(DRAWING) == 1) * 41)
        message = "0000.png: the PNG holds segment 42, which the JSON does not list for image 1"
        with pytest.raises(InputError, match=message):
            mapper()(records[0])
