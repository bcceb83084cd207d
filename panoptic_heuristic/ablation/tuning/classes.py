"""The second stage of tuning: a score threshold and an overlap threshold of its own for each thing category.

Coordinate ascent from the global values: one category after the other, all candidate values of it at
once, counted on the images that have an instance of it and nowhere else, since no other image can
change. What is compared is the PQ of all categories: an instance more takes pixels from others.

**Shrinkage.** A category moves only to a value whose gain on the tuning images exceeds ``shrinkage``
standard errors of that gain, and of the values that do, to the one with the largest gain less that
many standard errors. Otherwise it stays where it is, which at first is the global value. A gain is a
sum over images: with a category's sum of IoU I and D = TP + FP / 2 + FN / 2 it is, exactly, the sum
of (change of I - PQ before * change of D) / D after. Its standard error is the root of the sum of
squares of what each image adds. So a gain that hinges on a single image is one standard error,
however large it looks, one of n images that add the same is the root of n, and values far from the
global one, which change more images, must show more. A rare category has few images and hardly ever
moves; one with fewer than :data:`FEWEST_SEGMENTS` segments never does. This is the one-standard-error
rule of Breiman et al., "Classification and Regression Trees" (1984), which prefers the simpler of two
choices that the data cannot tell apart. Every move raises the PQ of the tuning images, shrinkage or not.
Where images come in groups, such as videos, "image" means a group here: what its images add is one sum.

Shape legend: C categories in the order of the data set's list, S settings, N instances.
"""

from dataclasses import replace
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.plan import ImageCounts, SettingsPlan
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.ascents import Start, State, Tries, Values, begin, count_tries
from panoptic_heuristic.ablation.tuning.counts import pq_of
from panoptic_heuristic.ablation.tuning.rounds import OVERLAPS, SCORES
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import IOU_UNIT

FEWEST_SEGMENTS = 2
"""A category with fewer ground-truth segments in the tuning images keeps the global values."""

NO_GAIN = 1e-9
"""In PQ from 0 to 1: less than this is rounding."""

# Of the second round, around where the first one arrived.
_SCORE_CHANGES = (-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04)
_OVERLAP_CHANGES = (-0.05, 0.0, 0.05)


def tune_classes(
    images: Sequence[Regions],
    categories: Categories,
    starts: Sequence[Start],
    *,
    score_floor: float,
    shrinkage: float,
) -> List[Pipeline]:
    """Gives thing categories values of their own where that pays; never worse on the images tuned on.

    Several ascents go from category to category side by side, so that an image which they share, as folds do, is
    counted once for all of them. None sees an image of another.

    Args:
        images: all, by place.
        categories: the data set's.
        starts: of each ascent.
        score_floor: no lower score threshold is tried.
        shrinkage: in standard errors, see above; 0 for none.

    Returns:
        Where each ascent ends.
    """
    states, highest = begin(images, categories, starts)
    for candidates in (_all_values, _near_values):
        for place, category in enumerate(categories.values()):
            if not category.isthing:
                continue
            tuned = [number for number, state in enumerate(states) if state.segments[place] >= FEWEST_SEGMENTS]
            of_tuned = [states[number] for number in tuned]
            tries = [_tries(one.pipeline, categories, category.id, candidates, score_floor) for one in of_tuned]
            count_tries(images, of_tuned, tries, highest[:, place])
            for number, one in zip(tuned, tries, strict=True):
                states[number] = _with_best_value(states[number], one, categories, category.id, shrinkage)
    return [state.pipeline for state in states]


def _all_values(current: Values, has_overlap: bool, score_floor: float) -> List[Values]:
    scores = {score_floor, *(score for score in SCORES if score >= score_floor), current[0]}
    overlaps = {*OVERLAPS, current[1]} if has_overlap else {current[1]}
    return [(score, overlap) for score in sorted(scores) for overlap in sorted(overlaps)]


def _near_values(current: Values, has_overlap: bool, score_floor: float) -> List[Values]:
    scores = {max(round(current[0] + change, 4), score_floor) for change in _SCORE_CHANGES if change} | {current[0]}
    changes = _OVERLAP_CHANGES if has_overlap else ()
    overlaps = {min(max(round(current[1] + change, 4), 0.0), 1.0) for change in changes if change}
    return [(score, overlap) for score in sorted(scores) for overlap in sorted(overlaps | {current[1]})]


def _tries(
    pipeline: Pipeline,
    categories: Categories,
    category_id: int,
    candidates: Callable[[Values, bool, float], List[Values]],
    score_floor: float,
) -> Tries:
    """The values to try, of which nothing is counted yet."""
    has_overlap = hasattr(pipeline.claim, "overlap_threshold")
    overlap = pipeline.claim.overlap_threshold_for(category_id) if has_overlap else 1.0
    current = float(pipeline.instances_score_thresh_for(category_id)), float(overlap)
    tried = candidates(current, has_overlap, score_floor)
    return Tries(current, tried, SettingsPlan.of([pipeline], categories).varied(category_id, tried), [], [])


def _with_best_value(state: State, tries: Tries, categories: Categories, category_id: int, shrinkage: float) -> State:
    """The point that an ascent goes to, which may be where it is."""
    before = SettingCounts(*state.table.sum(axis=0), state.segments, len(state.table))
    groups = [state.groups[row] for row in tries.rows]
    gain, error = gains_of_changes(before, tries.changes, groups, len(tries.tried), categories)
    assert error[tries.tried.index(tries.current)] == 0, "the counts of the images are those of another pipeline"
    worth = gain - shrinkage * error
    chosen = choose(worth, tries.tried, tries.current)
    if not worth[chosen] > NO_GAIN:
        return state
    table = state.table.copy()
    for row, change in zip(tries.rows, tries.changes, strict=True):
        table[row][:, change.places] += change.values[:, :, [chosen]]
    return replace(state, pipeline=with_values(state.pipeline, category_id, tries.tried[chosen]), table=table)


def gains_of_changes(
    before: SettingCounts,
    changes: Sequence[ImageCounts],
    groups: Sequence[int],
    settings: int,
    categories: Categories,
) -> Tuple[np.ndarray, np.ndarray]:
    """The gain of PQ by changes of single images' counts, and its standard error.

    Args:
        before: the counts of one setting, of all images.
        changes: what S other settings add to iou_sum, TP and FP of some images.
        groups: the number of the group that each of these images is of.
        settings: S.
        categories: the data set's.

    Returns:
        (S,) the gain of PQ, 0 to 1, and its standard error.
    """
    total = np.zeros((3, len(categories), settings), dtype=np.int64)
    for change in changes:
        total[:, change.places] += change.values
    after = SettingCounts(
        before.iou_sum + total[0], before.tp + total[1], before.fp + total[2], before.segments, before.images
    )
    pq = np.nan_to_num(before.quality().pq)
    size = (after.tp + after.fp + after.segments[:, None]) / 2
    occurs = size > 0
    weight = occurs / np.maximum(size, 0.5) / np.maximum(occurs.sum(axis=0), 1)
    added_by: Dict[int, np.ndarray] = {}
    for change, group in zip(changes, groups, strict=True):
        iou_sum, tp, fp = change.values
        added = iou_sum / IOU_UNIT - pq[change.places] * (tp + fp) / 2
        added_by[group] = added_by.get(group, 0) + (weight[change.places] * added).sum(axis=0)
    squares = sum((np.square(added) for added in added_by.values()), np.zeros(settings))
    return pq_of(after, categories) - pq_of(before, categories), np.sqrt(squares)


def choose(worth: np.ndarray, tried: Sequence[Values], current: Values) -> int:
    """The place of the values of most worth; of equals the nearest to the current ones, which are worth 0.

    Args:
        worth: (S,) gain less its penalty.
        tried: S pairs, the current one among them.
        current: where the category is.
    """
    distance = [abs(score - current[0]) + abs(overlap - current[1]) for score, overlap in tried]
    # The last key sorts first.
    return int(np.lexsort([distance, -worth])[0])


def with_values(pipeline: Pipeline, category_id: int, values: Values) -> Pipeline:
    """A pipeline with a score threshold and an overlap threshold for one category; equal to the global ones: none."""
    names = ["instances_score_thresh"]
    if hasattr(pipeline.claim, "overlap_threshold"):
        names.append("claim.overlap_threshold")
    singles = {}
    for name, value in zip(names, values, strict=False):
        of_category = {key: one for key, one in pipeline.value(f"{name}_of").items() if key != category_id}
        if value != pipeline.value(name):
            of_category[category_id] = value
        singles[f"{name}_of"] = dict(sorted(of_category.items()))
    return pipeline.replaced(singles)
