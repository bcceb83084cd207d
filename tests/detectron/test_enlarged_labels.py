"""Labels from small logits: equal to enlarging, cropping, resizing and argmax, whichever way they are found."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from panoptic_heuristic.detectron import enlarged_logits, label_draft, label_kernel, label_tiles
from panoptic_heuristic.detectron.enlarged_labels import semantic_labels
from panoptic_heuristic.detectron.enlarged_logits import Upsampling
from panoptic_heuristic.errors import InputError

# cells, stride, image_size, output_size
SIZES = {
    "down": ((50, 68), 4, (200, 266), (150, 199)),
    "up": ((40, 50), 4, (157, 199), (331, 402)),
    "same": ((50, 60), 4, (197, 240), (197, 240)),
    "one axis the same": ((50, 60), 4, (197, 240), (197, 301)),
    "far down": ((150, 160), 4, (597, 640), (131, 137)),
    "far up": ((9, 11), 16, (140, 170), (400, 450)),
    "from one pixel": ((40, 40), 4, (1, 1), (150, 150)),
    "one row of cells": ((1, 20), 200, (190, 3999), (140, 300)),
    "no stride": ((150, 140), 1, (150, 133), (141, 190)),
    "odd stride": ((55, 61), 3, (163, 180), (200, 170)),
    "down and up": ((90, 40), 4, (355, 150), (140, 333)),
}
FEW_CELLS = ("far up", "one row of cells")  # so few that nothing is smooth
SMALL_SIZES = {
    "one pixel": ((1, 1), 1, (1, 1), (1, 1)),
    "one cell": ((1, 1), 200, (190, 200), (150, 140)),
    "thumbnail": ((60, 70), 4, (230, 280), (23, 28)),
    "narrow": ((60, 2), 4, (240, 7), (300, 5)),
    "small": ((10, 12), 4, (37, 48), (50, 31)),
}
BIG = SIZES["down"]


def rough(cells, channels=17, seed=0):
    return torch.randn(channels, *cells, generator=torch.Generator().manual_seed(seed))


def smooth(cells, channels=17, seed=0):
    """As from a network: most channels are far below the best one almost everywhere."""
    logits = F.interpolate(rough((4, 5), channels, seed)[None] * 5, size=cells, mode="bicubic")[0]
    return logits + 0.05 * rough(cells, channels, seed + 1)


def in_halves(cells, size):
    """Two channels, left and right; their border is about one cell wide."""
    logits = torch.zeros(2, *cells)
    logits[0, :, : cells[1] // 2] = logits[1, :, cells[1] // 2 :] = size
    return logits


def reference_values(logits, sizes):
    _, stride, (height, width), output_size = sizes
    enlarged = F.interpolate(logits[None], scale_factor=stride, mode="bilinear", align_corners=False)
    cropped = enlarged[0][:, :height, :width].expand(1, -1, -1, -1)
    return F.interpolate(cropped, size=output_size, mode="bilinear", align_corners=False)[0]


def takes_kernel(way, name):
    return way == "kernel" and name != "one row of cells"


def ours(logits, sizes):
    return semantic_labels(logits, stride=sizes[1], image_size=sizes[2], output_size=sizes[3])


def assert_equal_labels(logits, sizes):
    expected, found = reference_values(logits, sizes).argmax(dim=0), ours(logits, sizes)
    assert found.dtype == torch.uint8 and found.shape == sizes[3]
    wrong = int((found != expected).sum())
    assert wrong == 0, f"{wrong} of {found.numel()} labels differ for {sizes}"


@pytest.fixture(autouse=True)
def way(kernels):
    """All holds of the kernel, and of PyTorch and NumPy where there is none."""
    return "kernel" if kernels else "tiles"


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def calls(monkeypatch):
    """Which ways were taken, in order: "contest", "points" (how many), "channels" (how many)."""
    taken = []

    def spied(owner, name, note):
        original = getattr(owner, name)

        def spy(*args):
            taken.append(note(*args))
            return original(*args)

        monkeypatch.setattr(owner, name, spy)

    def spied_draft(owner):
        original = owner.draft_labels

        def spy(*args):
            draft = original(*args)
            taken.extend([] if draft is None else [("contest",)])
            return draft

        monkeypatch.setattr(owner, "draft_labels", spy)

    spied_draft(label_kernel)
    spied_draft(label_tiles)
    spied(Upsampling, "values_at", lambda _, logits, channel, y, x: ("points", len(channel)))
    spied(Upsampling, "labels", lambda _, logits: ("channels", len(logits)))
    return taken


class TestByHand:
    def test_two_cells(self):
        # Enlarged by 2, the left channel is 4 3 1 0 and the right one 0 1 3 4.
        logits = torch.tensor([[[4.0, 0.0]], [[0.0, 4.0]]])
        assert semantic_labels(logits, stride=2, image_size=(2, 4), output_size=(2, 4)).tolist() == [[0, 0, 1, 1]] * 2

    def test_equal_in_the_middle(self):
        logits = torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]]])
        assert semantic_labels(logits, stride=1, image_size=(1, 2), output_size=(1, 3)).tolist() == [[0, 0, 1]]

    def test_padding_does_not_count(self):
        # The third cell is padding: nothing of it is in the crop, so the last two pixels are flat.
        logits = torch.tensor([[[0.0, 0.0, 9.0]], [[1.0, 1.0, 0.0]]])
        assert semantic_labels(logits, stride=1, image_size=(1, 2), output_size=(1, 2)).tolist() == [[1, 1]]

    def test_halves_of_a_large_map(self, calls):
        labels = semantic_labels(in_halves((40, 50), 5.0), stride=4, image_size=(160, 200), output_size=(160, 200))
        assert torch.equal(labels, (torch.arange(200) >= 100).byte().expand(160, 200))
        assert calls == [("contest",)]


class TestEqualToTheReference:
    @pytest.mark.parametrize("name", SIZES)
    def test_smooth(self, name, threads, way, calls):
        sizes = SIZES[name]
        assert_equal_labels(smooth(sizes[0]), sizes)
        all_channels = name in FEW_CELLS and not takes_kernel(way, name)
        assert calls[0] == (("channels", 17) if all_channels else ("contest",))

    @pytest.mark.parametrize("name", SIZES)
    def test_rough(self, name, one_thread, way, calls):
        sizes = SIZES[name]
        assert_equal_labels(rough(sizes[0]), sizes)
        all_channels = name != "from one pixel" and not takes_kernel(way, name)
        assert calls[0] == (("channels", 17) if all_channels else ("contest",))
        assert ("channels", 17) not in calls[1:]

    @pytest.mark.parametrize("name", SMALL_SIZES)
    def test_small(self, name, one_thread):
        # All channels nearly equal, so that the kernel's last bits decide.
        sizes = SMALL_SIZES[name]
        for channels in (1, 2, 3, 4, 17, 40):
            assert_equal_labels(rough(sizes[0], channels), sizes)
            assert_equal_labels(rough(sizes[0], 1) + 1e-7 * rough(sizes[0], channels), sizes)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16, 70])
    def test_number_of_channels(self, channels, threads):
        assert_equal_labels(smooth(BIG[0], channels), BIG)
        assert_equal_labels(rough(BIG[0], channels), BIG)

    @pytest.mark.parametrize("seed", range(30))
    def test_random_sizes(self, seed, monkeypatch, one_thread):
        # Everything is compared in tiles, with a guard so wide that the reference's operations have work to do.
        monkeypatch.setattr(label_tiles, "_MOST_RIVALS", 1)
        monkeypatch.setattr(label_draft, "GUARD", 1e-5)
        rng = np.random.default_rng(seed)
        stride = int(rng.choice([1, 2, 3, 4, 4, 4, 7, 8, 16]))
        cells = tuple(int(n) for n in rng.integers(130, 330, 2) // stride + 1)
        image_size = tuple(int(rng.integers(n * stride // 2, n * stride + 1)) for n in cells)
        output_size = tuple(int(n) for n in rng.integers(129, 400, 2))
        make = (rough, smooth)[seed % 2]
        assert_equal_labels(make(cells, int(rng.integers(1, 12)), seed), (cells, stride, image_size, output_size))

    @pytest.mark.parametrize("channels", [31, 32, 33, 65, 256])
    def test_channels_beyond_a_word_of_bits(self, channels, one_thread):
        logits = smooth(BIG[0], channels)
        logits[channels - 1, 10:20, 10:20] += 30
        assert_equal_labels(logits, BIG)

    def test_more_channels_than_a_byte_has_labels(self, one_thread):
        logits = smooth(BIG[0], 257)
        logits[256, 10:20, 10:20] += 30
        expected, found = reference_values(logits, BIG).argmax(dim=0), ours(logits, BIG)
        assert found.dtype == torch.int64 and torch.equal(found, expected) and found.max() == 256

    @pytest.mark.parametrize("cells", [(3, 3), (3, 50), (50, 3), (2, 50), (50, 2)])
    def test_few_cells(self, cells, one_thread):
        stride = 66
        sizes = cells, stride, tuple(n * stride - 1 for n in cells), (133, 140)
        assert_equal_labels(rough(cells, 5), sizes)

    @pytest.mark.parametrize("sizes", [BIG, SMALL_SIZES["narrow"]])
    def test_layout_does_not_matter(self, sizes):
        logits = rough(sizes[0], 1) + 1e-7 * rough(sizes[0], 17)
        channels_last = logits[None].contiguous(memory_format=torch.channels_last)[0]
        assert not channels_last.is_contiguous()
        assert torch.equal(ours(channels_last, sizes), ours(logits, sizes))

    @pytest.mark.parametrize("make", [smooth, rough])
    def test_input_is_not_changed(self, make):
        logits = make(BIG[0])
        before = logits.clone()
        ours(logits.requires_grad_(), BIG)
        assert torch.equal(logits, before)

    def test_in_inference_mode(self):
        logits = smooth(BIG[0])
        with torch.inference_mode():
            assert torch.equal(ours(logits.clone(), BIG), ours(logits, BIG))


class TestTies:
    def test_equal_channels(self, calls):
        logits = smooth(BIG[0])
        logits[5] = logits[2]
        logits[16] = logits[0]
        assert_equal_labels(logits, BIG)
        assert [kind for kind, *_ in calls] == ["contest", "channels"]

    @pytest.mark.parametrize("value", [0.0, -3.7, 1e-42, 1e36])
    def test_constant(self, value):
        logits = torch.full((6, *BIG[0]), value)
        assert_equal_labels(logits, BIG)
        assert not ours(logits, BIG).any()

    @pytest.mark.parametrize("step", [1.0, 0.25])
    def test_rounded_logits(self, step):
        assert_equal_labels((smooth(BIG[0]) / step).round() * step, BIG)
        assert_equal_labels((rough(BIG[0]) / step).round() * step, BIG)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_cast_up_from_half_precision(self, dtype):
        assert_equal_labels(smooth(BIG[0]).to(dtype).float(), BIG)


def nearly_equal(size, pairs=1):
    """Smooth logits whose first channels are followed by copies that differ in the last bits."""
    logits = smooth(BIG[0])
    for channel in range(pairs):
        logits[-1 - channel] = logits[channel] + size * rough(BIG[0], 1, channel)[0]
    return logits


class TestGuard:
    def test_is_needed(self, monkeypatch, one_thread):
        # Without it our own arithmetic decides, and is wrong: so the next tests have something to find.
        logits = nearly_equal(1e-7, pairs=8)
        expected = reference_values(logits, BIG).argmax(dim=0)
        assert torch.equal(ours(logits, BIG), expected)
        monkeypatch.setattr(label_draft, "GUARD", 0.0)
        monkeypatch.setattr(label_draft, "SMALLEST_GUARD", -1.0)
        assert (ours(logits, BIG) != expected).sum() > 20

    @pytest.mark.parametrize("size", [1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
    def test_near_ties(self, size, one_thread, calls):
        assert_equal_labels(nearly_equal(size, pairs=8), BIG)
        assert len(calls) == 2

    @pytest.mark.parametrize("seed", range(10))
    def test_few_pixels_are_worked_out_alone(self, seed, threads, calls):
        # Two channels that are nearly equal in nine cells only, and there the best.
        logits = smooth(BIG[0])
        logits[[3, 9], 20:23, 30:33] = 30 + rough((3, 3), 1, seed)
        logits[9, 20:23, 30:33] += 2e-6 * rough((3, 3), 1, seed + 1)[0]
        assert_equal_labels(logits, BIG)
        assert calls[0] == ("contest",) and calls[1][0] == "points" and 2 <= calls[1][1] <= 128 and len(calls) == 2

    def test_many_pixels_by_their_channels_alone(self, one_thread, calls):
        logits = nearly_equal(1e-7)
        logits[[0, -1]] += 30.0
        assert_equal_labels(logits, BIG)
        assert calls == [("contest",), ("channels", 2)]

    def test_many_channels_in_few_pixels(self, calls):
        logits = smooth(BIG[0], 140)
        logits[:, 20:23, 30:33] = 30.0
        assert_equal_labels(logits, BIG)
        assert calls == [("contest",), ("channels", 140)]

    @pytest.mark.parametrize("seed", range(12))
    def test_a_quarter_of_it_is_enough(self, seed, monkeypatch, one_thread):
        monkeypatch.setattr(label_draft, "GUARD", label_draft.GUARD / 4)
        rng = np.random.default_rng(seed)
        stride = int(rng.choice([1, 2, 3, 4, 8, 32]))
        cells = tuple(int(n) for n in rng.integers(130, 300, 2) // stride + 1)
        image_size = tuple(int(rng.integers(n * stride // 2, n * stride + 1)) for n in cells)
        sizes = cells, stride, image_size, tuple(int(n) for n in rng.integers(129, 300, 2))
        base = rough(cells, 1, seed) if seed % 2 else 5 + rough(cells, 1, seed).abs()
        assert_equal_labels(base * (1 + 2e-7 * rough(cells, 6, seed + 1)), sizes)

    @pytest.mark.parametrize("seed", range(12))
    def test_our_arithmetic_stays_within_it(self, seed):
        rng = np.random.default_rng(seed)
        stride = int(rng.choice([1, 2, 3, 4, 8, 32]))
        cells = tuple(int(n) for n in rng.integers(130, 400, 2) // stride + 1)
        image_size = tuple(int(rng.integers(n * stride // 2, n * stride + 1)) for n in cells)
        sizes = cells, stride, image_size, tuple(int(n) for n in rng.integers(129, 500, 2))
        logits = rough(cells, 2, seed)
        if seed % 2:
            logits = 5 + logits.abs()  # no cancellation
        grid = label_tiles.Grid.of(Upsampling(*sizes))
        magnitude = grid.largest(logits.abs().numpy())
        tiles = torch.arange(len(magnitude))
        expected = reference_values(logits, sizes).double()
        for channel in range(2):
            values = label_tiles._tile_values(logits, grid, tiles, torch.full_like(tiles, channel))
            bound = (magnitude[:, channel] * label_draft.GUARD / 2)[:, None, None].expand(values.shape)
            assert ((grid.joined(values).double() - expected[channel]).abs() < grid.joined(bound.contiguous())).all()


class TestNotFinite:
    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    @pytest.mark.parametrize("make", [smooth, rough])
    def test_one_value(self, value, make, one_thread):
        logits = make(BIG[0])
        logits[4, 20, 30] = value
        assert_equal_labels(logits, BIG)

    def test_first_nan_wins(self):
        logits = smooth(BIG[0])
        logits[[9, 4, 11], 20, 30] = torch.nan
        logits[12, 20, 30] = torch.inf
        assert_equal_labels(logits, BIG)
        assert ours(logits, BIG)[60, 91] == 4

    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    @pytest.mark.parametrize("place", [(50, 20), (20, 60), (49, 20), (20, 59), (54, 20)])
    def test_at_the_padding(self, value, place, one_thread):
        # The last row and column of the crop are made of cells 49 and 59, and of their neighbours with weight 0.
        sizes = (55, 61), 3, (149, 179), (200, 170)
        logits = smooth(sizes[0])
        logits[(4, *place)] = value
        assert_equal_labels(logits, sizes)

    def test_channel_that_is_minus_infinity(self):
        logits = smooth(BIG[0])
        logits[0] = -torch.inf
        assert_equal_labels(logits, BIG)

    @pytest.mark.parametrize("factor", [1e35, 1e37, 5e37, 1e-30, 1e-38, 1e-43])
    def test_very_large_and_very_small(self, factor):
        assert_equal_labels(smooth(BIG[0]) * factor, BIG)
        assert_equal_labels(rough(BIG[0]) * factor, BIG)

    def test_the_largest_numbers(self):
        # Weights that add up to a little more than 1 make infinities of them.
        logits = smooth(BIG[0])
        logits[logits > 3] = torch.finfo(torch.float32).max
        assert_equal_labels(logits, BIG)


class TestParts:
    """What :class:`Upsampling` works out in parts is what it works out as a whole, to the last bit."""

    @pytest.mark.parametrize("name", SIZES)
    def test_values_at(self, name, threads):
        sizes = SIZES[name]
        logits = rough(sizes[0], 5)
        expected = reference_values(logits, sizes)
        rng = np.random.default_rng(0)
        channel, y, x = (torch.from_numpy(rng.integers(0, n, 60)) for n in expected.shape)
        y[:2], x[:2] = torch.tensor([0, sizes[3][0] - 1]), torch.tensor([sizes[3][1] - 1, 0])
        found = Upsampling(*sizes).values_at(logits, channel, y, x)
        assert torch.equal(found, expected[channel, y, x])

    @pytest.mark.parametrize("name", SIZES)
    def test_taps(self, name):
        for axis in sum(Upsampling(*SIZES[name]).axes, ()):
            places, weights = axis.taps
            assert places.shape == weights.shape == (axis.target, 2)
            assert (weights >= 0).all() and ((weights.double().sum(dim=1) - 1).abs() < 1e-6).all()
            line = 1 + torch.rand(1, axis.source, generator=torch.Generator().manual_seed(0))
            expected = (line[0, places].double() * weights).sum(dim=1)
            assert ((axis.resized(line)[0].double() - expected).abs() < 4e-7).all()

    def test_not_where_the_trial_says_no(self, calls, monkeypatch):
        monkeypatch.setattr(enlarged_logits, "_trial", lambda channels, threads: False)
        assert_equal_labels(smooth(BIG[0]), BIG)
        assert calls == []

    @pytest.mark.parametrize("make", [smooth, rough, nearly_equal])
    def test_no_more_than_one_channel_at_a_time(self, make, monkeypatch, one_thread):
        assert enlarged_logits._trial(17, 1)
        largest = []
        original = enlarged_logits._interpolated

        def spy(planes, **size):
            result = original(planes, **size)
            largest.append(result.numel())
            return result

        monkeypatch.setattr(enlarged_logits, "_interpolated", spy)
        ours(make(1e-7) if make is nearly_equal else make(BIG[0]), BIG)
        assert max(largest) <= 200 * 272


class TestErrors:
    @pytest.mark.parametrize(
        "logits, got",
        [
            (torch.zeros(4, 4), r"\(4, 4\)"),
            (torch.zeros(2, 3, 4, 4), r"\(2, 3, 4, 4\)"),
            (torch.zeros(0, 4, 4), r"\(0, 4, 4\)"),
            (torch.zeros(2, 4, 4, dtype=torch.float16), "float16"),
            (torch.zeros(2, 4, 4, dtype=torch.int64), "int64"),
        ],
    )
    def test_logits(self, logits, got):
        with pytest.raises(InputError, match=got):
            semantic_labels(logits, stride=4, image_size=(16, 16), output_size=(16, 16))

    @pytest.mark.parametrize(
        "wrong, message",
        [
            ({"stride": 0}, "stride must be in .1, inf.*got 0"),
            ({"image_size": (0, 16)}, "image_size must be .*0, 16"),
            ({"output_size": (16, -1)}, "output_size must be .*16, -1"),
            ({"output_size": (16,)}, "output_size must be"),
            ({"image_size": (17, 16)}, "larger than logits"),
            ({"image_size": (16, 17)}, "larger than logits"),
        ],
    )
    def test_numbers(self, wrong, message):
        right = {"stride": 4, "image_size": (16, 16), "output_size": (16, 16)}
        semantic_labels(torch.zeros(2, 4, 4), **right)
        with pytest.raises(InputError, match=message):
            semantic_labels(torch.zeros(2, 4, 4), **{**right, **wrong})
