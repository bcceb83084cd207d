"""Borders that move to where colours change, on random scenes: a plain version, and what they bring."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import DenseCrf, FusionResult, InstanceSet, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.rules import border_dense_crf
from panoptic_heuristic.quality import MeasureSettings, measure_image, summarize
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.border_drawings import fused_scene
from tests.fusion.cases import photo
from tests.fusion.drawings import CAT, CATEGORIES, GRASS, LABELS, SKY
from tests.fusion.results import named
from tests.fusion.runs import needs_pydensecrf

pytestmark = needs_pydensecrf

SIZE = (48, 65)
SCENES = [
    make_scene(seed, image_size=SIZE, instances=count, things=5, stuff=12) for seed, count in enumerate([0, 7, 40, 100])
]


def test_the_scenes_lose_segments():
    # Else what is said of a last pixel would be of drawings alone.
    reasons = set()
    for seed, scene in enumerate(SCENES):
        pipeline = Pipeline(instances_score_thresh=0.3, stuff_area_thresh=30, border=DenseCrf(move_things=True))
        image = photo(scene.gt_ids, seed)
        result = fuse(scene.instances(), scene.semantics(), scene.categories, pipeline, image)
        reasons |= {one.reason for one in result.dropped}
    assert "border" in reasons


def plainly(rule: DenseCrf, image: np.ndarray, result: FusionResult) -> np.ndarray:
    """The rule in one run over the whole image, pixel by pixel."""
    from pydensecrf.densecrf import DenseCRF2D

    before = result.panoptic_seg.numpy()
    things = {0} | {segment["id"] for segment in result.segments_info if segment["isthing"]}
    stays = set() if rule.move_things else things
    ids, (height, width), r = np.unique(before), before.shape, rule.radius
    energy = np.full((len(ids), height, width), 1e6, dtype=np.float32)
    for y, x in np.ndindex(before.shape):
        choices = np.unique(before[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1])
        choices = [one for one in choices if one == before[y, x] or not {one, before[y, x]} & stays]
        for one in choices:
            own = one == before[y, x]
            probability = rule.certainty if own else (1 - rule.certainty) / (len(choices) - 1)
            energy[ids == one, y, x] = -np.log(probability)
    crf = DenseCRF2D(width, height, len(ids))
    crf.setUnaryEnergy(energy.reshape(len(ids), -1))
    crf.addPairwiseGaussian(sxy=rule.gaussian_sxy, compat=rule.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=rule.bilateral_sxy, srgb=rule.bilateral_srgb, rgbim=image, compat=rule.bilateral_compat
    )  # fmt: skip
    return ids[np.argmax(crf.inference(rule.iterations), axis=0)].reshape(before.shape)


class Runs:
    """Stands in for pydensecrf's module, and remembers the width, height and segments of each run."""

    def __init__(self, densecrf):
        self.densecrf = densecrf
        self.sizes = []

    def DenseCRF2D(self, width, height, count):  # noqa: N802
        self.sizes.append((width, height, count))
        return self.densecrf.DenseCRF2D(width, height, count)


@pytest.fixture
def runs(monkeypatch):
    runs = Runs(border_dense_crf._densecrf())
    monkeypatch.setattr(border_dense_crf, "_densecrf", lambda: runs)
    return runs


@pytest.mark.parametrize("seed", range(3))
class TestRuns:
    def start(self, seed, image_size):
        return fused_scene(make_scene(seed, image_size=image_size, instances=60, things=5, stuff=12), seed)

    @pytest.mark.parametrize(
        "rule",
        [
            DenseCrf(1, bilateral_sxy=70, max_segments=1000, move_things=True),
            DenseCrf(3, 0.7, 5, 1, 70, 40, 4, iterations=2, max_segments=1000, move_things=True),
            DenseCrf(8, 0.9, 2, 8, 100, 4, 20, iterations=1, max_segments=1000, move_things=True),
            DenseCrf(2, bilateral_sxy=70, max_segments=1000),
        ],
        ids=str,
    )
    def test_one_is_as_a_plain_version(self, runs, seed, rule):
        heads, before = self.start(seed, SIZE)
        after = rule.refine(heads, before)
        assert len(runs.sizes) == 1
        expected = plainly(rule, heads.image.numpy(), before)
        expected = before.with_map(torch.from_numpy(expected), "border")
        assert np.array_equal(after.panoptic_seg, expected.panoptic_seg)
        assert after.dropped == expected.dropped

    @pytest.mark.parametrize("max_segments", [2, 3, 5])
    @pytest.mark.parametrize("moves", [True, False])
    def test_many_have_few_segments_each_or_are_small(self, runs, seed, max_segments, moves):
        heads, before = self.start(seed, (160, 200))
        rule = DenseCrf(2, bilateral_sxy=15, max_segments=max_segments, move_things=moves)
        after = rule.refine(heads, before)
        assert len(runs.sizes) > 1
        for width, height, count in runs.sizes:
            # Those of the margin are one more.
            assert count <= max_segments + 1 or max(width, height) <= 3 * rule.margin
        runs.sizes.clear()
        in_one = dataclasses.replace(rule, max_segments=1000).refine(heads, before)
        assert len(runs.sizes) == 1
        # They see less of what is far away.
        assert (named(after) == named(in_one)).mean() > 0.99


def boundary_pq(gt_ids, gt_segments, result, categories) -> float:
    settings = MeasureSettings(boundary=True, boundary_dilation=0.005)
    measures = measure_image(gt_ids, gt_segments, result.panoptic_seg, result.segments_info, categories, settings)
    return summarize(measures.counts["boundary_pq"], categories).all.pq


@pytest.mark.parametrize("seed", range(3))
class TestBoundaryPq:
    def test_it_rises_where_roi_masks_are_too_coarse(self, seed):
        # Stars of 100 pixels on two kinds of stuff: RoI masks blunt their spikes, and noise frays the horizon.
        rng, height, width = np.random.default_rng(seed), 180, 330
        y, x = np.mgrid[:height, :width]
        horizon = 90 + 12 * np.sin(x / 20)
        gt = np.where(y < horizon, 4, 5)
        frayed = horizon + cv2.resize(rng.normal(0, 3, (90, 165)), (width, height), interpolation=cv2.INTER_NEAREST)
        probabilities, boxes = [], []
        for place in range(3):
            centre_y, centre_x = rng.integers(70, 110), 60 + 105 * place
            angle = np.arctan2(y - centre_y, x - centre_x) + rng.random()
            star = np.hypot(y - centre_y, x - centre_x) < 32 + 16 * np.cos(9 * angle)
            gt[star] = place + 1
            boxes.append((centre_x - 52, centre_y - 52, centre_x + 52, centre_y + 52))
            crop = star[centre_y - 52 : centre_y + 52, centre_x - 52 : centre_x + 52]
            probabilities.append(cv2.resize(crop.astype(np.float32), (28, 28), interpolation=cv2.INTER_AREA))
        segments = [
            {"id": i, "category_id": one, "iscrowd": 0} for i, one in enumerate([CAT, CAT, CAT, SKY, GRASS], start=1)
        ]
        instances = InstanceSet.from_rois(
            np.array(probabilities), np.float32(boxes), [0.9, 0.8, 0.7], [CAT] * 3, (height, width)
        )
        inputs = instances, SemanticMap(np.where(y < frayed, 1, 2), LABELS), CATEGORIES
        before, after = (
            boundary_pq(gt, segments, fuse(*inputs, Pipeline(**border), photo(gt, seed)), CATEGORIES)
            for border in ({}, {"border": DenseCrf(move_things=True)})
        )
        assert after > before + 0.1

    def test_it_rises_on_scenes_as_heads_give_them(self, seed):
        scene = make_scene(seed, image_size=(160, 200), instances=60, things=5, stuff=12)
        image = photo(scene.gt_ids, seed)
        rules = DenseCrf(move_things=True), DenseCrf(bilateral_sxy=8, max_segments=3, move_things=True)
        pipelines = Pipeline(), *(Pipeline(border=rule) for rule in rules)
        before, *after = (
            boundary_pq(
                scene.gt_ids,
                scene.gt_segments,
                fuse(scene.instances(), scene.semantics(), scene.categories, pipeline, image),
                scene.categories,
            )
            for pipeline in pipelines
        )
        assert min(after) > before
