"""Each test damages a sound tiny data set in one way and asks for that one finding, and no other."""

import json
import os
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.check import ClassCount, check_dataset
from panoptic_heuristic.formats.check_image import segment_extents
from tests.tiny_panoptic import CATEGORIES, DRAWINGS, SEGMENTS, draw, write_png, write_tiny_panoptic


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path)


def check(data, **kwargs):
    # Nothing about the stuff limit, unless asked for: every limit is large in an 8x10 image.
    return check_dataset(read_dataset_yaml(data.yaml), **{"stuff_area_thresh": 0, **kwargs})


def only_problem(data, kind, split="val", **kwargs):
    report = check(data, **kwargs)
    (problem,) = report.problems
    assert (problem.kind, problem.split) == (kind, split)
    assert "\n" not in problem.text
    return problem.text


def only_note(data, kind, split="val", **kwargs):
    report = check(data, **kwargs)
    assert report.problems == ()
    (note,) = report.notes
    assert (note.kind, note.split) == (kind, split)
    assert "\n" not in note.text
    return note.text


def segment(content, place, segment_id):
    (found,) = [s for s in content["annotations"][place]["segments_info"] if s["id"] == segment_id]
    return found


# --- a sound data set ---


def test_a_sound_data_set_has_nothing_to_tell(data):
    report = check(data)
    assert (report.problems, report.notes) == ((), ())
    assert [split.split for split in report.splits] == ["train", "val"]


def test_counts_of_one_drawing(tmp_path):
    summary = check(write_tiny_panoptic(tmp_path, splits=("val",), drawings=DRAWINGS[:1])).splits[0]
    assert (summary.images, summary.annotated_images) == (1, 1)
    assert (summary.pixels, summary.void_pixels) == (80, 2)
    assert (summary.median_height, summary.median_width) == (8, 10)
    assert summary.classes == (
        ClassCount(0, "sky", False, 1, 0, 1, 26, 26),
        ClassCount(7, "cat", True, 2, 0, 1, 10, 5),  # 6 and 4 pixels
        ClassCount(9, "grass", False, 1, 0, 1, 30, 30),
        ClassCount(90, "dog", True, 1, 1, 1, 12, 4),  # 4 pixels, and a crowd of 8, which is in no median
    )


def test_counts_of_all_drawings(data):
    train, val = check(data).splits
    assert replace(train, split="val") == val
    assert (val.images, val.pixels, val.void_pixels) == (3, 240, 2 + 9 + 4)
    dog = val.classes[3]
    assert (dog.segments, dog.crowd_segments, dog.images) == (3, 1, 3)
    assert (dog.pixels, dog.median_area) == (4 + 8 + 4 + 20, 4)
    assert sum(count.pixels for count in val.classes) + val.void_pixels == val.pixels


def test_one_split_only(data):
    os.remove(data.image("train", 0))
    assert check(data, splits=["val"]).problems == ()
    assert [split.split for split in check(data, splits=["val"]).splits] == ["val"]
    assert len(check(data, splits=["val", "train"]).problems) == 1


def test_real_coco_images(coco_sample, tmp_path):
    split = {"image_root": "images", "panoptic_json": "panoptic.json", "panoptic_root": "panoptic"}
    split = {key: str(coco_sample / value) for key, value in split.items()}
    path = tmp_path / "coco.yaml"
    path.write_text(json.dumps({"name": "coco", "splits": {"val": split}}))  # JSON is YAML.
    report = check_dataset(read_dataset_yaml(path))
    assert report.problems == ()
    assert [note.kind for note in report.notes] == ["empty class"]
    assert report.notes[0].text.startswith(
        "125 of 133 classes have no segment, or only crowds: bicycle, car,"
    )
    classes = {count.name: count for count in report.splits[0].classes}
    listed = json.loads((coco_sample / "panoptic.json").read_text())["annotations"]
    people = [s for a in listed for s in a["segments_info"] if s["category_id"] == 1]
    assert classes["person"].segments + classes["person"].crowd_segments == len(people)
    assert classes["person"].pixels == sum(s["area"] for s in people)
    assert classes["person"].crowd_segments == 2


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_processes_changes_nothing(tmp_path, workers):
    # More images than one process takes at a time, damage all over, some of it in every image.
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=DRAWINGS * 12)
    with data.edit("val") as content:
        for place, annotation in enumerate(content["annotations"]):
            annotation["segments_info"][0]["area"] = place + 1000
    for place in (0, 17, 35):
        os.remove(data.png("val", place))
    alone = check(data)
    assert len(alone.problems) == 36
    assert check(data, workers=workers) == alone


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
    Image.new("RGB", size).save(path, exif=exif)


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


# --- classes and crowds ---


def test_stuff_twice_in_an_image(data):
    ids = draw(DRAWINGS[1])
    ids[0] = 77
    write_png(data.png("val", 1), ids)
    with data.edit("val") as content:
        sky = segment(content, 1, 1)
        sky.update(area=sky["area"] - 10, bbox=[0, 1, 10, 4])
        content["annotations"][1]["segments_info"].append(
            {**sky, "id": 77, "area": 10, "bbox": [0, 0, 10, 1]}
        )
    text = only_problem(data, "stuff twice")
    assert text.startswith(
        f"{data.json('val')}, image 102 (0001.png): stuff category 0 (sky) has the segments 1, 77"
    )


def test_several_segments_of_a_thing_are_no_problem(data):
    with data.edit("val") as content:  # Cat 256 becomes a second dog beside 65536.
        segment(content, 1, 256)["category_id"] = 90
    report = check(data)
    assert report.problems == ()
    assert [(note.kind, note.split) for note in report.notes] == []


def test_a_crowd_of_stuff(data):
    with data.edit("val") as content:
        segment(content, 1, 255)["iscrowd"] = 1
    text = only_problem(data, "crowd on stuff")
    assert text.startswith(
        f"{data.json('val')}, image 102 (0001.png): segment 255 of stuff category 9 (grass)"
    )


def test_several_crowds_of_a_class_are_a_note(data):
    with data.edit("val") as content:
        segment(content, 0, 65536)["iscrowd"] = 1
    text = only_note(data, "several crowds")
    assert "image 101 (0000.png): thing category 90 (dog) has the crowd segments 65536, 16777215" in text


def test_classes_without_a_segment_are_a_note(data):
    with data.edit("val") as content:  # Dogs become cats, but for the crowd.
        for place in range(3):
            segment(content, place, 65536)["category_id"] = 7
    text = only_note(data, "empty class")
    assert text == "1 of 4 classes have no segment, or only crowds: dog"


def test_many_empty_classes_are_named_in_part(tmp_path):
    more = [{"id": 100 + i, "name": f"class {i}", "isthing": 1} for i in range(11)]
    data = write_tiny_panoptic(tmp_path, splits=("val",), categories=[*CATEGORIES, *more])
    text = only_note(data, "empty class")
    assert text.startswith("11 of 15 classes") and text.endswith("class 9 and 1 more")


@pytest.mark.parametrize(
    "change, said",
    [
        ({"name": "wolf"}, "category 90 is thing 'wolf' in split val, but thing 'dog' in split train"),
        ({"id": 91}, "split val lacks category 90 (dog), which split train has"),
    ],
)
def test_categories_that_differ_between_splits(data, change, said):
    with data.edit("val") as content:
        content["categories"][3].update(change)
    problems = [problem for problem in check(data).problems if problem.kind == "categories"]
    assert said in [problem.text for problem in problems]
    assert {problem.split for problem in problems} == {"val"}
    assert check(data, splits=["train"]).problems == ()


def test_isthing_that_differs_between_splits(data):
    with data.edit("val") as content:
        content["categories"][2]["isthing"] = 1
    text = only_problem(data, "categories")
    assert text == "category 9 is thing 'grass' in split val, but stuff 'grass' in split train"


def test_colors_may_differ_between_splits(data):
    with data.edit("val") as content:
        content["categories"][2]["color"] = [1, 2, 3]
    assert check(data).problems == check(data).notes == ()


def test_categories_in_another_order_are_a_note(data):
    with data.edit("val") as content:
        content["categories"].reverse()
    assert "another order than those of split train" in only_note(data, "class order")


def test_unreadable_categories_hide_nothing_else(data):
    with data.edit("val") as content:
        content["categories"] = 7
    os.remove(data.image("val", 1))
    report = check(data)
    assert [problem.kind for problem in report.problems] == ["JSON", "image"]
    assert report.splits[1].classes == ()


# --- names ---


def test_an_image_named_twice(data):
    with data.edit("val") as content:
        content["images"][1]["file_name"] = "0000.jpg"
    text = only_problem(data, "repeated image")
    assert text == f"{data.json('val')}: the image '0000.jpg' is named 2 times"


def test_a_png_named_twice(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=[DRAWINGS[1]] * 2)
    with data.edit("val") as content:
        content["annotations"][1]["file_name"] = "0000.png"
    os.remove(data.png("val", 1))
    report = check(data)
    assert [problem.text for problem in report.problems] == [
        f"{data.json('val')}: the PNG '0000.png' is named 2 times"
    ]


def test_pngs_that_nobody_names_are_a_note(data):
    (data.root / "panoptic_val" / "sub").mkdir()
    for name in ("sub/b.png", "a.png"):
        write_png(data.root / "panoptic_val" / name, draw(DRAWINGS[0]))
    (data.root / "panoptic_val" / "readme.txt").write_text("no PNG")
    text = only_note(data, "unused PNG", split=None)
    folder = data.root / "panoptic_val"
    assert text == f"{folder}: no annotation of the splits checked names 2 PNGs, such as a.png"


def test_splits_may_share_a_png_folder(data):
    for place in range(3):
        data.png("val", place).rename(data.root / "panoptic_train" / f"1{place:03d}.png")
    with data.edit("val") as content:
        for place, annotation in enumerate(content["annotations"]):
            annotation["file_name"] = f"1{place:03d}.png"
    data.yaml.write_text(
        data.yaml.read_text().replace("panoptic_root: panoptic_val", "panoptic_root: panoptic_train")
    )
    report = check(data)
    assert report.problems == report.notes == ()


# --- the stuff area limit ---


@pytest.mark.parametrize("limit, told", [(0, False), (4, False), (4.001, True), (5, True)])
def test_a_stuff_limit_above_5_percent_of_the_median_image(data, limit, told):
    # 8 * 10 * 0.05 = 4 pixels.
    assert [note.kind for note in check(data, stuff_area_thresh=limit).notes] == ["stuff limit"] * told


def test_the_stuff_limit_is_scaled_from_640x480(tmp_path):
    drawing = "\n".join(["s" * 160] * 120)  # A sixteenth of 640x480: 4096 / 16 = 256.
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=[drawing])
    (note,) = [
        note for note in check_dataset(read_dataset_yaml(data.yaml)).notes if note.kind == "stuff limit"
    ]
    assert note.split is None
    assert note.text.startswith(
        "a stuff area limit of 4096 pixels is 21.3% of the median image (19200 pixels)"
    )
    assert note.text.endswith("MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT 256")


# --- everything at once, and nothing ---


def test_every_problem_is_told_not_the_first_one(data):
    os.remove(data.image("train", 2))
    os.remove(data.png("val", 2))
    with data.edit("val") as content:
        segment(content, 0, 65536)["area"] = 1
        segment(content, 0, 256)["area"] = 2
        segment(content, 1, 1)["category_id"] = 8
        content["images"].append({"id": "x"})
    problems = check(data).problems
    assert [(problem.split, problem.kind) for problem in problems] == [
        ("train", "image"),
        ("val", "JSON"),  # id, file_name, height, width of the fourth image, and category 8
        ("val", "JSON"),
        ("val", "JSON"),
        ("val", "JSON"),
        ("val", "JSON"),
        ("val", "area"),
        ("val", "area"),
        ("val", "PNG"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"images": 3, "annotations": 4, "categories": 5},
        {
            "images": [1, {}],
            "annotations": [None, {}, {"image_id": [], "segments_info": 3}],
            "categories": [{}],
        },
        {
            "images": [{"id": 1, "file_name": "0000.jpg", "height": 8, "width": 10}],
            "annotations": [
                {
                    "image_id": 1,
                    "file_name": "0000.png",
                    "segments_info": [3, {}, {"id": []}, {"id": 1, "category_id": {}}],
                }
            ],
            "categories": list(CATEGORIES),
        },
    ],
)
def test_nonsense_in_a_json_is_told_and_crashes_nothing(data, content):
    data.json("val").write_text(json.dumps(content))
    problems = check(data).problems
    assert problems and {problem.split for problem in problems} == {"val"}


def test_a_split_without_images(data):
    with data.edit("val") as content:
        content.update(images=[], annotations=[])
    summary = check(data).splits[1]
    assert (summary.images, summary.median_width, summary.classes) == (0, None, ())


def test_the_stuff_limit_of_no_images(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=[])
    assert check(data, stuff_area_thresh=4096).notes == ()


def test_unknown_splits_and_numbers_of_processes_are_refused(data):
    with pytest.raises(
        InputError, match=re.escape(f"{data.yaml} has no split 'test'; its splits are train, val")
    ):
        check(data, splits=["val", "test"])
    with pytest.raises(InputError, match="workers must be at least 1, got 0"):
        check(data, workers=0)


def test_missing_categories_json(data):
    data.yaml.write_text(
        data.yaml.read_text().replace(
            "panoptic_root: panoptic_val", "panoptic_root: panoptic_val, categories_json: no.json"
        )
    )
    assert (
        only_problem(data, "categories") == f"cannot read {data.root / 'no.json'}: No such file or directory"
    )


def test_progress_sees_every_image(data):
    seen = []

    def progress(results, total):
        for result in results:
            seen.append(total)
            yield result

    check(data, progress=progress)
    assert seen == [6] * 6


# --- boxes and areas ---


def test_extents_of_a_drawing():
    boxes, areas = segment_extents(draw(DRAWINGS[0]))
    names = {letter: segment_id for letter, (segment_id, _, _) in SEGMENTS.items()}
    assert boxes == {
        0: (0, 7, 2, 1),
        names["s"]: (0, 0, 10, 4),
        names["g"]: (0, 4, 10, 4),
        names["c"]: (2, 1, 2, 3),
        names["C"]: (6, 1, 2, 2),
        names["d"]: (4, 4, 2, 2),
        names["x"]: (8, 2, 2, 4),
    }
    assert areas == {
        0: 2,
        names["s"]: 26,
        names["g"]: 30,
        names["c"]: 6,
        names["C"]: 4,
        names["d"]: 4,
        names["x"]: 8,
    }


@given(
    st_numpy.arrays(
        np.int32, st_numpy.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 4)
    )
)
def test_extents_are_those_of_the_pixels(ids):
    boxes, areas = segment_extents(ids)
    assert list(boxes) == list(areas) == np.unique(ids).tolist()
    for segment_id, (x, y, width, height) in boxes.items():
        rows, columns = np.nonzero(ids == segment_id)
        assert areas[segment_id] == len(rows)
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())
        assert all(type(value) is int for value in (x, y, width, height, areas[segment_id]))
