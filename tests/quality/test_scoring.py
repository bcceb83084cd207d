import numpy as np
import pytest

from panoptic_heuristic import native
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.panoptic_pairs import coco_ground_truth, with_coco_predictions
from panoptic_heuristic.quality import (
    MeasureSettings,
    ScoringSettings,
    ScoringWarnings,
    count_image,
    score_image,
    score_images,
)
from tests.formats.tiny_panoptic import DRAWINGS, draw, segments_info, write_png, write_tiny_panoptic
from tests.formats.tiny_predictions import PREDICTED, write_predictions


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


@pytest.fixture
def predictions(data):
    return write_predictions(data)


def opened(data, predictions, **settings):
    gt = coco_ground_truth(data.json("val"), data.root / "panoptic_val")
    pairs = with_coco_predictions(gt, predictions.json, predictions.folder, "empty")
    return pairs.images, ScoringSettings(gt.categories, MeasureSettings(**settings))


def test_files_score_as_their_maps_do(data, predictions):
    images, scoring = opened(data, predictions)
    for image, gt, pred in zip(score_images(images, scoring), DRAWINGS, PREDICTED, strict=True):
        maps = (draw(gt), segments_info(gt), draw(pred), segments_info(pred))
        assert image.measures.counts["pq"] == count_image(*maps, scoring.categories)
        assert image.measures.void_pixels == pred.count(".") and image.warnings == ()


def test_all_measures_are_the_same_without_the_compiled_kernels(data, predictions):
    images, scoring = opened(data, predictions, boundary=True)
    expected = list(score_images(images, scoring))
    with native.switched_off():
        assert list(score_images(images, scoring)) == expected


def test_progress_sees_every_image(data, predictions):
    images, scoring = opened(data, predictions)
    seen = []
    scored = score_images(images, scoring, progress=lambda results, total: (seen.append(total), results)[1])
    assert [image.image_id for image in scored] == [1, 2, 3] and seen == [3]


def test_an_error_names_file_and_image(data, predictions):
    write_png(predictions.png(1), np.full((8, 10), 5))
    images, scoring = opened(data, predictions)
    with pytest.raises(InputError, match=f"^{predictions.png(1)}, image 2: the predicted map holds segment 5"):
        score_image(images[1], scoring)


def test_a_crowd_without_a_pixel_is_not_missed(data, predictions):
    ids = draw(DRAWINGS[0])
    ids[ids == 2**24 - 1] = 0
    write_png(data.png("val", 0), ids)
    images, scoring = opened(data, predictions)
    ((kind, text),) = score_image(images[0], scoring).warnings
    assert kind == "no pixel" and text.endswith("it has no pixel in the PNG; a crowd, so nothing is missed")


def test_warnings_stay_few():
    warnings = ScoringWarnings()
    for image in range(1000):
        warnings.add([("area", f"a{image}.{k}") for k in range(2)] + [("void", "v")] * (image == 7))
    assert warnings.lines() == [
        "warning (area): a0.0",
        "warning (area): a0.1",
        "warning (area): a1.0",
        "warning (area): 1997 more, in 1000 images altogether",
        "warning (void): v",
    ]
