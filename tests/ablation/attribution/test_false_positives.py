"""Each cause of a false positive, below, at and above what decides it."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.causes import FALSE_STUFF, FALSE_THING
from panoptic_heuristic.ablation.attribution.false_positives import find_false_positives
from panoptic_heuristic.fusion import Components
from tests.ablation.attribution_drawings import CAT, DOG, GRASS, SKY, draw, told


def errors_of(*args, **kwargs):
    fused = draw(*args, **kwargs)
    # Ids that no code may take for places.
    segments = dataclasses.replace(fused.segments, ids=50 + np.arange(len(fused.segments.ids)))
    return find_false_positives(dataclasses.replace(fused, segments=segments))


def false(*args, **kwargs):
    return told(errors_of(*args, **kwargs))


def only(*args, **kwargs):
    (error,) = errors_of(*args, **kwargs)
    return error


# --- things ---


def test_nothing_is_false():
    assert false("ccdd", [("##..", 0.9, CAT), ("..##", 0.8, DOG)]) == {}


def test_duplicate():
    instances = [("####.", 0.9, CAT), (".####", 0.8, CAT)]
    error = only("ccccc", instances, overlap=1.0)
    assert (error.group, error.segment_id, error.cause, error.by[:2]) == (FALSE_THING, 51, "duplicate", ("instance", 0))
    assert (error.category_id, error.instance_id, error.score, error.area) == (CAT, 1, 0.8, 1)
    assert (error.intersection, error.union) == (4, 5)


def test_a_duplicate_has_more_than_one_half_before_fusing():
    # Half of the cat, by masks; it kept a pixel of it.
    instances = [("####..", 0.9, CAT), ("...###", 0.8, CAT)]
    assert false("cccccc", instances, overlap=0.5) == {51: ("poor_mask", None)}


def test_starved_of_a_segment_that_was_missed():
    instances = [("##..", 0.9, DOG), ("####", 0.8, CAT)]
    assert false("cccc", instances)[51] == ("starved", ("instance", 0))


def test_a_false_thing_may_starve_a_right_one():
    # The dog took four of seven pixels, and the first cat what was left.
    instances = [("####...", 0.9, DOG), ("#######", 0.8, CAT), (".######", 0.7, CAT)]
    found = false("ccccccc", instances, overlap=0.6)
    # The second cat was rejected, so that it is no false positive.
    assert found == {50: ("wrong_category", ("gt", "c")), 51: ("starved", ("instance", 0))}


def test_wrong_category_by_its_mask():
    assert false("cccc", [("###.", 0.9, DOG)]) == {50: ("wrong_category", ("gt", "c"))}
    assert false("cccc", [("##..", 0.9, DOG)]) == {50: ("background", None)}


def test_wrong_category_by_its_mask_though_it_kept_little():
    instances = [("###.", 0.9, CAT), ("####", 0.8, DOG)]
    assert false("cccc", instances, overlap=0.8) == {51: ("wrong_category", ("gt", "c"))}


def test_wrong_category_by_what_it_kept():
    # By its mask it has 3 of 7 pixels; without what the first cat took, 3 of the dog's 4.
    instances = [("###.....", 0.9, CAT), ("######..", 0.8, CAT)]
    error = only("cccdddd.", instances, overlap=0.5)
    assert told([error]) == {51: ("wrong_category", ("gt", "d"))}
    assert (error.intersection, error.union) == (3, 4)


def test_wrong_category_may_be_stuff():
    assert false("ssss", [("####", 0.9, CAT)]) == {50: ("wrong_category", ("gt", "s"))}


def test_a_duplicate_is_no_wrong_category_whatever_it_kept():
    # The second cat is right by its mask, and kept the dog only.
    instances = [("####.", 0.9, CAT), ("#####", 0.8, CAT)]
    assert false("ccccd", instances, overlap=1.0) == {51: ("duplicate", ("instance", 0))}


@pytest.mark.parametrize("length, cause", [(9, "poor_mask"), (10, "background")])
def test_poor_mask_has_more_than_a_tenth(length, cause):
    error = only("c" * length, [("#" + "." * (length - 1), 0.9, CAT)])
    assert (error.cause, error.iou, error.by) == (cause, 1 / length, None)


def test_poor_mask_though_it_kept_nothing_of_the_segment():
    # By its mask it has two of six pixels; these the dog took.
    instances = [("##....", 0.9, DOG), ("######", 0.8, CAT)]
    error = errors_of("cc????", instances)[1]
    assert (error.cause, error.by) == ("poor_mask", None) and error.iou == 2 / 6


def test_poor_mask_by_what_it_kept():
    # One of ten pixels by its mask; without what the dog took, one of seven.
    instances = [("...###....", 0.9, DOG), ("..########", 0.8, CAT)]
    error = errors_of("ccc???????", instances)[1]
    assert (error.cause, error.intersection, error.union) == ("poor_mask", 1, 7)


@pytest.mark.parametrize("pixels, cause", [(999, "background"), (1000, "background"), (1001, "sliver")])
def test_sliver_has_less_than_a_thousandth(pixels, cause):
    width = pixels - 1
    assert false("?" + "c" * width, [("#" + "." * width, 0.9, CAT)]) == {50: (cause, None)}


def test_the_pixels_it_kept_make_a_sliver():
    width = 1001 - 4
    instances = [("###." + "." * width, 0.9, DOG), ("####" + "." * width, 0.8, CAT)]
    assert false("????" + "s" * width, instances, overlap=0.75) == {50: ("background", None), 51: ("sliver", None)}


def test_other_causes_come_before_sliver():
    width = 1001 - 4
    assert false("ssss" + "c" * width, [("####" + "." * width, 0.9, CAT)]) == {50: ("wrong_category", ("gt", "s"))}
    instances = [("####.".ljust(width + 4, "."), 0.9, CAT), ("#####".ljust(width + 4, "."), 0.8, CAT)]
    assert false("ccccc" + "s" * (width - 1), instances, overlap=1.0)[51] == ("duplicate", ("instance", 0))


def test_void_and_crowds_excuse():
    assert false("..??", [("###.", 0.9, CAT)]) == {}
    assert false("CC??", [("###.", 0.9, CAT)]) == {}
    assert false("CC??", [("###.", 0.9, DOG)]) == {50: ("background", None)}


def test_a_background_tells_its_nearest_segment():
    error = only("c" * 12 + "kkk", [("#" + "." * 14, 0.9, CAT)])
    assert (error.cause, error.intersection, error.union) == ("background", 1, 12)
    error = only("dddd????", [("....####", 0.9, CAT)])
    assert (error.cause, error.intersection, error.union, error.iou) == ("background", 0, 0, 0.0)


def test_a_thing_made_of_labels_counts_with_them():
    made = {"leftover": Components(area=1)}
    error = only("cc..", (), "7700", **made)
    assert (error.group, error.cause, error.by[:2]) == (FALSE_THING, "wrong_category", ("gt", 100))
    assert (error.category_id, error.instance_id, error.score, error.area) == (DOG, None, None, 2)
    # Only the larger component matches the segment that the labels of both fit.
    assert only("ddddd", (), "77707", **made).cause == "duplicate"
    # An instance took too much of the labels.
    instances = [("###..", 0.9, CAT)]
    starved = [one for one in errors_of("ddddd", instances, "77777", **made) if one.category_id == DOG]
    assert [(one.cause, one.by[:2]) for one in starved] == [("starved", ("instance", 0))]


# --- stuff ---


def test_stuff_that_lost_too_much():
    found = errors_of("ssss", [("##..", 0.9, CAT)], labels="1111")
    assert [(error.group, error.cause) for error in found] == [(FALSE_THING, "background"), (FALSE_STUFF, "starved")]
    error = found[1]
    assert (error.segment_id, error.category_id, error.instance_id, error.score) == (51, SKY, None, None)
    assert (error.by[:2], error.area, error.iou) == (("instance", 0), 2, 1.0)


def test_stuff_is_starved_by_who_took_the_right_labels():
    # The cat took three labels beside the segment, the dog two on it.
    instances = [("....###", 0.9, CAT), ("##.....", 0.8, DOG)]
    found = false("ssss???", instances, labels="1111111")
    assert found[52] == ("starved", ("instance", 1))


def test_stuff_of_another_category():
    assert false("ggg?", labels="1110") == {50: ("wrong_category", ("gt", "g"))}
    assert false("ccc?", labels="1110") == {50: ("wrong_category", ("gt", "c"))}


@pytest.mark.parametrize("length, cause", [(9, "poor_labels"), (10, "background")])
def test_poor_labels_have_more_than_a_tenth(length, cause):
    error = only("s" * length, labels="1" + "0" * (length - 1))
    assert (error.group, error.cause, error.iou) == (FALSE_STUFF, cause, 1 / length)


@pytest.mark.parametrize("pixels, cause", [(1000, "background"), (1001, "sliver")])
def test_stuff_may_be_a_sliver(pixels, cause):
    assert false("?" * 10 + "g" * (pixels - 10), labels="1" + "0" * (pixels - 1)) == {50: (cause, None)}


def test_the_categories_in_these_drawings_are_of_the_kinds_meant():
    fused = draw("c")
    assert [fused.categories[one].isthing for one in (CAT, DOG, SKY, GRASS)] == [True, True, False, False]
