"""Checks of whole data sets: what is counted, what is told of all splits, and in which order."""

import json
import os
import re
from dataclasses import replace

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.check import check_dataset
from panoptic_heuristic.formats.check.summary import ClassCount
from tests.formats.check.checked_data import check, only_problem, segment
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, write_tiny_panoptic

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
        content["images"].append({"id": 1.5})
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
