"""PQ, SQ and RQ worked out by hand."""

import pytest

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, Quality, category_quality, summarize

CAT, SKY, DOG, GRASS = 7, 0, 3, 12
CATEGORIES = Categories(
    Category(category_id, str(category_id), isthing, (1, 1, 1))
    for category_id, isthing in ((CAT, True), (SKY, False), (DOG, True), (GRASS, False))
)


def counts(iou_sum, tp, fp, fn):
    return CategoryCounts(round(iou_sum * IOU_UNIT), tp, fp, fn)


def near(pq, sq, rq, categories):
    return Quality(pytest.approx(pq, abs=1e-9), pytest.approx(sq, abs=1e-9), pytest.approx(rq, abs=1e-9), categories)


class TestCategory:
    def test_by_hand(self):
        # 1.5 over 2 matches; 2 + 1/2 + 3/2 = 4 segments.
        assert category_quality(counts(1.5, 2, 1, 3)) == near(0.375, 0.75, 0.5, 1)

    def test_pq_is_sq_times_rq(self):
        quality = category_quality(counts(4.2, 6, 3, 2))
        assert quality.pq == pytest.approx(quality.sq * quality.rq)

    def test_all_right(self):
        assert category_quality(counts(3, 3, 0, 0)) == near(1, 1, 1, 1)

    @pytest.mark.parametrize("fp, fn", [(1, 0), (0, 1), (2, 5)])
    def test_without_a_match_all_are_zero(self, fp, fn):
        assert category_quality(CategoryCounts(0, 0, fp, fn)) == Quality(0, 0, 0, 1)

    def test_one_that_does_not_occur_has_none(self):
        assert category_quality(CategoryCounts()) is None


class TestSummary:
    def test_means_over_the_categories_that_occur(self):
        # Grass does not occur, and is in no mean.
        summary = summarize(
            {CAT: counts(1, 1, 0, 0), DOG: counts(0, 0, 1, 0), SKY: counts(0.75, 1, 1, 1), GRASS: counts(0, 0, 0, 0)},
            CATEGORIES,
        )
        assert summary.things == near(0.5, 0.5, 0.5, 2)
        assert summary.stuff == near(0.375, 0.75, 0.5, 1)
        # Over categories, not over the two groups.
        assert summary.all == near((1 + 0 + 0.375) / 3, (1 + 0 + 0.75) / 3, (1 + 0 + 0.5) / 3, 3)

    def test_the_mean_of_pq_is_not_the_product_of_the_means(self):
        summary = summarize({CAT: counts(0.6, 1, 2, 0), DOG: counts(1, 1, 0, 0)}, CATEGORIES)
        assert summary.all.pq == pytest.approx((0.3 + 1) / 2)
        assert summary.all.pq != pytest.approx(summary.all.sq * summary.all.rq)

    @pytest.mark.parametrize("present, things, stuff", [(CAT, 1, None), (SKY, None, 1)], ids=["things", "stuff"])
    def test_a_group_where_nothing_occurs_is_none(self, present, things, stuff):
        summary = summarize({present: counts(1, 1, 0, 0)}, CATEGORIES)
        assert summary.all == near(1, 1, 1, 1)
        assert (summary.things and summary.things.pq, summary.stuff and summary.stuff.pq) == (things, stuff)

    def test_nothing_at_all(self):
        summary = summarize({}, CATEGORIES)
        assert (summary.all, summary.things, summary.stuff) == (None, None, None)

    def test_a_category_without_counts_is_not_zero(self):
        assert summarize({CAT: counts(1, 1, 0, 0)}, CATEGORIES).all.pq == pytest.approx(1)

    def test_each_category_that_occurs_has_its_own(self):
        each = {SKY: counts(0.75, 1, 1, 1), CAT: counts(0, 0, 1, 0), GRASS: counts(0, 0, 0, 0)}
        found = summarize(each, CATEGORIES).by_category
        assert found == {CAT: category_quality(each[CAT]), SKY: category_quality(each[SKY])}
        # In the order of the data set's list, not of the counts.
        assert list(found) == [CAT, SKY]
