"""Images and PNGs that are missing or damaged, or differ from what the JSON says of them."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.formats.check.checked_data import check, only_note, only_problem, segment
from tests.formats.tiny_panoptic import DRAWINGS, draw, write_png

# --- files that are missing or damaged ---


def test_a_missing_json(data):
    os.remove(data.json("val"))
    text = only_problem(data, "JSON")
    assert text == f"cannot read {data.json('val')}: No such file or directory"


def test_a_json_that_is_none(data):
    data.json("val").write_text("{")
    assert f"{data.json('val')} is not valid JSON" in only_problem(data, "JSON")


def test_a_missing_image(data):
    os.remove(data.image("val", 1))
    assert only_problem(data, "image") == f"{data.image('val', 1)} is missing"


def test_a_truncated_image(data):
    content = data.image("val", 1).read_bytes()
    data.image("val", 1).write_bytes(content[: len(content) - 40])
    assert only_problem(data, "image").startswith(f"{data.image('val', 1)} cannot be read as an image: ")


def test_an_image_that_is_none(data):
    data.image("val", 1).write_text("hello")
    assert only_problem(data, "image").startswith(f"{data.image('val', 1)} cannot be read as an image: ")


def test_an_image_of_another_size(data):
    Image.new("RGB", (11, 8)).save(data.image("val", 1))
    text = only_problem(data, "image size")
    assert text == f"{data.image('val', 1)} is 11x8 pixels, but the JSON says 10x8"


def _save_with_orientation(path, size, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.new("RGB", size)
    photo.paste((255, 255, 255), (0, 0, 4, 4))
    photo.save(path, exif=exif)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_image_that_exif_turns_to_another_size(data, orientation):
    # 10x8 in the file, but Detectron2's loader turns it to 8x10 and then refuses it.
    _save_with_orientation(data.image("val", 1), (10, 8), orientation)
    text = only_problem(data, "image size")
    assert f"is 8x10 pixels once turned by its EXIF orientation {orientation}, but the JSON says 10x8" in text


@pytest.mark.parametrize("size, orientation", [((10, 8), 2), ((10, 8), 3), ((10, 8), 4), ((8, 10), 6)])
def test_an_image_that_exif_turns_to_the_right_size(data, size, orientation):
    _save_with_orientation(data.image("val", 1), size, orientation)
    assert f"{data.image('val', 1)} is turned by its EXIF orientation" in only_note(data, "EXIF orientation")


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_image_that_exif_does_not_turn(data, orientation):
    _save_with_orientation(data.image("val", 1), (10, 8), orientation)
    assert check(data).notes == check(data).problems == ()


def test_a_missing_png(data):
    os.remove(data.png("val", 1))
    assert only_problem(data, "PNG") == f"cannot read {data.png('val', 1)}: No such file or directory"
    assert check(data).splits[1].annotated_images == 2


def test_a_truncated_png(data):
    content = data.png("val", 1).read_bytes()
    data.png("val", 1).write_bytes(content[: len(content) - 24])
    assert f"{data.png('val', 1)} is damaged" in only_problem(data, "PNG")


def test_a_16_bit_png(data):
    cv2.imwrite(str(data.png("val", 1)), np.zeros((8, 10, 3), dtype=np.uint16))
    assert f"{data.png('val', 1)} is a PNG of 16-bit RGB; panoptic PNGs are 8-bit RGB" in only_problem(
        data, "PNG"
    )


def test_a_png_of_another_size(data):
    write_png(data.png("val", 1), draw(DRAWINGS[1]).T)
    assert f"{data.png('val', 1)} is 8x10 pixels, but the JSON says 10x8" in only_problem(data, "PNG")


@pytest.mark.parametrize("name", ["../panoptic_val/0001.png", "{root}/panoptic_val/0001.png"])
def test_png_names_that_lead_out_of_the_folder(data, name):
    name = name.format(root=data.root)
    with data.edit("val") as content:
        content["annotations"][1]["file_name"] = name
    report = check(data)
    (problem,) = report.problems
    assert problem.kind == "PNG" and f"file_name {name!r} leads out of its folder" in problem.text


def test_image_names_that_lead_out_of_the_folder(data):
    with data.edit("val") as content:
        content["images"][1]["file_name"] = "../val/0001.jpg"
    assert "file_name '../val/0001.jpg' leads out of its folder" in only_problem(data, "image")


@pytest.mark.parametrize("key, name", [("image_root", "val"), ("panoptic_root", "panoptic_val")])
def test_a_missing_folder_is_one_problem_not_one_per_file(data, key, name):
    (data.root / name).rename(data.root / "elsewhere")
    assert only_problem(data, "folder") == f"{key} {data.root / name} is no folder"


@pytest.mark.parametrize(
    "pixels, depth",
    [
        (np.arange(80).reshape(8, 10).astype(np.uint16) * 800, "16-bit grey"),
        (np.arange(80).reshape(8, 10).astype(np.float32), "floating-point numbers"),
        (np.arange(80).reshape(8, 10).astype(np.int32), "32-bit integers"),
    ],
)
def test_an_image_that_would_be_read_as_white(data, pixels, depth):
    path = data.image("val", 1)
    Image.fromarray(pixels).save(path, format="PNG" if depth == "16-bit grey" else "TIFF")
    assert only_problem(data, "image depth").startswith(f"{path} has pixels of {depth}, which would all become white; ")


def test_an_image_that_the_range_scales(data):
    data.yaml.write_text(f"{data.yaml.read_text()}\nimage_range: [0, 4095]\n")
    deep = np.full((8, 10), 4095, np.uint16)
    Image.fromarray(deep).save(data.image("val", 1), format="PNG")
    assert only_note(data, "constant image").startswith(str(data.image("val", 1)))
    deep[0, 0] = 0
    Image.fromarray(deep).save(data.image("val", 1), format="PNG")
    report = check(data)
    assert (report.problems, report.notes) == ((), ())


@pytest.mark.parametrize(
    "mode, said",
    [
        ("RGBA", "has an alpha channel (Pillow's mode RGBA), which is not read"),
        ("LA", "has an alpha channel (Pillow's mode LA), which is not read"),
        ("CMYK", "is CMYK, which is converted to RGB without its colour profile"),
        ("RGB", "has 16 bits per channel, of which the upper 8 are read"),
    ],
)
def test_what_reading_as_rgb_loses_is_noted(data, mode, said):
    path = data.image("val", 1)
    image = Image.new(mode, (10, 8))
    image.paste(Image.new(mode, (1, 1), "white"), (0, 0))
    if mode == "RGB":
        deep = np.asarray(image).astype(np.uint16) * 257
        path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    else:
        image.save(path, format="TIFF")
    assert only_note(data, "image mode") == f"{path} {said}"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_image_of_one_colour_is_noted(data, mode):
    Image.new(mode, (10, 8), 7).save(data.image("val", 1))
    text = only_note(data, "constant image")
    assert text == f"{data.image('val', 1)} has one colour all over; nothing can be seen in it"


def test_an_image_without_a_labelled_pixel_is_noted(data):
    write_png(data.png("val", 1), np.zeros_like(draw(DRAWINGS[1])))
    with data.edit("val") as content:
        content["annotations"][1]["segments_info"] = []
    assert only_note(data, "nothing labelled") == f"{data.png('val', 1)} is void all over; nothing is learned from it"


# --- JSON and PNG that differ ---


def test_an_id_in_the_png_only(data):
    with data.edit("val") as content:
        content["annotations"][1]["segments_info"].remove(segment(content, 1, 65536))
    text = only_problem(data, "ids")
    assert (
        text
        == f"{data.png('val', 1)}: the PNG holds segment 65536, which the JSON does not list for image 102"
    )


def test_an_id_in_the_json_only(data):
    with data.edit("val") as content:
        content["annotations"][1]["segments_info"].append(
            {"id": 5, "category_id": 7, "area": 3, "iscrowd": 0}
        )
    text = only_problem(data, "ids")
    assert (
        text == f"{data.png('val', 1)}: the JSON lists segment 5 for image 102, which has no pixel in the PNG"
    )


@pytest.mark.parametrize("only_in_json, more", [(20, 0), (21, 1), (30, 10)])
def test_a_photo_in_the_place_of_a_png_is_told_in_few_lines(data, only_in_json, more):
    # 85 ids, of which 5 are listed: 80 in the PNG only, the rest of 100 and more in the JSON only.
    write_png(data.png("val", 1), np.arange(85).reshape(5, 17) + 1000)
    with data.edit("val") as content:
        content["images"][1].update(height=5, width=17)
        entry = {"category_id": 7, "area": 1, "iscrowd": 0}
        content["annotations"][1]["segments_info"] = [
            {"id": 1000 + i, **entry} for i in range(-only_in_json, 5)
        ]
    Image.new("RGB", (17, 5)).save(data.image("val", 1))
    problems = check(data).problems
    assert {problem.kind for problem in problems} == {"ids"}
    assert len(problems) == 100 + (more > 0)
    said = f"{data.png('val', 1)}: {more} more ids are in the PNG or in the JSON only"
    assert problems[-1].text.startswith(said) == (more > 0)


def test_a_wrong_area_names_both_numbers(data):
    with data.edit("val") as content:
        segment(content, 1, 65536)["area"] = 5
    text = only_problem(data, "area")
    assert text == f"{data.png('val', 1)}, segment 65536: the JSON says area 5, the PNG has 4 pixels"


@pytest.mark.parametrize("box", [[6, 3, 2, 3], [7, 3, 1, 2], [7, 3, 9, 5], [7, 3, 2], "7 3 2 2", None])
def test_a_wrong_bbox_names_both_boxes(data, box):
    with data.edit("val") as content:
        segment(content, 1, 65536)["bbox"] = box
    text = only_problem(data, "bbox")
    assert (
        text
        == f"{data.png('val', 1)}, segment 65536: the JSON says bbox {box!r}, the PNG's box is [7, 3, 2, 2]"
    )


def test_whole_floats_are_as_good(data):
    with data.edit("val") as content:
        segment(content, 1, 65536).update(area=4.0, bbox=[7.0, 3.0, 2.0, 2.0])
    assert check(data).problems == ()


def test_bbox_may_be_absent_and_a_missing_area_is_a_note(data):
    with data.edit("val") as content:
        del segment(content, 1, 65536)["bbox"]
        del segment(content, 1, 65536)["area"]
        del segment(content, 0, 256)["area"]
    assert f"{data.json('val')}: 2 segments have no 'area'" in only_note(data, "missing key")


def test_a_missing_iscrowd_is_a_note(data):
    with data.edit("val") as content:
        del segment(content, 1, 65536)["iscrowd"]
    assert f"{data.json('val')}: 1 segments have no 'iscrowd'" in only_note(data, "missing key")


def test_an_unknown_category(data):
    with data.edit("val") as content:
        segment(content, 1, 65536)["category_id"] = 91
    text = only_problem(data, "JSON")
    assert text == (
        f"{data.json('val')}, annotation of image 102, segment 65536: category 91 is not among the categories"
    )


def test_an_image_without_annotation(data):
    with data.edit("val") as content:
        del content["annotations"][1]
    os.remove(data.png("val", 1))
    text = only_problem(data, "missing annotation")
    assert text.startswith(f"{data.json('val')}, image 102 (0001.jpg) has no annotation")


def test_a_test_set_needs_no_annotations(data):
    with data.edit("val") as content:
        del content["annotations"]
    data.yaml.write_text(data.yaml.read_text().replace(", panoptic_root: panoptic_val", ""))
    report = check(data)
    assert report.problems == report.notes == ()
    assert (report.splits[1].images, report.splits[1].annotated_images, report.splits[1].classes) == (
        3,
        0,
        (),
    )
    os.remove(data.image("val", 1))
    assert only_problem(data, "image") == f"{data.image('val', 1)} is missing"
