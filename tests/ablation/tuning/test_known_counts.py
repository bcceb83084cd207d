"""Counts that another pipeline has found: only where both fuse the image alike."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.known_counts import KnownCounts, Questioned
from panoptic_heuristic.fusion import Greedy, Pipeline
from panoptic_heuristic.quality import CategoryCounts

SCORES = np.array([0.9, 0.5, np.nan, 0.2, np.inf])
CATEGORIES = (1, 1, 1, 2, 2)
COUNTS = {1: CategoryCounts(5, 1, 2, 3)}


@pytest.fixture()
def known():
    """One pipeline is known, whose stuff of category 7 had 100 of 1000 pixels."""
    known = KnownCounts(SCORES, CATEGORIES)
    pipeline = Questioned.like(Pipeline(instances_score_thresh=0.5, stuff_area_thresh=50))
    assert not pipeline.is_too_small(7, 100, 1000)
    known.add(known.like(pipeline), pipeline, COUNTS)
    return known


def found(known, pipeline):
    return known.find(known.like(pipeline), pipeline)


@pytest.mark.parametrize("threshold, is_known", [(0.2, False), (0.21, True), (0.5, True), (0.51, False)])
def test_the_same_instances_must_take_part(known, threshold, is_known):
    asked = Pipeline(instances_score_thresh=threshold, stuff_area_thresh=50)
    assert found(known, asked) == (COUNTS if is_known else None)


def test_thresholds_of_single_categories_count_too(known):
    asked = Pipeline(instances_score_thresh=0.1, instances_score_thresh_of={1: 0.4, 2: 0.3}, stuff_area_thresh=50)
    assert found(known, asked) == COUNTS
    assert found(known, dataclasses.replace(asked, instances_score_thresh_of={1: 0.4})) is None


@pytest.mark.parametrize("limit, is_known", [(0, True), (100, True), (101, False)])
def test_limits_of_stuff_must_answer_the_same(known, limit, is_known):
    assert found(known, Pipeline(stuff_area_thresh=limit)) == (COUNTS if is_known else None)
    fraction = Pipeline(stuff_area_thresh=0, stuff_area_fraction=limit / 1000)
    assert found(known, fraction) == (COUNTS if is_known else None)
    of_category = Pipeline(stuff_area_thresh=0, stuff_area_thresh_of={7: limit, 8: 1e6})
    assert found(known, of_category) == (COUNTS if is_known else None)


def test_other_rules_fuse_otherwise(known):
    assert found(known, Pipeline(Greedy(0.4), stuff_area_thresh=50)) is None
    assert found(known, Pipeline(thing_area_thresh=1, stuff_area_thresh=50)) is None


def test_a_pipeline_that_is_questioned_fuses_as_before():
    pipeline = Pipeline.preset("jsis")
    questioned = Questioned.like(pipeline)
    assert questioned.to_mapping() == pipeline.to_mapping() and not questioned.asked
    assert questioned.is_too_small(7, 1, 4096) and questioned.asked == {(7, 1, 4096): True}
