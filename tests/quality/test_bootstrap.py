"""Draws of units with replacement: each replicate worked out with fractions, and differences of settings."""

from fractions import Fraction

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, CountTables, Interval, bootstrap, resample
from tests.quality.drawings import CAT, CATEGORIES, COW, DOG, GRASS, ROAD, SKY, counts

GROUPS = {"all": tuple(CATEGORIES), "things": (CAT, DOG, COW), "stuff": (SKY, GRASS, ROAD)}


def random_units(number=12, settings=3, seed=5):
    """Counts of each unit and setting; cows are rare, roads are nowhere, and the ground truth is one for all."""
    rng = np.random.default_rng(seed)
    units = []
    for _ in range(number):
        segments = {CAT: 4, SKY: 1, GRASS: int(rng.integers(0, 2)), DOG: 2, COW: int(rng.random() < 0.2)}
        unit = [{} for _ in range(settings)]
        for of_setting in unit:
            for category_id, there in segments.items():
                tp = int(rng.integers(0, there + 1))
                fp = int(rng.integers(0, 3)) if there else 0
                of_setting[category_id] = counts(tp * rng.uniform(0.5, 1), tp, fp, there - tp)
        units.append(unit)
    return units


def pq_of(drawn, setting):
    """PQ of each category, and of the groups, of some units, with fractions; NaN where nothing occurs."""
    of_category = {}
    for category_id in CATEGORIES:
        total = sum((unit[setting].get(category_id, CategoryCounts()) for unit in drawn), CategoryCounts())
        double = 2 * total.tp + total.fp + total.fn
        of_category[category_id] = Fraction(2 * total.iou_sum, double * IOU_UNIT) if double else None
    of_group = {}
    for group, members in GROUPS.items():
        found = [of_category[member] for member in members if of_category[member] is not None]
        of_group[group] = float(sum(found) / len(found)) if found else np.nan
    return [np.nan if pq is None else float(pq) for pq in of_category.values()], of_group


@pytest.fixture
def units():
    return random_units()


@pytest.fixture
def tables(units):
    return CountTables.of_counts(units, CATEGORIES)


@pytest.mark.parametrize("scale", [1, 100])
def test_each_replicate_is_the_pq_of_the_drawn_units(units, tables, scale):
    found = resample(
        tables, CATEGORIES, settings=(40, 7, 9), by_category=(7, 40), scale=scale, replicates=60, seed=3
    )
    assert found.place_of == {40: 0, 7: 1, 9: 2} and found.by_category.keys() == {7, 40}
    drawn = np.random.default_rng(3).integers(12, size=(60, 12))
    for replicate, places in enumerate(drawn):
        for number, setting in found.place_of.items():
            of_category, of_group = pq_of([units[place] for place in places], setting)
            for group, expected in of_group.items():
                assert found.groups[group][replicate, setting] == pytest.approx(scale * expected, abs=scale * 1e-9)
            if number in found.by_category:
                got = found.by_category[number][replicate]
                np.testing.assert_allclose(got, np.multiply(of_category, scale), rtol=0, atol=scale * 1e-9)
    # Else the rules of what does not occur would not be met.
    cows = found.by_category[7][:, list(CATEGORIES).index(COW)]
    assert 0 < np.isnan(cows).sum() < 60


@pytest.mark.parametrize("at_once", [1, 7, 30, 1000])
def test_how_many_replicates_are_worked_out_at_once_does_not_matter(tables, monkeypatch, at_once):
    """Neither numbers nor draws: the generator hands out one stream, however it is cut."""
    expected = resample(tables, CATEGORIES, settings=(0, 1, 2), by_category=(2,), replicates=31, seed=9)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", at_once)
    found = resample(tables, CATEGORIES, settings=(0, 1, 2), by_category=(2,), replicates=31, seed=9)
    for group in GROUPS:
        assert found.groups[group].tobytes() == expected.groups[group].tobytes()
    assert found.by_category[2].tobytes() == expected.by_category[2].tobytes()


def test_equal_seeds_give_equal_results(tables):
    first, second, other = (
        resample(tables, CATEGORIES, settings=(0, 1, 2), replicates=30, seed=seed).groups["all"].tobytes()
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_a_setting_does_not_differ_from_itself_nor_from_its_like(units):
    twice = CountTables.of_counts([[unit[0], unit[0]] for unit in units], CATEGORIES)
    found = resample(twice, CATEGORIES, settings=(2, 8), by_category=(2, 8), replicates=50)
    assert found.difference(8, 2) == found.difference(2, 2) == Interval(0, 0)
    for place, category_id in enumerate(CATEGORIES):
        difference = found.category_difference(8, 2, place)
        assert difference is None if category_id == ROAD else difference == Interval(0, 0)


def test_pairing_is_what_makes_intervals_short(units):
    """A setting with one cat more in each unit that is not there is worse for certain, however the units vary."""
    worse = [[unit[0], {**unit[0], CAT: unit[0][CAT] + CategoryCounts(fp=1)}] for unit in units]
    tables = CountTables.of_counts(worse, CATEGORIES)
    found = resample(tables, CATEGORIES, settings=(0, 1), by_category=(0, 1), replicates=400)
    low, high = found.difference(1, 0)
    assert low < high < 0
    assert found.difference(0, 1) == pytest.approx((-high, -low))
    assert found.difference(1, 0, "things").high < 0 and found.difference(1, 0, "stuff") == Interval(0, 0)
    assert found.category_difference(1, 0, CATEGORIES.place_of[CAT]).high < 0
    alone = bootstrap.percentile_interval(found.groups["all"][:, 0])
    assert high - low < (alone.high - alone.low) / 2


def test_the_difference_of_two_models_pairs_their_units(units):
    """Tables of one setting each give what one table of both gives, whatever else is in them."""
    both, first, second = (
        resample(CountTables.of_counts([[unit[k] for k in chosen] for unit in units], CATEGORIES), CATEGORIES,
                 settings=chosen, replicates=200)
        for chosen in ((0, 2), (0,), (1, 2))
    )  # fmt: skip
    for group in GROUPS:
        assert second.paired_difference(2, first, 0, group) == pytest.approx(both.difference(2, 0, group), abs=1e-12)
    assert first.paired_difference(0, first, 0) == Interval(0, 0)


def test_counts_as_large_as_they_get_do_not_overflow():
    """5,000 images with a hundred matches each of one category, in two units."""
    unit = [{CAT: CategoryCounts(250_000 * IOU_UNIT, 250_000)}]
    found = resample(CountTables.of_counts([unit, unit], CATEGORIES), CATEGORIES, scale=100, replicates=5)
    assert (found.groups["all"] == 100).all()


def test_great_sums_stay_exact():
    """Equal up to the last bit, in whatever order a matrix product adds."""
    units = [[{CAT: counts(1000 / 3, 400, 7, 5)}]] * 500
    found = resample(CountTables.of_counts(units, CATEGORIES), CATEGORIES, replicates=50)
    assert len(np.unique(found.groups["all"])) == 1


def test_of_no_units_there_is_no_replicate():
    found = resample(CountTables.of_counts([], CATEGORIES), CATEGORIES, by_category=(0,))
    assert found.groups["all"].shape == (0, 1) and found.by_category[0].shape == (0, len(CATEGORIES))
    assert found.difference(0, 0) is None


@pytest.mark.parametrize("replicates", [1, 0, 10.0, True])
def test_too_few_replicates(tables, replicates):
    with pytest.raises(InputError, match=f"replicates must be an integer of at least 2, got {replicates}"):
        resample(tables, CATEGORIES, settings=(0, 1, 2), replicates=replicates)


def test_tables_hold_sums_and_doubled_segments_and_no_unknown_categories():
    units = [[{CAT: CategoryCounts(5, 3, 2, 1), 77: CategoryCounts(1, 1)}], [{SKY: CategoryCounts(fn=4)}]]
    tables = CountTables.of_counts(units, CATEGORIES)
    assert tables.iou_sum[:, :2, 0].tolist() == [[5, 0], [0, 0]]
    assert tables.segments[:, :2, 0].tolist() == [[9, 0], [0, 4]]
    assert tables.iou_sum.sum() == 5 and tables.segments.sum() == 13


def test_an_interval_holds_the_middle_95_percent_unless_told_otherwise():
    interval = bootstrap.percentile_interval
    assert interval(np.arange(1001.0)) == Interval(25.0, 975.0)
    assert interval(np.arange(1001.0), 10) == Interval(100.0, 900.0)
    assert interval(np.array([np.nan, 2.0, np.nan])) == Interval(2.0, 2.0)
    assert interval(np.array([np.nan])) is None
