"""Panoptic PNGs, read and written: libdeflate or OpenCV decodes plain files, Pillow the rest, the same ids from all."""

import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import ids_to_rgb, png_decoder, read_panoptic_png, write_panoptic_png
from panoptic_heuristic.formats.png import MAX_PIXELS
from tests.formats.tiny_panoptic import write_png

HEIGHT, WIDTH = 8, 10


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


END = chunk(b"IEND", b"")


def pixels(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def ids_of(rgb):
    return rgb[..., 0] + 256 * rgb[..., 1].astype(int) + 65536 * rgb[..., 2].astype(int)


def png_bytes(rgb, extra=b"", idat=None, size=(HEIGHT, WIDTH), end=END):
    """A PNG without filters, made by hand, so that each part can be wrong."""
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    header = struct.pack(">IIBBBBB", size[1], size[0], 8, 2, 0, 0, 0)
    idat = zlib.compress(rows) if idat is None else idat
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", idat) + end


@pytest.fixture(autouse=True)
def decoder(monkeypatch, kernels):
    """The decoders that were used, in order: that of plain files, called "fast", and Pillow."""
    used = []
    module, name = (png_decoder, "zlib_decompress") if kernels else (cv2, "imdecode")
    fast, pillow = getattr(module, name), Image.open
    monkeypatch.setattr(module, name, lambda *args: used.append("fast") or fast(*args))
    monkeypatch.setattr(Image, "open", lambda *args, **more: used.append("pillow") or pillow(*args, **more))
    return used


def read(path):
    return read_panoptic_png(path, height=HEIGHT, width=WIDTH)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_ids_as_drawn(tmp_path, decoder, level):
    rgb = pixels()
    Image.fromarray(rgb).save(tmp_path / "a.png", compress_level=level)
    ids = read(tmp_path / "a.png")
    assert ids.dtype == np.int32 and decoder == ["fast"]
    np.testing.assert_array_equal(ids, ids_of(rgb))
    ids[0, 0] = 5  # The reader's own memory, not a view of the file's.


@pytest.mark.parametrize("filtering", ["NONE", "SUB", "UP", "AVG", "PAETH"])
def test_every_filter_gives_the_ids_that_were_written(tmp_path, decoder, filtering):
    ids = np.kron(np.random.default_rng(0).integers(0, 2**24, (4, 5)), np.ones((2, 2), dtype=int))
    strategy = [cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{filtering}")]
    assert cv2.imwrite(str(tmp_path / "a.png"), ids_to_rgb(ids)[..., ::-1], strategy)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), ids)
    assert decoder == ["fast"]


def test_the_decoder_is_told(kernels):
    assert png_decoder.decoder_name() == ("libdeflate" if kernels else "OpenCV")


def filtered(rgb, filters):
    """The rows of a PNG, by the definitions of https://www.w3.org/TR/png-3/#9Filters, one filter per row."""
    height, width, _ = rgb.shape
    wide = np.zeros((height + 1, width + 1, 3), dtype=int)
    wide[1:, 1:] = rgb
    here, left, up, corner = wide[1:, 1:], wide[1:, :-1], wide[:-1, 1:], wide[:-1, :-1]
    nearness = np.abs(left + up - corner - np.stack([left, up, corner]))
    paeth = np.choose(nearness.argmin(axis=0), [left, up, corner])
    predicted = [np.zeros_like(here), left, up, (left + up) // 2, paeth]
    left_over = [((here[y] - predicted[one][y]) % 256).astype(np.uint8) for y, one in enumerate(filters)]
    return b"".join(bytes([one]) + row.tobytes() for one, row in zip(filters, left_over, strict=True))


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 61])
def test_rows_of_all_filters_in_turn(tmp_path, decoder, width):
    rng = np.random.default_rng(width)
    # Of flat colours, few colours that are close, and noise.
    for rgb in (
        np.kron(rng.integers(0, 256, (9, 1 + width // 5, 3)), np.ones((5, 5, 1), int))[:, :width],
        rng.integers(126, 130, (45, width, 3)),
        rng.integers(0, 256, (45, width, 3)),
    ):
        rgb = rgb.astype(np.uint8)
        for filters in (rng.integers(0, 5, 45), [3] * 45, [4] * 45, [1] * 45):
            idat = zlib.compress(filtered(rgb, filters))
            (tmp_path / "a.png").write_bytes(png_bytes(rgb, idat=idat, size=(45, width)))
            np.testing.assert_array_equal(read_panoptic_png(tmp_path / "a.png", height=45, width=width), ids_of(rgb))
    assert set(decoder) == {"fast"}


def test_pixels_in_several_chunks(tmp_path, decoder):
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels()))
    parts = [chunk(b"IDAT", rows[place : place + 50]) for place in range(0, len(rows), 50)]
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(), b"".join(parts[:-1]), idat=rows[(len(parts) - 1) * 50 :]))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), ids_of(pixels()))
    assert decoder == ["fast"] and len(parts) > 3


def test_more_pixels_than_the_header_says_are_left_out(tmp_path):
    rows = b"".join(b"\0" + row.tobytes() for row in pixels())
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(), idat=zlib.compress(rows + bytes(100))))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), ids_of(pixels()))


def test_a_filter_that_there_is_not_is_damage(tmp_path):
    rows = b"".join(b"\5" + row.tobytes() for row in pixels())
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(), idat=zlib.compress(rows)))
    with pytest.raises(InputError, match="a.png is damaged"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize(
    "extra, used",
    [
        (chunk(b"tEXt", b"Comment\0hello"), "fast"),
        (chunk(b"gAMA", struct.pack(">I", 200000)), "fast"),
        (chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)), "pillow"),
        (chunk(b"acTL", struct.pack(">II", 1, 0)), "pillow"),
        (chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"), "pillow"),
    ],
    ids=["text", "gamma", "transparency", "animation", "turned"],
)
def test_no_extra_chunk_changes_an_id(tmp_path, decoder, extra, used):
    rgb = pixels()
    (tmp_path / "a.png").write_bytes(png_bytes(rgb, extra))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), ids_of(rgb))
    assert decoder == [used]


def test_an_interlaced_png_is_pillows(tmp_path, decoder):
    # Adam7 of a picture of one pixel is one pass of one pixel.
    content = bytearray(png_bytes(pixels()[:1, :1], size=(1, 1)))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    (tmp_path / "a.png").write_bytes(content)
    assert read_panoptic_png(tmp_path / "a.png", height=1, width=1).tolist() == ids_of(pixels()[:1, :1]).tolist()
    assert decoder == ["pillow"]


def test_without_the_end_mark_every_pixel_is_there(tmp_path, decoder):
    rgb = pixels()
    (tmp_path / "a.png").write_bytes(png_bytes(rgb, end=b""))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), ids_of(rgb))
    assert decoder == ["pillow"]


@pytest.mark.parametrize("missing", [1, 50, 240])
def test_whole_chunks_with_too_few_pixels_are_damage(tmp_path, missing):
    rows = b"".join(b"\0" + row.tobytes() for row in pixels())
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(), idat=zlib.compress(rows[:-missing])))
    with pytest.raises(InputError, match="a.png is damaged"):
        read(tmp_path / "a.png")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, decoder):
    side = int(MAX_PIXELS**0.5) + 1
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(), size=(side, side)))
    with pytest.raises(InputError, match=f"a.png is {side}x{side} pixels; at most {MAX_PIXELS} pixels are decoded"):
        read_panoptic_png(tmp_path / "a.png", height=side, width=side)
    # The usual bomb is one that the JSON says nothing of.
    with pytest.raises(InputError, match=f"a.png is {side}x{side} pixels, but the JSON says 10x8"):
        read(tmp_path / "a.png")
    assert decoder == []


def test_a_png_of_another_size(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((8, 10), dtype=int))
    assert read_panoptic_png(tmp_path / "a.png", height=8, width=10).shape == (8, 10)
    # Height and width exchanged is the usual mistake.
    with pytest.raises(
        InputError, match=re.escape(f"{tmp_path / 'a.png'} is 10x8 pixels, but the JSON says 8x10")
    ):
        read_panoptic_png(tmp_path / "a.png", height=10, width=8)


def test_an_opaque_alpha_channel_says_nothing(tmp_path):
    rgba = np.full((8, 10, 4), 255, dtype=np.uint8)
    rgba[:, :, :3] = [7, 2, 1]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert np.unique(read_panoptic_png(tmp_path / "a.png", height=8, width=10)).tolist() == [7 + 2 * 256 + 65536]
    rgba[3, 4, 3] = 254
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="has an alpha channel that is not opaque; if it says nothing"):
        read_panoptic_png(tmp_path / "a.png", height=8, width=10)


def _save_16_bit_rgb(path):
    # Pillow cannot write it, and reads it as 8-bit without a word.
    assert cv2.imwrite(str(path), np.full((8, 10, 3), 300, dtype=np.uint16))
    assert Image.open(path).mode == "RGB"


@pytest.mark.parametrize(
    "save, said",
    [
        (_save_16_bit_rgb, "is a PNG of 16-bit RGB; panoptic PNGs are 8-bit RGB"),
        (lambda path: Image.new("RGBA", (10, 8)).save(path), "has an alpha channel that is not opaque;"),
        (lambda path: Image.new("L", (10, 8)).save(path), "is a PNG of 8-bit grey;"),
        (lambda path: Image.new("LA", (10, 8)).save(path), "is a PNG of 8-bit grey with alpha;"),
        (lambda path: Image.new("I;16", (10, 8)).save(path), "is a PNG of 16-bit grey;"),
        (lambda path: Image.new("P", (10, 8)).save(path), "-bit palette;"),
        (lambda path: Image.new("RGB", (10, 8)).save(path, format="JPEG"), "is not a PNG"),
        (lambda path: path.write_bytes(b""), "is not a PNG"),
        (lambda path: path.write_text("not an image, but long enough to be a header"), "is not a PNG"),
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_only_8_bit_rgb_is_read(tmp_path, save, said):
    path = tmp_path / "a.png"
    save(path)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_panoptic_png(path, height=8, width=10)
    assert str(path) in str(caught.value)


def test_a_png_cut_anywhere_is_damaged(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 2**24, (8, 10)))
    whole = path.read_bytes()
    for length in range(len(whole) - 24):  # The last 24 bytes hold no pixel: checksums and the end mark.
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=re.escape(str(path))):
            read_panoptic_png(path, height=8, width=10)


def test_a_png_with_wrong_bytes_never_ends_in_another_exception(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 2**24, (8, 10)))
    whole = path.read_bytes()
    damaged = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_panoptic_png(path, height=8, width=10)
        except InputError:
            damaged += 1
    assert damaged > 30  # The header and the first bytes of each chunk at least.


def test_a_png_too_large_to_decode_is_one_sentence(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.zeros((8, 10), dtype=int))
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60000, 60000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_panoptic_png(path, height=8, width=10)


def test_written_ids_are_read_back_and_equal_maps_give_equal_bytes(tmp_path):
    ids = np.array([[0, 1, 255], [256, 65536, 2**24 - 1]])
    write_panoptic_png(tmp_path / "deep" / "a.png", ids)
    write_panoptic_png(tmp_path / "b.png", ids.astype(np.int32))
    assert read_panoptic_png(tmp_path / "deep" / "a.png", height=2, width=3).tolist() == ids.tolist()
    assert (tmp_path / "deep" / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (45, 61)])
def test_any_decoder_reads_what_is_written(tmp_path, size):
    ids = np.random.default_rng(0).integers(0, 2**24, size)
    write_panoptic_png(tmp_path / "a.png", ids)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), ids_to_rgb(ids))
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[..., ::-1], ids_to_rgb(ids))
    Image.open(tmp_path / "a.png").verify()


def test_no_pixel_is_no_png(tmp_path):
    with pytest.raises(InputError, match=re.escape("a PNG has at least one pixel, got segment ids of shape (0, 5)")):
        write_panoptic_png(tmp_path / "a.png", np.zeros((0, 5), int))
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_does_not_fit_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match="must be in"):
        write_panoptic_png(tmp_path / "a.png", np.array([[2**24]]))
    assert list(tmp_path.iterdir()) == []
