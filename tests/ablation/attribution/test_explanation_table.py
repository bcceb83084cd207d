"""The table of what became of each candidate, as it is printed."""

import re

from panoptic_heuristic.ablation.attribution.explanation_table import FATES, explanation_table
from panoptic_heuristic.fusion import (
    DroppedCandidate,
    Explanation,
    InstanceSet,
    LostPixels,
    Pipeline,
    SemanticMap,
    SemanticVeto,
    explain,
    fuse,
)
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, LABELS, SKY, draw, row


def test_a_table_as_it_is_printed():
    masks = [row((0, 4), width=12), row((2, 5), width=12), row((4, 6), width=12)]
    instances = InstanceSet.from_bitmaps(masks, [0.875, 0.8, 0.25], [CAT, DOG, CAT])
    semantics = SemanticMap(draw("001111111122"), LABELS)
    result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=3))
    assert explanation_table(explain(result, instances, semantics), CATEGORIES) == "\n".join(
        [
            "candidate      score  fate                     pixels before    kept  lost to (pixels)",
            "-----------  -------  ---------------------  ---------------  ------  ------------------",
            "cat #0         0.875  kept                                 4       4",
            "dog #1         0.800  overlap too large                    3       0  cat #0 2, sky 1",
            "cat #2         0.250  score below threshold                2       0  sky 2",
            "sky                   kept                                 8       6  cat #0 2",
            "grass                 area too small                       2       0  void 2",
        ]
    )


def test_pixels_that_were_gained_have_a_column():
    instances = InstanceSet.from_bitmaps([row((0, 3), width=5)], [0.875], [CAT])
    semantics = SemanticMap(draw("12200"), LABELS)
    result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=0, veto=SemanticVeto()))
    assert explanation_table(explain(result, instances, semantics), CATEGORIES) == "\n".join(
        [
            "candidate      score  fate                pixels before    kept    gained  lost to (pixels)",
            "-----------  -------  ----------------  ---------------  ------  --------  ------------------",
            "cat #0         0.875  labels say stuff                3       0         0  grass 3",
            "sky                   wholly covered                  1       0         0  grass 1",
            "grass                 kept                            2       2         1",
        ]
    )


def test_pixels_of_islands_have_a_column():
    instances = InstanceSet.from_bitmaps([row((0, 2), width=12)], [0.875], [CAT])
    semantics = SemanticMap(draw("112111022222"), LABELS)
    result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=0, island_area_fraction=0.1))
    assert explanation_table(explain(result, instances, semantics), CATEGORIES) == "\n".join(
        [
            "candidate      score  fate      pixels before    in islands    kept    gained  lost to (pixels)",
            "-----------  -------  ------  ---------------  ------------  ------  --------  ------------------",
            "cat #0         0.875  kept                  2             0       2         0",
            "sky                   kept                  5             0       3         2  cat #0 2",
            "grass                 kept                  6             1       5         0  sky 1",
        ]
    )


def test_the_smaller_takers_of_many_are_summed_up():
    lost_to = (
        LostPixels(4, SKY, None, 9),
        LostPixels(1, CAT, 3, 8),
        LostPixels(None, None, None, 7),
        LostPixels(2, DOG, 0, 2),
        LostPixels(3, CAT, 1, 1),
    )
    one = Explanation(False, GRASS, None, None, False, "stuff_area", 27, 0, 0, lost_to)
    assert explanation_table([one], CATEGORIES).endswith("0  sky 9, cat #3 8, void 7, 2 more 3")


def test_without_a_candidate_there_is_no_table():
    assert explanation_table((), CATEGORIES) == ""


def test_scores_that_are_not_finite_are_shown():
    one = Explanation(True, CAT, float("nan"), 0, False, "not_finite", 0, 0, 0, ())
    assert "nan  score not finite" in explanation_table([one], CATEGORIES)


def test_a_reason_without_words_is_shown_as_it_is():
    one = Explanation(True, CAT, 0.5, 0, False, "my_own", 0, 0, 0, ())
    assert "my_own" in explanation_table([one], CATEGORIES)
    assert "my_own" not in FATES


def test_every_reason_has_words():
    told = re.findall(r"``(\w+)``\s+\(", DroppedCandidate.__doc__)
    assert {"overlap", "duplicate", "outvoted", "stuff_area"} < set(told) == set(FATES)
