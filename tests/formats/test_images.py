import os
import warnings

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import images
from panoptic_heuristic.formats.files import read_bytes
from panoptic_heuristic.formats.images import ImageFileError, opened_image


def test_pixels_are_decoded_in_the_block(tmp_path):
    Image.fromarray(np.full((2, 3, 3), 7, np.uint8)).save(tmp_path / "a.png")
    with opened_image(tmp_path / "a.png") as image:
        assert np.asarray(image).tolist() == [[[7, 7, 7]] * 3] * 2


def refused(path):
    with pytest.raises(ImageFileError) as caught, opened_image(path) as image:
        image.load()
    return str(caught.value)


def test_what_is_no_image_is_told(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    assert refused(tmp_path / "absent.png") == f"{tmp_path}/absent.png is missing"
    assert refused(tmp_path / "text.png").startswith(f"{tmp_path}/text.png cannot be read as an image: ")
    assert refused(tmp_path / "pipe.png").endswith("it is no regular file but a pipe, a socket or a device")
    assert refused("/dev/zero").endswith("it is no regular file but a pipe, a socket or a device")
    assert refused(tmp_path / "folder.png").endswith("cannot be read as an image: Is a directory")


def test_a_pipe_is_not_waited_for_as_bytes_either(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="pipe.png: it is no regular file"):
        read_bytes(tmp_path / "pipe.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
def test_the_number_of_pixels_decides(ending, tmp_path, monkeypatch):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(path)
    monkeypatch.setattr(images, "MAX_PIXELS", 12)
    with opened_image(path) as image:
        image.load()
    monkeypatch.setattr(images, "MAX_PIXELS", 11)
    assert refused(path) == f"{path} is 4x3 pixels; at most 11 pixels are decoded"


@pytest.mark.parametrize("side, told", [(11586, "is 11586x11586 pixels"), (60000, "has too many pixels")])
def test_images_of_too_many_pixels_are_refused_without_a_warning(side, told, tmp_path):
    """Pillow has a limit of its own beyond ours, and warns below both."""
    path = tmp_path / "a.bmp"
    header = b"BM" + bytes(12) + b"\x28\0\0\0" + side.to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    path.write_bytes(header)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert told in refused(path)


def test_a_cut_image_is_told_when_it_is_decoded(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(30000, dtype=np.uint8).reshape(100, 100, 3)).save(path)
    path.write_bytes(path.read_bytes()[:-60])
    assert refused(path).startswith(f"{path} cannot be read as an image: ")
