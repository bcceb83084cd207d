"""Label PNGs: whole numbers in pixels, as bytes with the most significant first."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_png import BITS, read_label_png, read_semantic_png, write_label_png
from panoptic_heuristic.formats.png import MAX_PIXELS, png_header


@pytest.mark.parametrize("bits", BITS)
@given(data=st.data())
def test_every_value_comes_back(tmp_path_factory, bits, data):
    shape = arrays.array_shapes(min_dims=2, max_dims=2, max_side=5)
    values = data.draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 2**bits - 1)))
    path = tmp_path_factory.mktemp("labels") / "map.png"
    write_label_png(path, values, bits)
    again, found = read_label_png(path, size=values.shape)
    np.testing.assert_array_equal(again, values)
    assert (found, again.dtype) == (bits, np.int64)


class TestOthersReadTheSame:
    """The first and last value, and one whose bytes all differ."""

    def test_16_bits_are_grey_as_instance_ids_are(self, tmp_path):
        values = np.array([[0, 0x0102, 26001, 65535]])
        write_label_png(tmp_path / "a.png", values, 16)
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), values)

    def test_24_bits_with_divisor_65536_are_kitti_steps(self, tmp_path):
        category, instance = 13, 3 * 256 + 7
        write_label_png(tmp_path / "a.png", np.array([[category * 65536 + instance]]), 24)
        assert Image.open(tmp_path / "a.png").getpixel((0, 0)) == (category, 3, 7)

    def test_32_bits_keep_colors_under_full_transparency(self, tmp_path):
        values = np.array([[0x01020300, 0x010203FF]])
        write_label_png(tmp_path / "a.png", values, 32)
        bgra = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(bgra, [[[3, 2, 1, 0], [3, 2, 1, 255]]])


class TestOtherKinds:
    """Where no doubt is possible, what others write is read."""

    @pytest.mark.parametrize("colors", [2, 4, 16, 256])
    def test_of_a_palette_the_indices_are_the_labels(self, tmp_path, colors):
        labels = np.arange(colors, dtype=np.uint8).reshape(2, -1)
        image = Image.fromarray(labels).convert("L")
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette([(7 * place + 3) % 256 for place in range(3 * colors)])
        image.save(tmp_path / "a.png", bits={2: 1, 4: 2, 16: 4, 256: 8}[colors])
        depth = {2: 1, 4: 2, 16: 4, 256: 8}[colors]
        assert png_header((tmp_path / "a.png").read_bytes(), "a.png").kind == f"{depth}-bit palette"
        found, bits = read_label_png(tmp_path / "a.png")
        assert (found.tolist(), bits) == (labels.tolist(), 8)

    def test_an_opaque_alpha_says_nothing(self, tmp_path):
        Image.new("LA", (3, 2), (5, 255)).save(tmp_path / "a.png")
        found, bits = read_label_png(tmp_path / "a.png")
        assert (found.tolist(), bits) == ([[5] * 3] * 2, 8)

    def test_semantic_labels_in_three_equal_channels_are_grey(self, tmp_path):
        labels = np.array([[0, 4, 255]], dtype=np.uint8)
        Image.fromarray(np.dstack([labels] * 3)).save(tmp_path / "a.png")
        assert read_semantic_png(tmp_path / "a.png", size=(1, 3))[0].tolist() == labels.tolist()
        # As label-divisor values, and where one pixel differs, they are what they were.
        assert read_label_png(tmp_path / "a.png")[0].tolist() == [[0, 0x040404, 0xFFFFFF]]
        Image.fromarray(np.dstack([labels] * 3 + [np.full_like(labels, 255)])).save(tmp_path / "a.png")
        assert read_semantic_png(tmp_path / "a.png")[0].tolist() == labels.tolist()
        Image.fromarray(np.array([[[4, 4, 4], [0, 0, 5]]], dtype=np.uint8)).save(tmp_path / "a.png")
        assert read_semantic_png(tmp_path / "a.png")[0].tolist() == [[0x040404, 5]]


class TestWrongInput:
    @pytest.mark.parametrize("bits, value", [(8, 256), (16, 65536), (24, 2**24), (32, 2**32), (16, -1)])
    def test_a_value_that_does_not_fit_is_not_written(self, tmp_path, bits, value):
        with pytest.raises(InputError, match=f"do not fit a PNG of {bits} bits"):
            write_label_png(tmp_path / "a.png", np.array([[0, value]]), bits)
        assert list(tmp_path.iterdir()) == []

    def test_unknown_bits(self, tmp_path):
        with pytest.raises(InputError, match="bits must be one of 8, 16, 24, 32, got 12"):
            write_label_png(tmp_path / "a.png", np.zeros((1, 1), int), 12)

    def test_another_kind_of_png(self, tmp_path):
        Image.new("1", (3, 2)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match="is a PNG of 1-bit grey"):
            read_label_png(tmp_path / "a.png")

    def test_grey_under_an_alpha_that_is_not_opaque(self, tmp_path):
        Image.new("LA", (3, 2), (5, 254)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match="has an alpha channel that is not opaque"):
            read_label_png(tmp_path / "a.png")

    def test_16_bit_color_which_pillow_reads_as_8(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 3, 3), 1000, np.uint16))
        with pytest.raises(InputError, match="is a PNG of 16-bit RGB"):
            read_label_png(tmp_path / "a.png")

    def test_another_size(self, tmp_path):
        write_label_png(tmp_path / "a.png", np.zeros((2, 3), int), 16)
        with pytest.raises(InputError, match="is 3x2 pixels, but its image is 2x3"):
            read_label_png(tmp_path / "a.png", size=(3, 2))

    @pytest.mark.parametrize("keep", [0, 20, 50, 70])
    def test_a_file_cut_off(self, tmp_path, keep):
        write_label_png(tmp_path / "a.png", np.arange(400).reshape(20, 20), 16)
        (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:keep])
        with pytest.raises(InputError, match="a.png is (damaged|not a PNG)"):
            read_label_png(tmp_path / "a.png")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="cannot read .*none.png: No such file"):
            read_label_png(tmp_path / "none.png")

    def test_a_bomb_is_not_decoded(self, tmp_path):
        side = int(MAX_PIXELS**0.5) + 1
        header = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
        packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
        with pytest.raises(InputError, match=f"at most {MAX_PIXELS} pixels are decoded"):
            read_label_png(tmp_path / "a.png")
