"""Run lengths against pycocotools, and drawings of what is easy to get wrong."""

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic import native
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.rle import OverlapError, crop_of_runs, paint_masks, run_ends

pytestmark = pytest.mark.usefixtures("kernels")


def mask(drawing):
    return np.array([[pixel == "#" for pixel in row] for row in drawing.split()])


def ends_of(*masks):
    encoded = [rle_codec.encode(np.asfortranarray(m, dtype=np.uint8)) for m in masks]
    return run_ends(encoded, *masks[0].shape, "mask {}".format)


def ends_of_one(segmentation, height, width):
    return run_ends([segmentation], height, width, "mask {}".format)[0]


def random_masks(seed, count, size):
    """Noise, blocks, full and empty masks."""
    rng = np.random.default_rng(seed)
    masks = rng.random((count, *size)) < rng.choice([0, 0.02, 0.5, 0.98, 1], (count, 1, 1))
    for m in masks[::3]:
        y, x = rng.integers(size[0]), rng.integers(size[1])
        m[:] = False
        m[y : y + rng.integers(1, 40), x : x + rng.integers(1, 40)] = True
    return masks


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (37, 23), (700, 3)])
class TestLaws:
    def test_a_crop_is_the_mask_and_tight(self, size):
        masks = random_masks(1, 40, size)
        for m, ends in zip(masks, ends_of(*masks), strict=True):
            x0, y0, crop = crop_of_runs(ends, size[0])
            height, width = crop.shape
            full = np.zeros(size, bool)
            full[y0 : y0 + height, x0 : x0 + width] = crop
            np.testing.assert_array_equal(full, m)
            assert crop.dtype == bool and crop.flags.c_contiguous
            for edge in (crop[:1], crop[-1:], crop[:, :1], crop[:, -1:]):
                assert edge.any() or not m.any()

    @pytest.mark.parametrize("count", [1, 5, 300])
    def test_disjoint_masks_are_painted_in_their_number(self, size, count):
        labels = np.random.default_rng(count).integers(0, count + 1, size)
        painted = paint_masks(ends_of(*(labels == k for k in range(1, count + 1))), *size)
        np.testing.assert_array_equal(painted, labels)
        assert painted.dtype == (np.int32 if count == 300 else np.uint8)

    def test_runs_are_read_alike_however_they_are_written(self, size):
        for m, ends in zip(random_masks(2, 12, size), ends_of(*random_masks(2, 12, size)), strict=True):
            flat = m.ravel(order="F")
            borders = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int)))
            runs = np.diff(np.concatenate([[0], borders, [flat.size]])).tolist()
            np.testing.assert_array_equal(ends, np.cumsum(runs))
            np.testing.assert_array_equal(ends_of_one({"size": size, "counts": runs}, *size), ends)


def found_in(texts, height, width):
    """The ends of the runs, or the sentence that refuses them."""
    try:
        counts = [{"size": [height, width], "counts": text} for text in texts]
        return [ends.tolist() for ends in run_ends(counts, height, width, "mask {}".format)]
    except InputError as error:
        return str(error)


def test_texts_of_any_characters_are_read_or_refused_alike():
    rng = np.random.default_rng(0)
    masks = [rle_codec.encode(np.asfortranarray(one, np.uint8))["counts"] for one in random_masks(5, 100, (31, 23))]
    damaged = [text[: rng.integers(len(text) + 1)] + rng.bytes(1) * rng.integers(2) for text in masks]
    random = [bytes(rng.integers(47, 114, rng.integers(0, 5)).astype(np.uint8)) for _ in range(2000)]
    long = [b"o" * digits + end for digits in range(9) for end in (b"", b"0", b"?", b"@", b"O", b"P")]
    texts = [*masks, *damaged, *random, *long]
    found = [found_in([text], *size) for text in texts for size in ((31, 23), (1, 1))]
    found += [found_in(masks[:3] + [text] + masks[3:5], 31, 23) for text in damaged]
    with native.switched_off():
        expected = [found_in([text], *size) for text in texts for size in ((31, 23), (1, 1))]
        expected += [found_in(masks[:3] + [text] + masks[3:5], 31, 23) for text in damaged]
    assert found == expected
    read = sum(isinstance(one, list) for one in found)
    assert 100 < read < len(found) - 1000


class TestDrawings:
    def test_a_run_over_the_foot_of_a_column(self):
        # It holds the lowest and the highest row, though neither of its columns is full.
        x0, y0, crop = crop_of_runs(ends_of(mask(".#. ... #.."))[0], 3)
        assert (x0, y0, crop.tolist()) == (0, 0, [[False, True], [False, False], [True, False]])

    def test_runs_without_a_pixel_change_nothing(self):
        ends = ends_of_one({"size": [2, 3], "counts": [0, 0, 2, 0, 1, 2, 1, 0]}, 2, 3)
        assert crop_of_runs(ends, 2)[:2] == (1, 0)
        assert crop_of_runs(ends, 2).mask.tolist() == [[False, True], [True, False]]
        assert paint_masks([ends], 2, 3).tolist() == [[0, 0, 1], [0, 1, 0]]

    def test_an_empty_mask(self):
        (ends,) = ends_of(mask("... ..."))
        assert crop_of_runs(ends, 2).mask.shape == (0, 0)
        assert paint_masks([ends], 2, 3).tolist() == [[0, 0, 0]] * 2

    def test_nothing_to_paint(self):
        assert paint_masks([], 2, 3).tolist() == [[0, 0, 0]] * 2
        assert run_ends([], 2, 3, "mask {}".format) == []

    @pytest.mark.parametrize(
        "drawings, pair",
        [
            (("##. ...", "... ###", ".#. ..."), (0, 2)),
            (("... ..#", "#.. ...", "### ###"), (1, 2)),
            (("#", "#"), (0, 1)),
        ],
    )
    def test_masks_that_share_a_pixel(self, drawings, pair):
        masks = [mask(drawing) for drawing in drawings]
        with pytest.raises(OverlapError) as error:
            paint_masks(ends_of(*masks), *masks[0].shape)
        assert (error.value.first, error.value.second) == pair

    def test_masks_that_touch_share_nothing(self):
        masks = [mask("#.. #.."), mask(".#. ..."), mask("..# .##")]
        assert paint_masks(ends_of(*masks), 2, 3).tolist() == [[1, 2, 3], [1, 3, 3]]

    def test_polygons_are_united(self):
        polygons = [[0, 0, 2, 0, 2, 2, 0, 2], [3, 0, 4, 0, 4, 2, 3, 2]]
        expected = rle_codec.decode(rle_codec.merge(rle_codec.frPyObjects(polygons, 3, 5))).astype(bool)
        painted = paint_masks([ends_of_one(polygons, 3, 5)], 3, 5)
        np.testing.assert_array_equal(painted, expected)
        assert painted.tolist() == [[1, 1, 0, 1, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]


class TestErrors:
    def test_the_wrong_one_of_many_is_named(self):
        good = rle_codec.encode(np.asfortranarray(mask("#. .#"), dtype=np.uint8))
        for bad in ({"size": [2, 2], "counts": "x"}, {"size": [2, 2], "counts": [3]}, {"size": [2, 2], "counts": b"0"}):
            with pytest.raises(InputError, match="mask 2: counts must be run lengths >= 0 that add up to the 4 pixels"):
                run_ends([good, good, bad, good], 2, 2, "mask {}".format)

    @pytest.mark.parametrize(
        "polygons, message",
        [
            ([], "mask 0: expected at least one polygon"),
            # pycocotools would take it for a box.
            ([[0, 0, 1, 1]], "mask 0: a polygon must be a list of at least three points"),
            ([[0, 0, 1, 0, 1, 1, 2]], "mask 0: a polygon must be a list of at least three points"),
            (["abcdef"], "mask 0: a polygon must be a list"),
            ([[0, 0, 1, 0, 1, float("nan")]], "mask 0: a polygon of an image of 3x2 pixels has the coordinate nan"),
            ([[0, 0, 1, 0, 1, 1e9]], "has the coordinate 1000000000.0"),
            ([[0, 0, 1, 0, 1, None]], "has the coordinate None"),
        ],
    )
    def test_polygons(self, polygons, message):
        with pytest.raises(InputError, match=message):
            ends_of_one(polygons, 2, 3)

    @pytest.mark.parametrize("segmentation", [None, "abc", 3, {"counts": "1"}, {"size": [2, 2]}], ids=repr)
    def test_what_is_no_segmentation(self, segmentation):
        with pytest.raises(InputError, match="mask 0 must be a dict with 'size' and 'counts'"):
            ends_of_one(segmentation, 2, 2)

    @pytest.mark.parametrize("size", [[2, 3], [2], "22", None, [2.5, 2]], ids=repr)
    def test_another_size(self, size):
        with pytest.raises(InputError, match=r"mask 0 is .*, but image_size is \[2, 2\]"):
            ends_of_one({"size": size, "counts": [4]}, 2, 2)

    @pytest.mark.parametrize("counts", [["a"], [[4]], [4.0], [2**70, 1], None, [1, [2]], [5, -1]], ids=repr)
    def test_lists_that_are_no_runs(self, counts):
        with pytest.raises(InputError, match="mask 0: counts must be run lengths"):
            ends_of_one({"size": [2, 2], "counts": counts}, 2, 2)

    @pytest.mark.parametrize(
        "counts",
        [
            [0, 2**62, 2**62, 2**62, 2**62, 4],
            [2**62, 1, 2**62 - 1, 0, 2**62, 0, 2**62, 0, 4],
            [2**63 - 1, 2**63 - 1, 6],
            [2**63, 2**63, 4],
            [2**64 - 1, 5],
        ],
        ids=str,
    )
    def test_sums_that_come_round_to_the_size_of_the_image(self, counts):
        # In 64 bits each of them adds up to 4.
        for runs in (counts, tuple(counts)):
            with pytest.raises(InputError, match="mask 0: counts must be run lengths >= 0 that add up to the 4 pixels"):
                ends_of_one({"size": [2, 2], "counts": runs}, 2, 2)

    def test_the_sum_is_told_as_it_is(self):
        with pytest.raises(InputError, match=f"got a sum of {2**64 + 4}$"):
            ends_of_one({"size": [2, 2], "counts": [0, 2**62, 2**62, 2**62, 2**62, 4]}, 2, 2)

    def test_a_huge_image_whose_runs_come_round(self):
        # Each run fits the image; the five of them add up to 2**62 in 64 bits.
        side = 2**31
        with pytest.raises(InputError, match="mask 0: counts must be run lengths"):
            ends_of_one({"size": [side, side], "counts": [2**62] * 5}, side, side)
