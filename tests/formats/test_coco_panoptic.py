import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, read_annotation, read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.coco_panoptic import json_problems
from tests.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info, write_png, write_tiny_panoptic


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


def test_reads_images_annotations_and_categories(data):
    content = read_panoptic_json(data.json("val"))
    first = content.images[0]
    assert content.path == data.json("val")
    assert (first.image_id, first.file_name, first.png_name) == (1, "0000.jpg", "0000.png")
    assert (first.height, first.width) == (8, 10)
    assert first.segments_info == tuple(segments_info(DRAWINGS[0]))
    assert [category.name for category in content.categories.values()] == ["sky", "cat", "grass", "dog"]


def test_images_keep_file_order_whatever_the_order_of_annotations(data):
    with data.edit("val") as content:
        content["images"].reverse()
    images = read_panoptic_json(data.json("val")).images
    assert [(image.image_id, image.png_name) for image in images] == [
        (3, "0002.png"),
        (2, "0001.png"),
        (1, "0000.png"),
    ]


def test_a_test_set_has_no_annotations(data):
    with data.edit("val") as content:
        del content["annotations"], content["categories"]
    with pytest.raises(InputError, match="categories: expected a list of categories, got NoneType"):
        read_panoptic_json(data.json("val"))
    content = read_panoptic_json(data.json("val"), Categories.from_coco(CATEGORIES))
    assert {(image.png_name, image.segments_info) for image in content.images} == {(None, ())}


@pytest.mark.parametrize("place", range(3))
def test_reads_the_ids_of_a_png(data, place):
    image = read_panoptic_json(data.json("val")).images[place]
    ids = read_annotation(image, data.root / "panoptic_val")
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, draw(DRAWINGS[place]))


# --- what is wrong with a JSON ---


def _image(content):
    return content["images"][1]


def _annotation(content):
    return content["annotations"][1]


def _segment(content):
    return content["annotations"][1]["segments_info"][2]  # 256, a cat


@pytest.mark.parametrize(
    "part, change, said",
    [
        (_image, {"id": "2"}, "image 1: 'id' must be an integer, got '2'"),
        (_image, {"id": 3}, "image 2: image id 3 occurs twice"),
        (_image, {"file_name": None}, "image 1: 'file_name' must be a string, got None"),
        (_image, {"height": 0}, "image 1: 'height' must be a positive integer, got 0"),
        (_image, {"width": 10.0}, "image 1: 'width' must be a positive integer, got 10.0"),
        (_annotation, {"image_id": 77}, "annotation of image 77: 'images' has no image 77"),
        (_annotation, {"image_id": 1}, "annotation of image 1: the image is annotated twice"),
        (
            _annotation,
            {"image_id": None},
            "annotation 1: expected an object with an integer 'image_id', got None",
        ),
        (
            _annotation,
            {"file_name": 3},
            "annotation of image 2: 'file_name' must be the name of a PNG, got 3",
        ),
        (_annotation, {"segments_info": None}, "annotation of image 2: 'segments_info' must be a list"),
        (_segment, {"id": 0}, "annotation of image 2: segment id 0 must be an integer from 1 to 16777215"),
        (_segment, {"id": 2**24}, "segment id 16777216 must be an integer from 1 to 16777215"),
        (_segment, {"id": "256"}, "segment id '256' must be an integer"),
        (_segment, {"id": 1}, "annotation of image 2: segment id 1 occurs twice"),
        (
            _segment,
            {"category_id": 8},
            "annotation of image 2, segment 256: category 8 is not among the categories",
        ),
        (_segment, {"category_id": None}, "segment 256: category None is not among the categories"),
        (_segment, {"category_id": [7]}, "segment 256: category [7] is not among the categories"),
        (_segment, {"category_id": False}, "segment 256: category False is not among the categories"),
        (_segment, {"iscrowd": 2}, "segment 256: iscrowd must be 0 or 1, got 2"),
    ],
)
def test_one_wrong_value_is_one_sentence_with_its_place(data, part, change, said):
    with data.edit("val") as content:
        part(content).update(change)
    path = data.json("val")
    with pytest.raises(
        InputError, match=re.escape(f"{path}, ") + ".*" + re.escape(said.split(": ", 1)[-1])
    ) as caught:
        read_panoptic_json(path)
    assert said in str(caught.value)
    others = [text for text in json_problems(data.read("val"), str(path)) if said not in text]
    # An image that lost its id leaves its annotation without an image; nothing else may follow.
    assert all("'images' has no image 2" in text for text in others)


def test_an_image_may_be_one_pixel_high_or_wide(data):
    with data.edit("val") as content:
        content["images"][0]["height"] = content["images"][1]["width"] = 1
    assert list(json_problems(data.read("val"), "f")) == []


def test_the_largest_segment_id_is_legal(data):
    with data.edit("val") as content:
        _segment(content)["id"] = 2**24 - 1
    assert list(json_problems(data.read("val"), "f")) == []


def test_iscrowd_area_and_bbox_may_be_absent(data):
    with data.edit("val") as content:
        for key in ("iscrowd", "area", "bbox"):
            del _segment(content)[key]
    assert list(json_problems(data.read("val"), "f")) == []


@pytest.mark.parametrize("content", [[], {}, {"images": {}}, None, "x"])
def test_other_json_is_refused(content):
    assert list(json_problems(content, "f.json")) == [
        "f.json is no COCO panoptic JSON: expected an object with the list 'images'"
    ]


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("annotations", {}, "f: 'annotations' must be a list, got dict"),
        ("annotations", [3], "f, annotation 0: expected an object"),
        ("images", [3], "f, image 0: expected an object, got int"),
    ],
)
def test_lists_hold_objects(data, key, value, said):
    content = {**data.read("val"), "annotations": [], key: value}
    (problem,) = json_problems(content, "f")
    assert problem.startswith(said)


def test_every_problem_is_told_even_without_categories(data):
    with data.edit("val") as content:
        del content["categories"]
        _image(content)["height"] = -1
        _segment(content)["iscrowd"] = "no"
    assert [text.split(": ", 1)[1] for text in json_problems(data.read("val"), "f")] == [
        "expected a list of categories, got NoneType",
        "'height' must be a positive integer, got -1",
        "iscrowd must be 0 or 1, got 'no'",
    ]


# --- what is wrong with a PNG ---


def test_ids_in_the_png_only_and_in_the_json_only(data):
    image = read_panoptic_json(data.json("val")).images[1]
    ids = draw(DRAWINGS[1])
    ids[0, 0] = 77
    write_png(data.png("val", 1), ids)
    said = f"{data.png('val', 1)}: the PNG holds segment 77, which the JSON does not list for image 2"
    with pytest.raises(InputError, match=re.escape(said)):
        read_annotation(image, data.root / "panoptic_val")
    ids[0, 0] = 1
    ids[ids == 65536] = 1
    write_png(data.png("val", 1), ids)
    said = f"{data.png('val', 1)}: the JSON lists segment 65536 for image 2, which has no pixel in the PNG"
    with pytest.raises(InputError, match=re.escape(said)):
        read_annotation(image, data.root / "panoptic_val")


def test_void_needs_no_listing(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=["....\n...."])
    image = read_panoptic_json(data.json("val")).images[0]
    assert read_annotation(image, data.root / "panoptic_val").tolist() == [[0] * 4] * 2


def test_a_png_of_another_size(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((8, 10), dtype=int))
    assert read_panoptic_png(tmp_path / "a.png", height=8, width=10).shape == (8, 10)
    # Height and width exchanged is the usual mistake.
    with pytest.raises(
        InputError, match=re.escape(f"{tmp_path / 'a.png'} is 10x8 pixels, but the JSON says 8x10")
    ):
        read_panoptic_png(tmp_path / "a.png", height=10, width=8)


def _save_16_bit_rgb(path):
    # Pillow cannot write it, and reads it as 8-bit without a word.
    assert cv2.imwrite(str(path), np.full((8, 10, 3), 300, dtype=np.uint16))
    assert Image.open(path).mode == "RGB"


@pytest.mark.parametrize(
    "save, said",
    [
        (_save_16_bit_rgb, "is a PNG of 16-bit RGB; panoptic PNGs are 8-bit RGB"),
        (lambda path: Image.new("RGBA", (10, 8)).save(path), "is a PNG of 8-bit RGBA;"),
        (lambda path: Image.new("L", (10, 8)).save(path), "is a PNG of 8-bit grey;"),
        (lambda path: Image.new("LA", (10, 8)).save(path), "is a PNG of 8-bit grey with alpha;"),
        (lambda path: Image.new("I;16", (10, 8)).save(path), "is a PNG of 16-bit grey;"),
        (lambda path: Image.new("P", (10, 8)).save(path), "-bit palette;"),
        (lambda path: Image.new("RGB", (10, 8)).save(path, format="JPEG"), "is not a PNG"),
        (lambda path: path.write_bytes(b""), "is not a PNG"),
        (lambda path: path.write_text("not an image, but long enough to be a header"), "is not a PNG"),
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_only_8_bit_rgb_is_read(tmp_path, save, said):
    path = tmp_path / "a.png"
    save(path)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_panoptic_png(path, height=8, width=10)
    assert str(path) in str(caught.value)


def test_a_png_cut_anywhere_is_damaged(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 2**24, (8, 10)))
    whole = path.read_bytes()
    for length in range(len(whole) - 24):  # The last 24 bytes hold no pixel: checksums and the end mark.
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=re.escape(str(path))):
            read_panoptic_png(path, height=8, width=10)


def test_a_png_with_wrong_bytes_never_ends_in_another_exception(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 2**24, (8, 10)))
    whole = path.read_bytes()
    damaged = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_panoptic_png(path, height=8, width=10)
        except InputError:
            damaged += 1
    assert damaged > 30  # The header and the first bytes of each chunk at least.


def test_a_png_too_large_to_decode_is_one_sentence(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.zeros((8, 10), dtype=int))
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60000, 60000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_panoptic_png(path, height=8, width=10)


@pytest.mark.parametrize("name", ["../panoptic_val/0001.png", "/0001.png"])
def test_png_names_stay_in_their_folder(data, name):
    with data.edit("val") as content:
        _annotation(content)["file_name"] = name
    image = read_panoptic_json(data.json("val")).images[1]
    with pytest.raises(InputError, match="leads out of its folder"):
        read_annotation(image, data.root / "panoptic_val")


def test_real_coco_images(coco_sample):
    content = read_panoptic_json(coco_sample / "panoptic.json")
    assert len(content.categories.things) == 80 and len(content.categories.stuff) == 53
    for image in content.images:
        ids = read_annotation(image, coco_sample / "panoptic")
        assert ids.shape == (image.height, image.width)
        for segment in image.segments_info:
            assert (ids == segment["id"]).sum() == segment["area"]
