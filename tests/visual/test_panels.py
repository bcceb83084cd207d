"""The pictures of one image, and the sheets they are put on."""

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import match_image
from panoptic_heuristic.visual.panels import SegmentMap, class_legend, difference_legend, draw_panels
from panoptic_heuristic.visual.shades import shade
from panoptic_heuristic.visual.sheet import Row, make_sheet, save_picture, swatch

SKY, CAT = 0, 7
CATEGORIES = Categories(
    [
        Category(SKY, "sky", False, (10, 20, 200)),
        Category(CAT, "cat", True, (200, 30, 40)),
        Category(9, "dog", True, (1, 2, 3)),
    ]
)


def segment_map(drawing, **category_of):
    ids = np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in drawing.split()])
    return SegmentMap(ids, [{"id": int(i[1:]), "category_id": c} for i, c in category_of.items()])


TRUTH = segment_map("1111 2233 2233", _1=SKY, _2=CAT, _3=CAT)
# The cats in another order, and one pixel void.
PREDICTION = segment_map("111. 5544 5544", _1=SKY, _4=CAT, _5=CAT)


def panels(side=40, **more):
    matching = match_image(
        TRUTH.ids, TRUTH.segments_info, PREDICTION.ids, PREDICTION.segments_info, CATEGORIES
    )
    return draw_panels(TRUTH, CATEGORIES, side=side, prediction=PREDICTION, matching=matching, **more)


class TestPanels:
    def test_all_four_are_of_one_size(self):
        pictures, titles = panels(photo=np.zeros((3, 4, 3), np.uint8))
        assert titles == ("image", "ground truth", "prediction", "difference")
        assert {(picture.shape, picture.dtype) for picture in pictures} == {((30, 40, 3), np.dtype(np.uint8))}

    def test_without_photo_or_prediction(self):
        assert panels()[1] == ("ground truth", "prediction", "difference")
        assert draw_panels(TRUTH, CATEGORIES, side=40)[1] == ("ground truth",)

    def test_instances_differ_in_shade_and_matches_have_the_same(self):
        pictures, _ = panels()
        gt, prediction = pictures[:2]
        first, second = (200, 30, 40), shade((200, 30, 40), 1)
        # The names stand across the middles.
        assert [tuple(gt[29, x].tolist()) for x in (8, 38)] == [first, second]
        assert [tuple(prediction[29, x].tolist()) for x in (8, 38)] == [first, second]
        assert gt[2, 2].tolist() == [10, 20, 200] and prediction[5, 38].tolist() == [0, 0, 0]

    def test_there_is_a_border_between_segments(self):
        (gt,), _ = draw_panels(TRUTH, CATEGORIES, side=40)
        assert (gt[20, 20] == 255).all() and (gt[10, 38] == 255).all()

    @pytest.mark.parametrize("shape, side, size", [
        ((3, 4), 41, (30, 40)), ((300, 400), 40, (30, 40)), ((1000, 1), 40, (40, 1)), ((40, 30), 40, (40, 30)),
    ])  # fmt: skip
    def test_sizes(self, shape, side, size):
        ids = np.arange(shape[0] * shape[1]).reshape(shape)
        scaled = SegmentMap(ids, ()).scaled(side).ids
        assert scaled.shape == size
        assert set(scaled.ravel().tolist()) <= set(ids.ravel().tolist())

    def test_enlarging_repeats_pixels(self):
        np.testing.assert_array_equal(TRUTH.scaled(8).ids, TRUTH.ids.repeat(2, axis=0).repeat(2, axis=1))

    def test_shrinking_keeps_what_is_large(self):
        halves = np.repeat([1, 2], 50)[None].repeat(100, axis=0)
        halves[:3], halves[:, :3] = 9, 9
        np.testing.assert_array_equal(SegmentMap(halves, ()).scaled(2).ids, [[1, 2], [1, 2]])


def test_legends():
    assert [one.text for one in class_legend([TRUTH], CATEGORIES)] == ["sky", "cat"]
    assert [one.text for one in class_legend([TRUTH, PREDICTION], CATEGORIES)] == ["sky", "cat", "void"]
    texts = [one.text for one in difference_legend()]
    assert texts[:4] == ["matched", "missed", "false", "missed and false"] and len(texts) == 6


class TestSheet:
    PICTURE = np.full((60, 300, 3), (1, 130, 2), np.uint8)

    def test_pictures_and_legend_are_on_it(self):
        sheet = make_sheet([Row("a", (self.PICTURE,) * 2)], ["x", "y"], [[swatch((250, 3, 90), "cat")]])
        colors = sheet.reshape(-1, 3).tolist()
        assert colors.count([1, 130, 2]) == 2 * 60 * 300 and colors.count([250, 3, 90]) > 400

    def test_rows_of_several_sizes(self):
        rows = [Row("a", (self.PICTURE,)), Row("b", (self.PICTURE[:20, :100],))]
        sheet = make_sheet(rows, ["x"], [])
        assert sheet.shape[1] == 320
        assert sheet.reshape(-1, 3).tolist().count([1, 130, 2]) == 60 * 300 + 20 * 100

    def test_a_long_legend_goes_on_below(self):
        def height(number):
            legend = [swatch((0, 0, 0), "sky")] * number
            return make_sheet([Row("a", (self.PICTURE,))], ["x"], [legend]).shape[0]

        assert height(1) == height(3) < height(4)

    def test_it_is_saved_whole_and_the_same_each_time(self, tmp_path):
        for name in ("a.png", "b.png"):
            save_picture(tmp_path / "new" / name, self.PICTURE)
        assert (tmp_path / "new" / "a.png").read_bytes() == (tmp_path / "new" / "b.png").read_bytes()
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png")), self.PICTURE)
