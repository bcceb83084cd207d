import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.visual.photo import is_stretched, read_photo


def test_an_image_that_is_missing_damaged_or_of_another_size(tmp_path):
    with pytest.raises(InputError, match="a.jpg is missing"):
        read_photo(tmp_path, "a.jpg", (48, 65), "the cache")
    (tmp_path / "b.jpg").write_text("no image")
    with pytest.raises(InputError, match="b.jpg cannot be read as an image"):
        read_photo(tmp_path, "b.jpg", (48, 65), "the cache")
    Image.new("RGB", (60, 48)).save(tmp_path / "c.jpg")
    with pytest.raises(InputError, match="c.jpg is 60x48 pixels, but the cache says 65x48"):
        read_photo(tmp_path, "c.jpg", (48, 65), "the cache")
    with pytest.raises(InputError, match="leads out of its folder"):
        read_photo(tmp_path, "../c.jpg", (48, 65), "the cache")


def test_an_image_is_turned_before_its_size_is_compared(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (65, 48)).save(tmp_path / "a.jpg", exif=exif)
    assert read_photo(tmp_path, "a.jpg", (65, 48), "the cache").shape == (65, 48, 3)
    with pytest.raises(InputError, match="a.jpg is 48x65 pixels, but the cache says 65x48"):
        read_photo(tmp_path, "a.jpg", (48, 65), "the cache")


@pytest.mark.parametrize("deep, suffix", [(np.uint16, "png"), (np.int32, "tif"), (np.float32, "tif")])
def test_a_deep_image_is_stretched_for_the_eye_and_refused_otherwise(tmp_path, deep, suffix):
    Image.fromarray(np.array([[1000, 1051, 1255]]).astype(deep)).save(tmp_path / f"a.{suffix}")
    assert is_stretched(tmp_path, f"a.{suffix}")
    picture = read_photo(tmp_path, f"a.{suffix}", (1, 3), "the cache", for_the_eye=True)
    assert picture.tolist() == [[[0] * 3, [51] * 3, [255] * 3]]
    with pytest.raises(InputError, match=f"a.{suffix} has pixels of .*, which would all become white; save it with 8"):
        read_photo(tmp_path, f"a.{suffix}", (1, 3), "the cache")


def test_a_deep_image_of_one_value_is_black_and_nan_too(tmp_path):
    for values in ([[7, 7]], [[float("nan"), 3]], [[float("nan"), float("nan")]]):
        Image.fromarray(np.array(values, np.float32)).save(tmp_path / "a.tif")
        assert read_photo(tmp_path, "a.tif", (1, 2), "the cache", for_the_eye=True).tolist() == [[[0] * 3] * 2]


def test_an_image_of_8_bits_is_not_stretched(tmp_path):
    Image.fromarray(np.array([[100, 101]], np.uint8)).save(tmp_path / "a.png")
    assert not is_stretched(tmp_path, "a.png")
    picture = read_photo(tmp_path, "a.png", (1, 2), "the cache", for_the_eye=True)
    assert picture.tolist() == [[[100] * 3, [101] * 3]]
