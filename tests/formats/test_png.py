"""The PNG reader: OpenCV for plain files, Pillow for the rest, the same pixels from both."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import png
from panoptic_heuristic.formats.png import MAX_PIXELS, png_header, read_id_png

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


@pytest.fixture
def decoder(monkeypatch):
    """Which decoders were used, in order."""
    used = []
    opencv, pillow = cv2.imdecode, Image.open
    monkeypatch.setattr(png.cv2, "imdecode", lambda *args: used.append("opencv") or opencv(*args))
    monkeypatch.setattr(png.Image, "open", lambda *args, **more: used.append("pillow") or pillow(*args, **more))
    return used


def read(path):
    return read_id_png(path, height=HEIGHT, width=WIDTH)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_ids_as_drawn(tmp_path, decoder, level):
    rgb = pixels()
    Image.fromarray(rgb).save(tmp_path / "a.png", compress_level=level)
    ids = read(tmp_path / "a.png")
    assert ids.dtype == np.int32 and decoder == ["opencv"]
    np.testing.assert_array_equal(ids, ids_of(rgb))
    ids[0, 0] = 5  # The reader's own memory, not a view of the file's.


@pytest.mark.parametrize(
    "extra, used",
    [
        (chunk(b"tEXt", b"Comment\0hello"), "opencv"),
        (chunk(b"gAMA", struct.pack(">I", 200000)), "opencv"),
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
    assert read_id_png(tmp_path / "a.png", height=1, width=1).tolist() == ids_of(pixels()[:1, :1]).tolist()
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
        read_id_png(tmp_path / "a.png", height=side, width=side)
    # The usual bomb is one that the JSON says nothing of.
    with pytest.raises(InputError, match=f"a.png is {side}x{side} pixels, but the JSON says 10x8"):
        read(tmp_path / "a.png")
    assert decoder == []


def test_the_header_alone():
    header = png_header(png_bytes(pixels()), "a.png")
    assert (header.height, header.width, header.kind, header.interlaced) == (HEIGHT, WIDTH, "8-bit RGB", False)
    with pytest.raises(InputError, match="a.png is not a PNG"):
        png_header(png_bytes(pixels())[:32], "a.png")
