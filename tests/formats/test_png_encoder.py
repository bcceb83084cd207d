import io

import cv2
import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats.panoptic_ids import ids_to_rgb
from panoptic_heuristic.formats.png_encoder import encode_rgb_png


def images():
    rng = np.random.default_rng(0)
    yield np.zeros((1, 1, 3), np.uint8)
    yield rng.integers(0, 256, (1, 9, 3), dtype=np.uint8)
    yield rng.integers(0, 256, (9, 1, 3), dtype=np.uint8)
    yield rng.integers(0, 256, (31, 17, 3), dtype=np.uint8)
    yield ids_to_rgb(rng.integers(0, 2**24, (6, 8)).repeat(20, 0).repeat(20, 1))


@pytest.mark.parametrize("rgb", list(images()), ids=lambda rgb: str(rgb.shape))
def test_others_read_the_same_pixels(rgb):
    content = encode_rgb_png(rgb)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), rgb)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1], rgb)


def test_rows_need_not_be_contiguous():
    rgb = next(image for image in images() if image.shape == (31, 17, 3))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_rgb_png(rgb[::2, ::-1])))), rgb[::2, ::-1])


def test_a_map_is_no_larger_than_pillow_makes_it():
    rgb = list(images())[-1]
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="PNG")
    assert len(encode_rgb_png(rgb)) < len(file.getvalue())


def test_equal_images_give_equal_bytes():
    for rgb in images():
        assert encode_rgb_png(rgb) == encode_rgb_png(rgb.copy())
