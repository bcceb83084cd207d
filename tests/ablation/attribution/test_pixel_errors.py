"""Band errors, disagreements of the heads, and stuff that things took: counted pixel by pixel in drawings."""

from collections import Counter

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution import disagreement as heads
from panoptic_heuristic.ablation.attribution.category_maps import category_maps, near_borders
from panoptic_heuristic.ablation.attribution.disagreement import CELLS, Disagreement, count_disagreement
from panoptic_heuristic.ablation.attribution.pixel_errors import KINDS, count_pixel_errors
from panoptic_heuristic.ablation.attribution.stuff_pixels import STUFF_PIXELS, count_stuff_pixels
from panoptic_heuristic.fusion import fuse
from tests.ablation.attribution_drawings import CAT, DOG, GRASS, SKY, draw, draw_image, pipeline_of
from tests.ablation.random_images import CATEGORIES, LABELS


def maps_of(gt, instances=(), labels=None, head=True):
    image = draw_image(gt, instances, labels)
    predictions = image.predictions
    semantics = predictions.to_semantics(LABELS) if head else None
    result = fuse(predictions.to_instances(), semantics, CATEGORIES, pipeline_of())
    return category_maps(image.gt_ids, image.gt_segments, result, semantics, CATEGORIES)


def band(drawing, ratio):
    picture = np.array([list(row) for row in drawing.split()])
    near = near_borders(picture == "c", picture == "s", ratio)
    return " ".join("".join("#" if one else "." for one in row) for row in near)


# --- the band ---


def test_the_band_is_near_both_a_thing_and_stuff():
    assert band("ccccssss", 0.01) == "...##..."
    assert band("ccccssss", 2 / 8) == "..####.."


def test_a_border_of_void_has_a_band_as_well():
    assert band("cccc.sss", 0.01) == "....#..."
    assert band("cccc..ss", 0.01) == "........"
    assert band("cccc..ss", 2 / 8) == "....##.."


def test_the_band_is_a_square_around_corners():
    assert band("sss. sss. ssc. ....", 0.01) == ".... .### .### .##."


@pytest.mark.parametrize("drawing", ["cccc", "ssss", "...."])
def test_no_band_without_a_border(drawing):
    assert band(drawing, 1.0) == "...."


# --- errors ---


def test_each_kind_of_error():
    # The last two pixels of each kind of gt are void, another kind, another category.
    gt = "cccc" + "ssss"
    instances = [("#.......", 0.9, CAT), (".#......", 0.8, DOG), ("....#...", 0.7, CAT)]
    maps = maps_of(gt, instances, labels="00101120")
    elsewhere, near = (dict(zip(KINDS, row, strict=True)) for row in count_pixel_errors(maps).tolist())
    assert elsewhere == {"right": 2, "void": 1, "thing_as_stuff": 1, "stuff_as_thing": 0, "other_category": 2}
    # The band is one pixel to either side of the border.
    assert near == {"right": 0, "void": 1, "thing_as_stuff": 0, "stuff_as_thing": 1, "other_category": 0}


def test_the_wrong_instance_of_the_right_category_is_no_error():
    maps = maps_of("ckkk", [("####", 0.9, CAT)])
    assert count_pixel_errors(maps).tolist() == [[4, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_void_crowds_and_unlisted_ids_are_not_counted():
    assert count_pixel_errors(maps_of("..CC??", [("######", 0.9, DOG)])).sum() == 0


# --- the heads ---


def disagreements(*args, **kwargs):
    """(kind, who is right) -> pixels, over both zones."""
    counts = count_disagreement(maps_of(*args, **kwargs), CATEGORIES).counts.sum(axis=0)
    return {
        (heads.KINDS[kind], heads.RIGHT[right]): int(counts[kind, right])
        for kind, right in zip(*counts.nonzero(), strict=True)
    }


def test_heads_that_agree():
    # "Things", the right thing, and stuff.
    assert disagreements("ccddss", [("##....", 0.9, CAT), ("..##..", 0.8, DOG)], labels="007711") == {}


def test_an_instance_on_stuff():
    found = disagreements("csg.C?", [("######", 0.9, CAT)], labels="111111")
    assert found == {
        ("instance_on_stuff", "instances"): 1,
        ("instance_on_stuff", "semantics"): 1,
        ("instance_on_stuff", "neither"): 1,
        ("instance_on_stuff", "unknown"): 3,
    }


def test_no_instance():
    # The first four are "things", the others dogs.
    found = disagreements("cds.cds.", labels="00007777")
    assert found == {
        ("no_instance", "semantics"): 2 + 1,
        ("no_instance", "instances"): 1 + 1,
        ("no_instance", "neither"): 1,
        ("no_instance", "unknown"): 2,
    }


def test_another_thing():
    found = disagreements("cds.", [("####", 0.9, CAT)], labels="7777")
    assert found == {
        ("other_thing", "instances"): 1,
        ("other_thing", "semantics"): 1,
        ("other_thing", "neither"): 1,
        ("other_thing", "unknown"): 1,
    }


def test_an_instance_that_was_dropped_is_no_instance():
    assert disagreements("cccc", [("####", 0.4, CAT)], labels="1111") == {}


def test_where_and_between_whom():
    instances = [("##......", 0.9, CAT), ("..#.....", 0.8, DOG)]
    one = count_disagreement(maps_of("cccsssss", instances, labels="12110001"), CATEGORIES)
    assert one.pairs == Counter({(CAT, SKY): 1, (CAT, GRASS): 1, (DOG, SKY): 1})
    assert one.zones.tolist() == [6, 2]
    # Pixels 2 and 3 are near the border; the heads disagree on 2.
    assert one.counts.sum(axis=(1, 2)).tolist() == [5, 1]


def test_the_map_of_an_average_image():
    rows, columns = CELLS
    drawing = "\n".join("#" + "." * (2 * columns - 1) if y == 0 else "." * 2 * columns for y in range(2 * rows))
    labels = "\n".join(["1" * 2 * columns] * (2 * rows))
    gt = "\n".join(["s" * 2 * columns] * (2 * rows))
    one = count_disagreement(maps_of(gt, [(drawing, 0.9, CAT)], labels), CATEGORIES)
    differing, pixels = one.cells
    assert (pixels == 4).all() and pixels.shape == CELLS
    assert differing[0, 0] == 1 and differing.sum() == 1


def test_images_smaller_than_the_map_have_all_their_pixels_in_it():
    one = count_disagreement(maps_of("cs sc", labels="11 11"), CATEGORIES)
    assert one.cells[1].sum() == 4 and one.cells[0].sum() == 0


def test_nothing_is_counted_without_a_semantic_head():
    one = count_disagreement(maps_of("cs", [("##", 0.9, CAT)], head=False), CATEGORIES)
    assert (one.images, one.zones.sum(), one.counts.sum(), one.cells.sum()) == (0, 0, 0, 0)


def test_sums():
    ones = [count_disagreement(maps_of("csss", [("##..", 0.9, CAT)], labels="1110"), CATEGORIES) for _ in range(2)]
    total = sum(ones, Disagreement())
    assert (total.images, total.pairs) == (2, Counter({(CAT, SKY): 4}))
    for name in ("counts", "zones", "cells"):
        assert (getattr(total, name) == 2 * getattr(ones[0], name)).all()


# --- stuff that things took ---


def test_stuff_pixels():
    # The dog is right and takes one pixel of the sky; the cat is false and takes two, one of them labelled as sky.
    instances = [("###......", 0.9, DOG), ("...##....", 0.8, CAT)]
    fused = draw("ddsssss.S", instances, labels="001121111")
    rows = dict(zip(CATEGORIES, count_stuff_pixels(fused).tolist(), strict=True))
    assert dict(zip(STUFF_PIXELS, rows[SKY], strict=True)) == {
        "gt": 5,
        "right_labels": 4,
        "lost_to_false_things": 1,
        "lost_to_other_things": 1,
    }
    assert not any(any(row) for category_id, row in rows.items() if category_id != SKY)
