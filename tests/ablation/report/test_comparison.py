import numpy as np
import pytest

from panoptic_heuristic.ablation.report.comparison import (
    Compared,
    check_same_grid,
    comparison,
    largest_loss,
    rank_correlation,
    setting_for_all,
    summary,
)
from panoptic_heuristic.ablation.report.document import Table
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, PerPixel
from tests.ablation.grids import claims_of, grid_of, limits_of, scores_of
from tests.ablation.report_sweeps import DETECTRON2, drawn_sweep

THREE = grid_of((Greedy(0.5),), (0.3, 0.5, 0.7), ((4096.0, 0.0),))


@pytest.fixture
def sweeps(tmp_path):
    """The best of the first costs the second 40, that of the second costs the first 20; the middle suits both."""
    pqs = {"first": (0.8, 0.7, 0.6), "second": (0.5, 0.8, 0.9)}
    return [
        ReportedSweep.of(name, drawn_sweep(tmp_path / name, THREE, [(pq, pq) for pq in values]), DETECTRON2)
        for name, values in pqs.items()
    ]


@pytest.fixture
def compared(sweeps):
    for_all = setting_for_all(sweeps)
    return Compared(sweeps, [sweep.resampled([0, 1, 2]) for sweep in sweeps], for_all)


def test_which_setting_costs_what(compared):
    assert [sweep.best for sweep in compared.sweeps] == [0, 2]
    assert compared.for_all == 1
    assert largest_loss(compared) == pytest.approx(40)


def test_the_tables(compared):
    best, quality, loss, correlation = (block for block in comparison(compared, 2) if isinstance(block, Table))
    assert [row.cells[:2] for row in best.rows] == [("first", "0.3"), ("second", "0.7"), ("one for all", "0.5")]
    assert [row.cells for row in quality.rows] == [
        ("best of first", "80.00", "50.00"),
        ("best of second", "60.00", "90.00"),
        ("one for all", "70.00", "80.00"),
        ("default", "70.00", "80.00"),
    ]
    assert [row.cells for row in loss.rows] == [
        ("best of first", "0", "−40.00 [−40.00, −40.00]"),
        ("best of second", "−20.00 [−20.00, −20.00]", "0"),
        ("one for all", "−10.00 [−10.00, −10.00]", "−10.00 [−10.00, −10.00]"),
        ("default", "−10.00 [−10.00, −10.00]", "−10.00 [−10.00, −10.00]"),
    ]
    assert [row.cells for row in correlation.rows] == [("first", "1.000", "−1.000"), ("second", "−1.000", "1.000")]


def test_the_summary(compared):
    assert summary(compared) == (
        "Best of 3 settings: first PQ 80.0 (default 70.0); second PQ 90.0 (default 80.0). The best setting of one "
        "sweep costs another at most 40.0 PQ against its own best; greedy, instances_score_thresh 0.5, "
        "overlap_threshold 0.5, stuff_area_thresh 4096 costs none of them more than 10.0."
    )


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ([1, 2, 3, 4], [10, 20, 30, 45], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        # By hand: squared differences of ranks 1 + 1 + 4 + 0 + 4 = 10, and 1 - 6 * 10 / (5 * 24).
        ([1, 2, 3, 4, 5], [2, 1, 5, 4, 3], 0.5),
        # Equal values share their rank: (1.5, 1.5, 3) against (1, 2, 3).
        ([7, 7, 9], [1, 2, 3], 1.5 / np.sqrt(1.5 * 2)),
        ([1, 2, np.nan, 3], [1, 2, 9, 3], 1),
    ],
)
def test_rank_correlation(first, second, expected):
    assert rank_correlation(np.array(first, float), np.array(second, float)) == pytest.approx(expected)


def test_of_one_value_there_is_no_rank_correlation():
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))


@pytest.mark.parametrize(
    "change, name",
    [
        ({"claims": (PerPixel(),)}, "claim, overlap_threshold"),
        ({"scores": (0.3, 0.5, 0.71)}, "instances_score_thresh"),
        ({"limits": ((0.0, 0.0),)}, "stuff_area_thresh"),
    ],
)
def test_other_grids_are_refused(tmp_path, sweeps, change, name):
    grid = grid_of(**{"claims": claims_of(THREE), "scores": scores_of(THREE), "limits": limits_of(THREE), **change})
    other = ReportedSweep.of("other", drawn_sweep(tmp_path / "other", grid, [(0.1, 0.1)] * 3), DETECTRON2)
    check_same_grid(sweeps)
    with pytest.raises(InputError, match=f"first.*other are sweeps of different grids .their {name} differ"):
        check_same_grid([*sweeps, other])
