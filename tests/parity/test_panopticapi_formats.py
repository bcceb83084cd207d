"""panopticapi is the reference of segment ids as colours."""

import numpy as np
import pytest
from panopticapi.utils import id2rgb, rgb2id

from panoptic_heuristic.formats import ids_to_rgb, rgb_to_ids

pytestmark = pytest.mark.parity

MAX_ID = 256**3 - 1
EDGES = np.array([[0, 1, 255, 256, 257], [65535, 65536, 65537, MAX_ID - 1, MAX_ID]])


def id_maps():
    rng = np.random.default_rng(0)
    yield EDGES
    yield EDGES.T
    yield np.zeros((0, 4), dtype=np.int64)
    for dtype in (np.uint8, np.int32, np.uint32, np.int64):
        high = min(MAX_ID, np.iinfo(dtype).max)
        yield rng.integers(0, high, (48, 65), endpoint=True, dtype=dtype)


@pytest.mark.parametrize("ids", list(id_maps()), ids=lambda ids: f"{ids.dtype}{ids.shape}")
def test_ids_and_colours_are_panopticapis(ids):
    # panopticapi divides in place of a copy, for which small integer types would be too small.
    reference = id2rgb(ids.astype(np.int64))
    colours = ids_to_rgb(ids)
    np.testing.assert_array_equal(colours, reference)
    assert colours.dtype == reference.dtype == np.uint8
    np.testing.assert_array_equal(rgb_to_ids(reference), rgb2id(reference))
    np.testing.assert_array_equal(rgb_to_ids(colours), ids)
