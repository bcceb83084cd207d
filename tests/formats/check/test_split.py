"""The JSON of a split, and how it goes with the other splits."""

import os

import pytest

from tests.formats.check.checked_data import check, only_note, only_problem, segment
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, write_png, write_tiny_panoptic

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
