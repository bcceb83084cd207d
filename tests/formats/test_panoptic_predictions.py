import json
import re

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.panoptic_predictions import read_predictions
from tests.panoptic_predictions import write_predictions
from tests.tiny_panoptic import CATEGORIES, write_tiny_panoptic

KNOWN = Categories.from_coco(CATEGORIES)


@pytest.fixture
def predictions(tmp_path):
    return write_predictions(write_tiny_panoptic(tmp_path, splits=("val",)))


def test_reads_what_evaluators_write(predictions):
    read = read_predictions(predictions.json, KNOWN)
    assert list(read) == [1, 2, 3]
    assert read[3].png_name == "0002.png"
    assert read[3].segments_info == ({"id": 252, "category_id": 9}, {"id": 259, "category_id": 7})


def test_other_lists_in_the_file_are_not_looked_at(predictions):
    with predictions.edit() as content:
        content.update(images=None, categories=5, licenses=[])
    assert len(read_predictions(predictions.json, KNOWN)) == 3


def test_no_predictions_are_no_error(predictions):
    with predictions.edit() as content:
        content["annotations"] = []
    assert read_predictions(predictions.json, KNOWN) == {}


@pytest.mark.parametrize("content", [[], {}, None, 5, {"annotations": {}}, [{"image_id": 1, "segmentation": {}}]])
def test_another_file_is_told(predictions, content):
    predictions.json.write_text(json.dumps(content))
    said = f"{predictions.json} is no COCO panoptic result file: expected an object with the list 'annotations'"
    with pytest.raises(InputError, match=re.escape(said)):
        read_predictions(predictions.json, KNOWN)


def test_the_place_of_what_is_wrong_is_told(predictions):
    with predictions.edit() as content:
        content["annotations"][1]["segments_info"][0]["category_id"] = 5
    said = f"{predictions.json}, annotation of image 2, segment 2: category 5 is not among the categories"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        read_predictions(predictions.json, KNOWN)
