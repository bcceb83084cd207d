"""Whatever the heads say, every preset gives a valid map or one clear error."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import PRESETS, Components, InstanceSet, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.presets import preset_rules
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, SKY

NAMES = [*PRESETS, "components"]
COLLAPSED, SINGLE = [None, SKY, GRASS], [DOG, SKY, CAT, GRASS]
SIZES = [(1, 1), (1, 5000), (5000, 1), (3, 4), (20, 30)]
ODD_SCORES = [math.nan, math.inf, -math.inf, 1.5, 1e308, -1.0, 0.0, 1.0, 0.5]
ODD_LOGITS = [math.nan, math.inf, -math.inf, 1e30, -1e30]


@dataclasses.dataclass(frozen=True)
class Case:
    """What the heads say about one image."""

    size: tuple
    scores: list
    boxes: np.ndarray
    probabilities: np.ndarray
    category_ids: list
    logits: np.ndarray
    meaning: list

    def inputs(self):
        instances = InstanceSet.from_rois(
            self.probabilities, self.boxes, np.array(self.scores), self.category_ids, self.size
        )
        labels = torch.from_numpy(self.logits).argmax(dim=0)
        return instances, SemanticMap(labels, self.meaning, self.logits), CATEGORIES


def boxes_of(draw, count, size):
    """Inside and outside of the image, with and without an area, turned round."""
    height, width = size
    odd = st.sampled_from([0.0, -50.0, -0.5, 0.5, height, width, width + 7.0, 1e6, -1e6])
    side = st.one_of(st.floats(-5, max(size) + 5, width=32), odd)
    boxes = draw(st.lists(st.tuples(side, side, side, side), min_size=min(count, 8), max_size=min(count, 8)))
    ordered = [(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for x0, y0, x1, y1 in boxes[::2]]
    boxes = [*ordered, *boxes[1::2]]
    return np.array([boxes[place % len(boxes)] for place in range(count)], dtype=np.float32).reshape(count, 4)


@st.composite
def cases(draw):
    size = draw(st.sampled_from(SIZES))
    count = draw(st.sampled_from([0, 1, 5, 300] if size[0] * size[1] <= 600 else [0, 1, 5, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.random(count)
    for place in draw(st.lists(st.integers(0, max(count - 1, 0)), max_size=6)) if count else ():
        scores[place] = draw(st.sampled_from(ODD_SCORES))
    probabilities = rng.random((count, 7, 7)).astype(np.float32)
    sharpness = draw(st.sampled_from(["noise", "binary", "full", "empty"]))
    if sharpness == "binary":
        probabilities = probabilities.round()
    elif sharpness != "noise":
        probabilities[:] = sharpness == "full"
    meaning = draw(st.sampled_from([COLLAPSED, SINGLE]))
    logits = rng.normal(size=(len(meaning), *size)).astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))
    logits *= draw(st.sampled_from([0, 1, 10]))
    odd = [value for value in ODD_LOGITS if logits.dtype != np.float16 or not 1e10 < abs(value) < math.inf]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        place = rng.integers(len(meaning)), rng.integers(size[0]), rng.integers(size[1])
        logits[place] = draw(st.sampled_from(odd))
    category_ids = rng.choice([CAT, DOG], size=count).tolist()
    return Case(size, scores.tolist(), boxes_of(draw, count, size), probabilities, category_ids, logits, meaning)


def pipeline_of(name):
    if name == "components":
        return Pipeline(leftover=Components(), stuff_area_thresh=0)
    # The published limits are for larger images: nothing would be left in these.
    rules = Pipeline.from_mapping(preset_rules(name))
    return dataclasses.replace(rules, stuff_area_thresh=2, instances_score_thresh=0.1)


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=cases())
def test_a_valid_result_or_one_clear_error(name, case):
    instances, semantics, categories = case.inputs()
    try:
        result = fuse(instances, semantics, categories, pipeline_of(name))
    except InputError as error:
        event("error")
        # Else the heads are in order, and so must be the result.
        no_label = "components" in str(error) and case.meaning is COLLAPSED
        assert no_label or not np.isfinite(case.logits).all(), str(error)
        assert "\n" not in str(error) and len(str(error)) > 20
        return
    assert_valid(result, case, categories)
    again = fuse(*case.inputs(), pipeline_of(name))
    assert np.array_equal(again.panoptic_seg, result.panoptic_seg)
    # NaN is not equal to itself.
    assert repr((again.segments_info, again.dropped)) == repr((result.segments_info, result.dropped))


def assert_valid(result, case: Case, categories: Categories):
    assert result.panoptic_seg.dtype == torch.int32 and tuple(result.panoptic_seg.shape) == case.size
    areas = np.bincount(result.panoptic_seg.ravel(), minlength=len(result.segments_info) + 1).tolist()
    assert [segment["area"] for segment in result.segments_info] == areas[1:] and all(areas[1:])
    assert [segment["id"] for segment in result.segments_info] == list(range(1, len(areas)))
    for segment in result.segments_info:
        assert categories[segment["category_id"]].isthing == segment["isthing"]
        assert {type(value) for value in segment.values()} <= {int, float, bool, type(None)}
    stuff = [segment["category_id"] for segment in result.segments_info if not segment["isthing"]]
    assert len(stuff) == len(set(stuff))
    instances = [segment["instance_id"] for segment in result.segments_info if segment["isthing"]]
    instances = [one for one in instances if one is not None]
    dropped = [one.instance_id for one in result.dropped if one.isthing and one.instance_id is not None]
    assert sorted(instances + dropped) == list(range(len(case.scores)))
    assert all(math.isfinite(case.scores[index]) for index in instances)


def test_the_cases_reach_things_stuff_and_errors():
    # Else the property would say little.
    seen = set()

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(case=cases())
    def look(case):
        seen.add(("instances", len(case.scores)))
        seen.add(("size", case.size))
        seen.add(("finite logits", bool(np.isfinite(case.logits).all())))
        seen.add(("finite scores", bool(np.isfinite(case.scores).all())))

    look()
    assert {("instances", count) for count in (0, 1, 5, 300)} <= seen
    assert {("size", size) for size in SIZES} <= seen
    assert {(kind, value) for kind in ("finite logits", "finite scores") for value in (True, False)} <= seen
