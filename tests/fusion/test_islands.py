"""Islands of the label map, drawn, against a slow oracle, and where they enter the fusion."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    BestStuff,
    InstanceSet,
    Pipeline,
    Power,
    SemanticGate,
    SemanticMap,
    explain,
    fuse,
)
from panoptic_heuristic.fusion.islands import without_islands
from tests.fusion.drawings import (
    CAT,
    CATEGORIES,
    GRASS,
    LABELS,
    SKY,
    assert_map,
    draw,
    fused,
    mask,
    reasons,
    stuff_in,
)
from tests.fusion.logit_drawings import channels


def cleaned(picture: str, pixels: float) -> np.ndarray:
    """The drawing without parts of fewer pixels."""
    labels = draw(picture)
    before = labels.copy()
    found = without_islands(labels, pixels / labels.size)
    np.testing.assert_array_equal(labels, before)
    assert found.dtype == labels.dtype
    return found


def assert_cleaned(picture: str, pixels: float, expected: str) -> None:
    np.testing.assert_array_equal(cleaned(picture, pixels), draw(expected))


class TestDrawings:
    def test_an_island_is_taken_over_below_the_limit_and_stays_at_it(self):
        picture = """
            1111
            1221
            1111
            """
        assert_cleaned(picture, 2, picture)
        assert_cleaned(picture, 2.5, "1111 1111 1111")

    def test_a_label_for_things_is_a_label_like_others(self):
        assert_cleaned("11111 11.11 11111", 2, "11111 11111 11111")
        assert_cleaned("..... ..1.. .....", 2, "..... ..... .....")

    def test_each_part_of_a_label_is_measured_alone(self):
        assert_cleaned("222221 111111 111112", 2, "222221 111111 111111")

    def test_parts_that_touch_at_a_corner_are_not_connected(self):
        assert_cleaned("12111 21111 11111", 2, "11111 11111 11111")
        assert_cleaned("22111 21111 11111", 2, "22111 21111 11111")

    def test_a_part_may_wind(self):
        # The 2s are one part of eleven pixels, whose arms meet in the last row only.
        picture = """
            2121
            2121
            2121
            2222
            """
        assert_cleaned(picture, 3.5, "2222 2222 2222 2222")
        assert_cleaned(picture, 10, "2222 2222 2222 2222")
        assert_cleaned(picture, 3, picture)

    def test_the_nearest_pixel_is_that_of_fewest_steps(self):
        assert_cleaned("1111...2222", 4, "11111122222")
        # Two steps along the row against three.
        assert_cleaned("11111....222222", 5, "111111122222222")

    def test_of_equally_near_pixels_above_comes_before_left_right_and_below(self):
        labels = np.array([[1, 1, 1], [2, 0, 3], [2, 4, 3], [2, 4, 3]])
        assert without_islands(labels, 1.5 / labels.size)[1, 1] == 1
        assert without_islands(labels[1:], 1.5 / labels[1:].size)[0, 1] == 2
        assert without_islands(labels[1:, 1:], 1.5 / 6)[0, 0] == 3
        assert without_islands(labels[1:, 1:2], 0.5)[0, 0] == 4

    def test_rings_close_from_the_outside(self):
        # The middle has no label around it at first; those above it in the ring came from above.
        assert_cleaned(
            """
            1111111
            1111111
            11...22
            11...22
            11...22
            3333322
            3333322
            """,
            9.5,
            """
            1111111
            1111111
            1111122
            1111222
            1113222
            3333322
            3333322
            """,
        )

    def test_an_island_in_an_island_and_islands_side_by_side(self):
        assert_cleaned("11111111 13333111 13233441 13333111 11111111", 13, "11111111 " * 5)

    def test_where_all_parts_are_small_nothing_changes(self):
        picture = "12 21"
        labels = draw(picture)
        assert without_islands(labels, 1.0) is labels
        assert without_islands(draw("1"), 1.0).tolist() == [[1]]

    def test_one_part_alone_stays(self):
        labels = draw("111 111")
        assert without_islands(labels, 1.0) is labels

    @pytest.mark.parametrize("fraction", [0.0, 1 / 12])
    def test_nothing_is_below_one_pixel(self, fraction):
        labels = draw("1111 1211 1111")
        assert without_islands(labels, fraction) is labels

    def test_lines_of_pixels(self):
        assert without_islands(np.array([[1, 1, 2, 3, 3]]), 0.3).tolist() == [[1, 1, 1, 3, 3]]
        assert without_islands(np.array([[1], [1], [2], [3], [3]]), 0.3).ravel().tolist() == [1, 1, 1, 3, 3]


def flooded(labels: np.ndarray) -> np.ndarray:
    """(H, W) the area of the part that each pixel is in, by flooding."""
    areas = np.zeros(labels.shape, dtype=int)
    for start in np.ndindex(labels.shape):
        if areas[start]:
            continue
        part, waiting = {start}, [start]
        while waiting:
            y, x = waiting.pop()
            for near in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)):
                inside = 0 <= near[0] < labels.shape[0] and 0 <= near[1] < labels.shape[1]
                if inside and near not in part and labels[near] == labels[start]:
                    part.add(near)
                    waiting.append(near)
        for pixel in part:
            areas[pixel] = len(part)
    return areas


def slowly(labels: np.ndarray, fraction: float) -> np.ndarray:
    """What the rule says, pixel by pixel."""
    known = {pixel: labels[pixel] for pixel in np.ndindex(labels.shape)}
    for pixel in zip(*np.nonzero(flooded(labels) < fraction * labels.size), strict=True):
        del known[pixel]
    if not known:
        return labels
    while len(known) < labels.size:
        ring = {}
        for y, x in np.ndindex(labels.shape):
            near = [(y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)]
            if (y, x) not in known and any(one in known for one in near):
                ring[y, x] = next(known[one] for one in near if one in known)
        known.update(ring)
    return np.array([known[pixel] for pixel in np.ndindex(labels.shape)]).reshape(labels.shape)


def random_labels(seed: int) -> np.ndarray:
    """Patches with noise on them."""
    rng = np.random.default_rng([seed, 31])
    height, width = rng.integers(1, 24, size=2)
    labels = np.full((height, width), rng.integers(4))
    for _ in range(rng.integers(9)):
        y, x = rng.integers(height), rng.integers(width)
        labels[y : y + rng.integers(1, 12), x : x + rng.integers(1, 12)] = rng.choice([0, 1, 2, 300, 65535])
    noisy = rng.random(labels.shape) < rng.choice([0, 0.05, 0.3, 1])
    labels[noisy] = rng.integers(0, 3, size=noisy.sum())
    return labels


@pytest.mark.parametrize("seed", range(120))
def test_it_is_what_the_rule_says_pixel_by_pixel(seed):
    labels = random_labels(seed)
    areas, rng = flooded(labels), np.random.default_rng(seed)
    for fraction in (0.0, 0.1, 1.0, float(rng.choice(areas.ravel())) / labels.size, rng.random() / 4):
        found = without_islands(labels, fraction)
        np.testing.assert_array_equal(found, slowly(labels, fraction))
        stays = areas >= fraction * labels.size
        if not stays.any():
            continue
        np.testing.assert_array_equal(found[stays], labels[stays])
        # Each label is one of a nearest pixel that stays.
        where = np.argwhere(stays)
        for pixel in np.argwhere(~stays):
            steps = np.abs(where - pixel).sum(axis=1)
            assert found[tuple(pixel)] in labels[stays][steps == steps.min()]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_maps_keep_their_type_and_everything_but_labels(dtype):
    labels = torch.tensor([[1, 1, 1], [1, 2, 1], [1, 1, 1]], dtype=dtype)
    before = labels.clone()
    semantics = SemanticMap(labels, LABELS, torch.randn(3, 3, 3), (labels, labels > 0), 0.25)
    found = semantics.without_islands(0.2)
    assert torch.equal(semantics.labels, before) and found.labels.dtype == dtype
    assert found.areas == {1: 9} and torch.equal(found.logits, semantics.logits)
    assert torch.equal(found.best_stuff[0], before) and found.best_stuff_floor == 0.25
    assert semantics.without_islands(0.1) is semantics


def test_labels_that_no_byte_holds():
    labels = np.full((3, 3), 40000)
    labels[1, 1] = 256
    assert SemanticMap(labels, {256: None, 40000: SKY}).without_islands(0.2).areas == {40000: 9}


# --- in the fusion ---

SCENE = draw(
    """
    11111111
    11211.11
    22222222
    22212222
    """
)


class TestFusing:
    def test_none_by_default(self):
        result = fused([], [], SCENE)
        assert_map(result, "11111111 11211.11 22222222 22212222")
        assert result.relabelled == {}

    def test_stuff_and_leftover_pixels_of_things(self):
        result = fused([], [], SCENE, island_area_fraction=1.5 / 32)
        # The 2 in the sky hangs on the grass below.
        assert_map(result, "11111111 11211111 22222222 22222222")
        assert result.relabelled == {None: 1, SKY: 1}

    def test_limits_of_stuff_see_the_cleaned_labels(self):
        labels = draw("111111 211112 111111")
        assert_map(fused([], [], labels, stuff_area=17), "...... ...... ......")
        result = fused([], [], labels, stuff_area=17, island_area_fraction=0.1)
        assert_map(result, "111111 111111 111111")
        assert reasons(result) == {("stuff", GRASS): "island"} and result.relabelled == {GRASS: 2}

    def test_stuff_that_things_cover_is_no_island(self):
        labels = draw("1111 1122 1122")
        result = fused([labels == 2], [0.9], labels, island_area_fraction=0.1)
        assert stuff_in(result) == [SKY] and reasons(result) == {("stuff", GRASS): "covered"}

    def test_what_orders_instances_is_measured_on_the_heads_labels(self):
        # The head agrees with the first mask alone, by labels that are an island.
        labels = draw("111111 1..111 111111 111111")
        masks = [labels == 0, mask("...... .##... .##... ......")]
        for order, first in ((Power(), 1), (Power(0, 0, 1), 0)):
            result = fused(
                masks, [0.6, 0.9], labels, order=order, island_area_fraction=3 / 24, category_ids=[CAT, CAT]
            )
            assert result.segments_info[0]["instance_id"] == first

    def test_what_suppresses_sees_the_cleaned_labels(self):
        labels = draw("111111 1..111 111111 111111")
        gate = SemanticGate(0.5)
        assert reasons(fused([labels == 0], [0.9], labels, suppress=gate)) == {}
        cleaned = fused([labels == 0], [0.9], labels, suppress=gate, island_area_fraction=3 / 24)
        assert reasons(cleaned) == {0: "gate"}

    def test_rules_that_read_logits_see_those_of_the_head(self):
        # A part of things too small to stay, whose logits say grass; without cleaning it is left over.
        labels = draw("1111 1..1 1111")
        logits = channels("5555 5995 5555", "9999 9119 9999", "1111 1881 1111")
        instances = InstanceSet.from_bitmaps(np.zeros((0, 3, 4), bool), [], [])
        leftover = Pipeline(stuff_area_thresh=0, leftover=BestStuff(0.0))
        semantics = SemanticMap(labels, LABELS, logits)
        result = fuse(instances, semantics, CATEGORIES, leftover.replaced({"island_area_fraction": 0.2}))
        assert_map(result, "1111 1111 1111")

    def test_without_labels_there_are_no_islands(self):
        result = fused([mask("##..")], [0.9], None, island_area_fraction=0.9)
        assert_map(result, "11..")

    def test_no_input_is_changed(self):
        labels = SCENE.copy()
        fused([SCENE == 1], [0.9], labels, island_area_fraction=0.2)
        np.testing.assert_array_equal(labels, SCENE)

    @pytest.mark.parametrize("value", [-0.1, 1.1, "much", float("nan"), True])
    def test_a_wrong_fraction_is_told(self, value):
        with pytest.raises(InputError, match=r"island_area_fraction must be a finite number in \[0, 1\]"):
            Pipeline(island_area_fraction=value)


def test_explained():
    labels = draw("111111 211112 111111 222222")
    instances = InstanceSet.from_bitmaps(np.zeros((0, 4, 6), bool), [], [])
    semantics = SemanticMap(labels, LABELS)
    result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=0, island_area_fraction=0.1))
    sky, grass = explain(result, instances, semantics)
    assert (sky.area_before, sky.area_relabelled, sky.area_kept, sky.area_gained) == (16, 0, 16, 2)
    assert (grass.area_before, grass.area_relabelled, grass.area_kept, grass.area_gained) == (8, 2, 6, 0)
    assert grass.lost_to[0][1:] == (SKY, None, 2)
