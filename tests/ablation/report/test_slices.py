import numpy as np
import pytest

from panoptic_heuristic.ablation.report.slices import FRACTION, OVERLAP, PIXELS, SCORE, families_of
from panoptic_heuristic.fusion import Greedy, PerPixel
from panoptic_heuristic.fusion.stages import rule_name
from tests.ablation.grids import grid_of

# No axis is in order, rules and kinds of limits are mixed.
MIXED = grid_of(
    (Greedy(0.7), PerPixel(), Greedy(0.3)),
    (0.9, 0.1),
    ((64.0, 0.0), (0.0, 0.5), (0.0, 0.0), (0.0, 0.25)),
)


def test_a_family_holds_the_settings_of_one_rule_and_kind_of_limit():
    families = families_of(MIXED)
    assert [(family.rule, family.axes[2].name) for family in families] == [
        ("greedy", PIXELS), ("greedy", FRACTION), ("per_pixel", PIXELS), ("per_pixel", FRACTION),
    ]  # fmt: skip
    # No limit at all is of both kinds.
    assert [family.axes[2].values for family in families] == [(0, 64), (0, 0.25, 0.5), (0, 64), (0, 0.25, 0.5)]
    assert [family.axes[1].values for family in families] == [(0.3, 0.7), (0.3, 0.7), (None,), (None,)]
    assert [family.drawn for family in families] == [(0, 1, 2), (0, 1, 2), (0, 2), (0, 2)]


def test_every_number_is_that_of_its_values():
    settings = MIXED.settings
    for family in families_of(MIXED):
        for place in np.ndindex(family.numbers.shape):
            setting = settings[family.numbers[place]]
            values = {axis.name: axis.values[k] for axis, k in zip(family.axes, place, strict=True)}
            assert rule_name("claim", setting.claim) == family.rule
            assert setting.instances_score_thresh == values[SCORE]
            assert setting.value("claim.overlap_threshold") == values[OVERLAP]
            assert (setting.stuff_area_thresh, setting.stuff_area_fraction) == (
                values.get(PIXELS, 0), values.get(FRACTION, 0)
            )  # fmt: skip
            assert family.place_of(family.numbers[place]) == place


def test_lines_and_planes_pass_through_their_setting():
    family = families_of(MIXED)[0]
    through = int(family.numbers[1, 0, 1])
    assert family.line(0, through).tolist() == family.numbers[:, 0, 1].tolist()
    assert family.line(2, through).tolist() == family.numbers[1, 0, :].tolist()
    # Rows are the second threshold.
    assert family.plane(0, 2, through).tolist() == family.numbers[:, 0, :].T.tolist()
    assert family.plane(1, 2, through).shape == (2, 2)
    assert through in family.plane(0, 1, through)


@pytest.mark.parametrize(
    "limits, kinds",
    [
        ([(0, 0)], [PIXELS]),
        ([(0, 0), (0, 0.1)], [FRACTION]),
        ([(0, 0), (9, 0)], [PIXELS]),
        ([(9, 0), (0, 0.1)], [PIXELS, FRACTION]),
        ([(9, 0.1), (9, 0)], [PIXELS]),
        ([(9, 0.1)], []),
    ],
)
def test_kinds_of_limits(limits, kinds):
    grid = grid_of((Greedy(0.5),), (0.5,), limits)
    assert [family.axes[2].name for family in families_of(grid)] == kinds


def test_the_best_of_equal_settings_is_the_first_in_the_grid():
    family = families_of(MIXED)[0]
    pq = np.zeros(len(MIXED))
    assert family.best(pq) == family.numbers.min()
    pq[family.numbers[1, 1, 1]] = 5
    # Higher, but of another family.
    pq[families_of(MIXED)[2].numbers] = 9
    assert family.best(pq) == family.numbers[1, 1, 1]
    pq[:] = np.nan
    assert family.best(pq) == family.numbers.min()
