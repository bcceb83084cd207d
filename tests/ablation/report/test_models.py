import numpy as np
import pytest

from panoptic_heuristic.ablation.report.comparison import Compared, setting_for_all
from panoptic_heuristic.ablation.report.document import Table, Text
from panoptic_heuristic.ablation.report.models import models, other_images
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.sweeping.buckets import bucket_path
from panoptic_heuristic.formats.arrays import read_arrays, write_arrays
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Greedy
from tests.ablation.grids import grid_of
from tests.ablation.report_sweeps import DETECTRON2, drawn_sweep

THREE = grid_of((Greedy(0.5),), (0.3, 0.5, 0.7), ((4096.0, 0.0),))
UNEVEN = (-0.4, -0.2, 0.1, 0.1)


@pytest.fixture
def drawn(tmp_path):
    """Makes a sweep of three settings whose stuff has one PQ and whose things have another."""

    def draw(name, stuff, things=None, **options):
        result = drawn_sweep(tmp_path / name, THREE, list(zip(stuff, things or stuff, strict=True)), **options)
        return ReportedSweep.of(name, result, DETECTRON2)

    return draw


def compared(*sweeps):
    for_all = setting_for_all(sweeps)
    return Compared(sweeps, [sweep.resampled([for_all]) for sweep in sweeps], for_all)


def cells(blocks):
    return [row.cells for block in blocks if isinstance(block, Table) for row in block.rows]


def texts(blocks):
    return [block.text for block in blocks if isinstance(block, Text)]


def test_images_that_differ_alike_for_both_leave_no_doubt(drawn):
    # Images' PQ lie 50 apart; each is 10 better in the second, at the best, at what suits both and at the default.
    first = drawn("first", (0.8, 0.7, 0.6), added=UNEVEN)
    second = drawn("second", (0.7, 0.8, 0.9), added=UNEVEN)
    assert cells(models(compared(first, second), 2)) == [
        ("second", "first", "the best of each", "80.00", "70.00", "+10.00", "[+10.00, +10.00]")
        + ("+10.00 [+10.00, +10.00]",) * 2,
        ("second", "first", "one for all", "70.00", "60.00", "+10.00", "[+10.00, +10.00]")
        + ("+10.00 [+10.00, +10.00]",) * 2,
        ("second", "first", "default", "70.00", "60.00", "+10.00", "[+10.00, +10.00]")
        + ("+10.00 [+10.00, +10.00]",) * 2,
    ]
    # Not paired, either could be the better one.
    draws = first.resampled().groups["all"][:, first.resampled().place_of[first.best]]
    assert np.ptp(np.percentile(draws, (2.5, 97.5))) > 30


def test_of_two_images_the_interval_holds_all_four_draws(drawn):
    # The second is as good in one image and 40 better in the other: each of (0, 0), (0, 1), (1, 0), (1, 1) is a draw.
    first = drawn("first", (0.1, 0.5, 0.1), images=2)
    second = drawn("second", (0.1, 0.5, 0.1), images=2, added=(0.0, 0.4))
    rows = cells(models(compared(first, second), 2))
    assert [row[2:7] for row in rows] == [
        (name, "70.00", "50.00", "+20.00", "[0.00, +40.00]") for name in ("the best of each", "one for all", "default")
    ]


def test_things_and_stuff_by_themselves(drawn):
    first = drawn("first", (0.1, 0.5, 0.1), (0.1, 0.4, 0.1))
    second = drawn("second", (0.1, 0.8, 0.1), (0.1, 0.3, 0.1))
    table = next(block for block in models(compared(first, second), 2) if isinstance(block, Table))
    assert table.header[-2:] == ("in things", "in stuff")
    assert table.rows[0].cells[5:] == (
        "+10.00", "[+10.00, +10.00]", "−10.00 [−10.00, −10.00]", "+30.00 [+30.00, +30.00]"
    )  # fmt: skip


def test_each_pair_of_several_models(drawn):
    three = [drawn(name, (0.1, pq, 0.1)) for name, pq in (("a", 0.5), ("b", 0.6), ("c", 0.4))]
    rows = [row for row in cells(models(compared(*three), 2)) if row[2] == "default"]
    assert [(*row[:2], row[5]) for row in rows] == [("b", "a", "+10.00"), ("c", "a", "−10.00"), ("c", "b", "−20.00")]


def test_one_image_has_a_difference_and_no_interval(drawn):
    pair = [drawn(name, (0.1, pq, 0.1), images=1) for name, pq in (("first", 0.5), ("second", 0.6))]
    assert cells(models(compared(*pair), 2))[2][3:] == ("60.00", "50.00", "+10.00", "", "+10.00", "+10.00")


class TestOtherImages:
    def test_the_same(self, drawn):
        assert other_images(drawn("first", (0.1, 0.2, 0.3)), drawn("second", (0.3, 0.2, 0.1))) is None

    def test_a_sentence_in_place_of_a_difference(self, drawn):
        pair = drawn("first", (0.1, 0.2, 0.3)), drawn("second", (0.3, 0.2, 0.1), images=3)
        blocks = models(compared(*pair), 2)
        assert cells(blocks) == []
        assert texts(blocks) == ["first and second have no paired difference: one has 4 images, the other 3."]

    def test_the_others_keep_theirs(self, drawn):
        three = [drawn(name, (0.1, 0.2, 0.3), images=images) for name, images in (("a", 4), ("b", 3), ("c", 4))]
        blocks = models(compared(*three), 2)
        assert [row[:2] for row in cells(blocks)] == [("c", "a")] * 3
        assert len(texts(blocks)) == 3

    def test_classes(self, drawn):
        other = Categories((Category(9, "sky", False, (70, 130, 180)), Category(0, "dog", True, (220, 20, 60))))
        pair = drawn("first", (0.1, 0.2, 0.3)), drawn("second", (0.1, 0.2, 0.3), categories=other)
        assert other_images(*pair) == "their classes differ"

    def test_data_set(self, drawn):
        first, second = drawn("first", (0.1, 0.2, 0.3)), drawn("second", (0.1, 0.2, 0.3))
        second.result.manifest["dataset_name"] = "painted"
        assert other_images(first, second) == "one is of the data set drawn, the other of painted"

    @pytest.mark.parametrize("change", [{"segments": np.array([10, 11])}, {"images": np.array(2)}])
    def test_ground_truth_of_a_bucket(self, drawn, change):
        first, second = drawn("first", (0.1, 0.2, 0.3)), drawn("second", (0.1, 0.2, 0.3))
        path = bucket_path(second.result.folder, 2)
        write_arrays(path, {**read_arrays(path), **change})
        assert other_images(first, second) == (
            "their ground truth differs, as in bucket 02, so they are of different images"
        )
