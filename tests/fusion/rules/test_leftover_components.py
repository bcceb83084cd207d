"""Leftover pixels that hang together become instances, drawn."""

import dataclasses

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import with_colored_ids
from panoptic_heuristic.formats.label_divisor import encode_label_divisor
from panoptic_heuristic.fusion import Components, HeadOutputs, Need, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, DOG, SKY, assert_map, draw, mask, reasons, row
from tests.fusion.logit_drawings import CATEGORIES, LABELS, THING_LABELS, fused
from tests.fusion.results import assert_same


def made(result) -> list:
    """Category and area of the segments that no instance is behind."""
    return [(s["category_id"], s["area"]) for s in result.segments_info if s["isthing"] and s["instance_id"] is None]


def test_leftover_pixels_of_one_category_that_touch_become_an_instance():
    labels = draw(
        """
        3322211
        3322211
        2233222
        3332211
        """
    )
    masks = [
        mask(
            """
            .....##
            .......
            .......
            .......
            """
        )
    ]
    result = fused(SemanticMap(labels, THING_LABELS), masks, [0.9], leftover=Components(2), category_ids=[DOG])
    # Dog has the first label; of the cats at a corner one touches the other.
    assert_map(
        result,
        """
        5522211
        5522233
        2255222
        5552244
        """,
    )
    assert result.segments_info[2:] == [
        {"id": 3, "isthing": True, "category_id": DOG, "area": 2, "instance_id": None},
        {"id": 4, "isthing": True, "category_id": DOG, "area": 2, "instance_id": None},
        {"id": 5, "isthing": True, "category_id": CAT, "area": 9, "instance_id": None},
    ]
    assert reasons(result) == {}


@pytest.mark.parametrize("area, kept", [(3, True), (4, True), (5, False), (4.5, False)], ids=str)
def test_at_the_area_it_is_enough_and_a_pixel_less_is_not(area, kept):
    result = fused(SemanticMap(draw("23333"), THING_LABELS), leftover=Components(area))
    assert_map(result, "12222" if kept else "1....")


@pytest.mark.parametrize("area", [0, 1])
def test_a_single_pixel_may_be_one(area):
    assert_map(fused(SemanticMap(draw("3.31"), THING_LABELS), leftover=Components(area)), "2.31")


def test_sides_and_corners_touch_and_nothing_else():
    labels = draw(
        """
        3.....3
        .3...3.
        ..3.3..
        3......
        ..3.3..
        """
    )
    result = fused(SemanticMap(labels, THING_LABELS), leftover=Components(1))
    assert_map(
        result,
        """
        1.....2
        .1...2.
        ..1.2..
        3......
        ..4.5..
        """,
    )


def test_they_come_by_their_first_pixel_row_by_row():
    # A long arm makes the component on the right the first one, though most of it is below.
    labels = draw(
        """
        ....3..
        .3..3.3
        .3.33..
        33.33.3
        """
    )
    result = fused(SemanticMap(labels, THING_LABELS), leftover=Components(1))
    assert_map(
        result,
        """
        ....1..
        .2..1.3
        .2.11..
        22.11.4
        """,
    )


def test_categories_come_by_their_first_label():
    meaning = {1: CAT, 2: SKY, 3: DOG, 4: CAT}
    result = fused(SemanticMap(draw("4323"), meaning), leftover=Components(1))
    # The label of a cat that occurs is the fourth one.
    assert made(result) == [(DOG, 1), (DOG, 1), (CAT, 1)]


def test_labels_of_one_category_hang_together():
    meaning = {1: CAT, 2: DOG, 3: CAT}
    assert_map(fused(SemanticMap(draw("1332"), meaning), leftover=Components(3)), "111.")


def test_labels_of_no_category_stay_void():
    assert_map(fused(SemanticMap(draw("...2"), THING_LABELS), leftover=Components(0)), "...1")


def test_void_of_stuff_stays_void():
    result = fused(SemanticMap(draw("22233"), THING_LABELS), leftover=Components(0), stuff_area_thresh=4)
    assert_map(result, "...11")


def test_an_instance_may_cut_one_in_two():
    result = fused(SemanticMap(draw("33333"), THING_LABELS), [row((2, 3), width=5)], [0.9], leftover=Components(2))
    assert_map(result, "22133")


def test_pixels_of_a_dropped_instance_are_left_over():
    result = fused(SemanticMap(draw("3333"), THING_LABELS), [row((0, 4), width=4)], [0.1], leftover=Components(2))
    assert_map(result, "1111")
    assert (made(result), reasons(result)) == ([(CAT, 4)], {0: "score"})


def test_the_default_is_the_border_of_small_objects():
    for width, count in ((31, 0), (32, 1)):
        labels = np.full((32, width), 3)
        assert len(fused(SemanticMap(labels, THING_LABELS), leftover=Components()).segments_info) == count


class TestNothingToDo:
    def test_no_leftover_pixel(self):
        assert_map(fused(SemanticMap(draw("22"), THING_LABELS), leftover=Components(0)), "11")

    def test_all_of_them_taken(self):
        assert_map(
            fused(SemanticMap(draw("33"), THING_LABELS), [row((0, 2), width=2)], [0.9], leftover=Components(0)), "11"
        )


def test_it_needs_labels_of_things():
    assert needs_of(Components()) == {Need.THING_LABELS}
    with pytest.raises(InputError, match="components needs semantic labels of single things, but no label means a thi"):
        fused(SemanticMap(draw("1."), LABELS), leftover=Components())
    # It is enough that one could occur.
    assert_map(fused(SemanticMap(draw("2"), THING_LABELS), leftover=Components()), "1")


class TestWhatIsDoneWithThem:
    @pytest.fixture
    def parts(self):
        semantics = SemanticMap(draw("332133"), THING_LABELS)
        result = fused(semantics, [row((4, 5), width=6)], [0.9], leftover=Components(1))
        assert_map(result, "442315")
        return semantics, result

    def test_a_panoptic_png_can_number_them(self, parts):
        ids, segments = with_colored_ids(parts[1].panoptic_seg, parts[1].segments_info, CATEGORIES)
        assert len(np.unique(ids)) == len(segments) == 5 and 0 not in ids

    def test_a_label_divisor_can_number_them(self, parts):
        codes = encode_label_divisor(parts[1].panoptic_seg, parts[1].segments_info, 1000)
        assert codes.tolist() == [[CAT * 1000 + 2] * 2 + [SKY * 1000, DOG * 1000 + 1, CAT * 1000 + 1, CAT * 1000 + 3]]

    def test_one_that_disappears_later_is_a_thing_that_was_dropped(self, parts):
        semantics, result = parts
        without = torch.from_numpy(result.panoptic_seg * (result.panoptic_seg != 4))
        after = result.with_map(without, "border")
        (dropped,) = after.dropped
        assert (dropped.isthing, dropped.category_id, dropped.reason) == (True, CAT, "border")
        assert (dropped.score, dropped.instance_id) == (None, None)
        assert made(after) == [(DOG, 1), (CAT, 1)]


@pytest.mark.parametrize("area", [0, 5, 60])
@pytest.mark.parametrize("seed", range(4))
class TestLaws:
    @pytest.fixture
    def run(self, seed):
        scene = make_scene(seed, image_size=(48, 65), instances=20, things=3, stuff=6)
        # Three more labels, for patches of things where the head said things.
        patches = np.kron(np.random.default_rng(seed).integers(3, size=(12, 13)), np.ones((4, 5), dtype=int))
        labels = np.where(scene.semantic_labels == 0, 7 + patches, scene.semantic_labels)
        things = [category.id for category in scene.categories.things]
        semantics = SemanticMap(labels, [*scene.label_to_category, *things])

        def run(**leftover):
            pipeline = Pipeline(instances_score_thresh=0.9, stuff_area_thresh=100, **leftover)
            return fuse(scene.instances(), semantics, scene.categories, pipeline)

        return scene, semantics, run

    def test_as_in_a_plain_version(self, run, area):
        scene, semantics, run = run
        without, result = run(), run(leftover=Components(area))
        expected, labels = without.panoptic_seg.copy(), semantics.labels.numpy()
        void, segments = expected == 0, list(without.segments_info)
        for label in (7, 8, 9):
            seen = np.zeros_like(void)
            for start in zip(*np.nonzero(void & (labels == label)), strict=True):
                if seen[start]:
                    continue
                seen[start], component = True, [start]
                for y, x in component:
                    for there in ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
                        inside = 0 <= there[0] < 48 and 0 <= there[1] < 65
                        if inside and not seen[there] and void[there] and labels[there] == label:
                            seen[there] = True
                            component.append(there)
                if len(component) >= area:
                    category_id = semantics.label_to_category[label]
                    who = {"isthing": True, "category_id": category_id, "area": len(component), "instance_id": None}
                    segments.append({"id": len(segments) + 1, **who})
                    expected[tuple(zip(*component, strict=True))] = len(segments)
        np.testing.assert_array_equal(result.panoptic_seg, expected)
        assert result.segments_info == segments
        assert result.dropped == without.dropped

    def test_the_result_before_it_is_not_changed(self, run, area):
        scene, semantics, run = run
        plain, heads = run(), HeadOutputs(scene.instances(), semantics, scene.categories)
        # Rules get and give tensors.
        given = dataclasses.replace(plain, panoptic_seg=torch.from_numpy(plain.panoptic_seg))
        assert_same(Components(area).fill(heads, given), run(leftover=Components(area)))
        assert_same(plain, run())
