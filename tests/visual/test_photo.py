import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.visual.photo import read_photo


def test_an_image_that_is_missing_damaged_or_of_another_size(tmp_path):
    with pytest.raises(InputError, match="a.jpg cannot be read as an image"):
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
