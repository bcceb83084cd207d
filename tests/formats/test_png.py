"""Headers of PNGs."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_png import write_label_png
from panoptic_heuristic.formats.png import png_header, read_png_header


def test_the_header_of_a_file(tmp_path):
    write_label_png(tmp_path / "a.png", np.zeros((2, 3), int), 24)
    header = read_png_header(tmp_path / "a.png")
    assert (header.height, header.width, header.kind, header.interlaced) == (2, 3, "8-bit RGB", False)


def test_a_header_needs_33_bytes(tmp_path):
    write_label_png(tmp_path / "a.png", np.zeros((2, 3), int), 24)
    start = (tmp_path / "a.png").read_bytes()
    assert png_header(start[:33], "a.png") == read_png_header(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png is not a PNG"):
        png_header(start[:32], "a.png")


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read .*none.png: No such file"):
        read_png_header(tmp_path / "none.png")
