import gc
import weakref

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import InstanceSet, roi_masks
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD, paste, window_of
from panoptic_heuristic.fusion.roi_masks import MaskPaster

pytestmark = pytest.mark.usefixtures("kernels")


def random_rois(rng, size, height, width, count=40):
    """Boxes of every size, some reaching out of the image; probabilities of which many meet at one half."""
    sides = np.exp(rng.uniform(np.log(0.1), np.log(3 * max(height, width)), (count, 2)))
    centres = rng.uniform(-0.2, 1.2, (count, 2)) * (width, height)
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
    boxes[::4] = boxes[::4].round()
    probabilities = rng.random((count, size, size))
    probabilities[::3] = rng.integers(0, 3, (len(probabilities[::3]), size, size)) / 2
    return torch.from_numpy(probabilities.astype(np.float32)), torch.from_numpy(boxes.astype(np.float32))


def assert_as_the_reference(masks, probabilities, boxes, height, width):
    assert len(masks) == len(boxes)
    for (left, top, found), roi, box in zip(masks, probabilities, boxes, strict=True):
        x0, y0, values = paste(roi, box, height, width)
        assert (left, top, found.dtype) == (x0, y0, torch.bool)
        assert torch.equal(found, values >= MASK_THRESHOLD)


@pytest.mark.parametrize("size", [1, 2, 7, 28, 112])
@pytest.mark.parametrize("height, width", [(1, 1), (37, 53), (200, 150)])
class TestAgainstTheReference:
    def test_it_is_the_threshold_of_paste(self, size, height, width, monkeypatch):
        asked = []
        real = roi_masks.sampled
        monkeypatch.setattr(roi_masks, "sampled", lambda *a: (asked.append(a[1].shape), real(*a))[1])
        rois = random_rois(np.random.default_rng([size, height]), size, height, width)
        masks = MaskPaster(*rois, height, width)(range(len(rois[0])))
        # Else it was not the fast way, or no value was close to the threshold.
        assert asked or size < 7 or height == 1
        assert_as_the_reference(masks, *rois, height, width)

    def test_half_the_guard_is_enough(self, size, height, width, monkeypatch):
        monkeypatch.setattr(roi_masks, "_GUARD", roi_masks._GUARD / 2)
        for seed in range(3):
            rois = random_rois(np.random.default_rng([seed, size, height]), size, height, width)
            assert_as_the_reference(MaskPaster(*rois, height, width)(range(len(rois[0]))), *rois, height, width)


@pytest.mark.parametrize("most", [0, 100])
def test_doubtful_pixels_are_decided_alike_whether_masks_are_asked_for_together_or_not(most, monkeypatch):
    probabilities, boxes = random_rois(np.random.default_rng(5), 14, 90, 70)
    # Wholly doubtful, beside others with a few such pixels.
    probabilities[1], boxes[1] = 0.5, torch.tensor([0, 0, 70, 90])
    together = MaskPaster(probabilities, boxes, 90, 70)(range(40))
    monkeypatch.setattr(roi_masks, "_MOST_FILLED_UP", most)
    paster = MaskPaster(probabilities, boxes, 90, 70)
    for mask, alone in zip(together, paster(range(40)), strict=True):
        assert mask[:2] == alone[:2] and torch.equal(mask[2], alone[2])
    assert_as_the_reference([paster([index])[0] for index in range(40)], probabilities, boxes, 90, 70)


def test_order_repetition_and_none():
    probabilities, boxes = random_rois(np.random.default_rng(6), 28, 50, 60)
    paster = MaskPaster(probabilities, boxes, 50, 60)
    chosen = [7, 3, 3, 39, 0]
    assert_as_the_reference(paster(chosen), probabilities[chosen], boxes[chosen], 50, 60)
    assert torch.equal(paster([-1])[0][2], paster([39])[0][2])
    with pytest.raises(IndexError):
        paster([40])
    assert paster([]) == []
    assert MaskPaster(probabilities[:0], boxes[:0], 50, 60)([]) == []


def test_input_in_any_order_of_memory():
    probabilities, boxes = random_rois(np.random.default_rng(7), 28, 50, 60)
    strided = torch.stack([probabilities, 1 - probabilities], dim=1).transpose(2, 3).contiguous().transpose(2, 3)[:, 0]
    across = boxes.t().contiguous().t()
    assert not strided.is_contiguous() and not across.is_contiguous()
    assert_as_the_reference(MaskPaster(strided, across, 50, 60)(range(40)), probabilities, boxes, 50, 60)


@pytest.mark.parametrize("largest_product", [1, 2**10, 2**40])
def test_it_does_not_depend_on_how_the_rows_are_cut(largest_product, monkeypatch):
    probabilities, boxes = random_rois(np.random.default_rng(1), 14, 60, 80)
    monkeypatch.setattr(roi_masks, "_LARGEST_PRODUCT", largest_product)
    assert_as_the_reference(MaskPaster(probabilities, boxes, 60, 80)(range(40)), probabilities, boxes, 60, 80)


def test_rounding_of_products_stays_within_half_the_guard():
    for size in (1, 7, 28, 56):
        probabilities, boxes = random_rois(np.random.default_rng(size), size, 120, 160, count=100)
        for roi, box in zip(probabilities, boxes, strict=True):
            window = window_of(box.tolist(), 120, 160)
            if window is None:
                continue
            (left, top, right, bottom), (x0, y0, x1, y1) = window, box.tolist()
            down = roi_masks._weights(top, bottom, y0, y1, size)
            values = down @ roi.numpy() @ roi_masks._weights(left, right, x0, x1, size).T
            error = np.abs(values - paste(roi, box, 120, 160)[2].numpy()).max()
            assert error < roi_masks._GUARD * size / 2


@pytest.mark.parametrize(
    "change",
    [
        lambda p, b: (p.double(), b),
        lambda p, b: (p.to(torch.bfloat16), b),
        lambda p, b: (p + 0.01, b),
        lambda p, b: (p - 0.01, b),
        lambda p, b: (p.masked_fill(p > 0.9, torch.nan), b),
        lambda p, b: (p, torch.cat([b[:-1], torch.tensor([[-3e38, 0, 3e38, 9]])])),
    ],
    ids=["float64", "bfloat16", "above_1", "below_0", "nan", "huge_box"],
)
def test_other_numbers_go_the_slow_way(change, monkeypatch):
    monkeypatch.delattr(roi_masks, "_fast_masks")
    rois = change(*random_rois(np.random.default_rng(0), 28, 50, 60))
    assert_as_the_reference(MaskPaster(*rois, 50, 60)(range(40)), *rois, 50, 60)


@pytest.mark.filterwarnings("error")
def test_a_box_of_hardly_any_width():
    boxes = [[0, 0, 1e-44, 4], [0, 0, 4, 1e-44], [2.5, 1, np.nextafter(np.float32(2.5), np.float32(3)), 3]]
    rois = InstanceSet.from_rois(
        np.ones((3, 28, 28), np.float32), np.array(boxes, np.float32), [0.9] * 3, [1] * 3, (4, 4)
    )
    assert [int(crop.mask.sum()) for crop in rois.crops(range(3))] == [0, 0, 2]


def test_instances_that_nobody_has_any_more_are_freed_at_once():
    """Not when Python looks for circles: masks of an image are megabytes."""
    probabilities, boxes = random_rois(np.random.default_rng(0), 28, 50, 60)
    gc.disable()
    try:
        instances = InstanceSet.from_rois(probabilities, boxes, [0.9] * 40, [1] * 40, (50, 60))
        instances.crop(0)
        gone = weakref.ref(instances)
        del instances
        assert gone() is None
    finally:
        gc.enable()
