import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.single import settle_pipeline
from panoptic_heuristic.ablation.tuning.counts import (
    best_of,
    count_pipelines,
    total_counts,
)
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Calibrated, ClassAware, Greedy, Pipeline, Reclaim
from panoptic_heuristic.fusion import covered_by_better as covered_by_pixels
from panoptic_heuristic.fusion.claim import ClaimRule
from tests.ablation.random_images import CATEGORIES, LABELS, random_image
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import drawn_image, of_random, of_scenes, pixel_counts

THINGS = [category.id for category in CATEGORIES.things]
STUFF = [category.id for category in CATEGORIES.stuff]


CLAIMS = {
    "greedy": Greedy(),
    "class_aware": ClassAware(0.5, 0.6, 0.1),
    "reclaim by area": Reclaim(area_ratio=0.8),
    "reclaim by precedence": Reclaim(on_top="precedence", precedence=((31, 0), (0, 5))),
}


def count_pipeline(image, pipeline: Pipeline, categories) -> np.ndarray:
    """(3, C) int64: iou_sum, TP and FP of one image under one pipeline."""
    return count_pipelines([image], [pipeline], categories)[0, ..., 0]


def random_pipeline(
    rng: np.random.Generator, calibrated: bool, things=THINGS, stuff=STUFF, claim: ClaimRule = CLAIMS["greedy"]
) -> Pipeline:
    """Values of single categories for about half of them; many of them ties."""

    def tenth() -> float:
        return round(float(rng.random()), 1)

    def some(ids, value):
        return {category_id: value() for category_id in ids if rng.random() < 0.5}

    def weights():
        return tuple(rng.normal(size=5))

    pipeline = Pipeline(
        dataclasses.replace(claim, overlap_threshold=tenth(), overlap_threshold_of=some(things, tenth)),
        instances_score_thresh=tenth() / 2,
        stuff_area_thresh=int(rng.integers(30)),
        stuff_area_fraction=tenth() / 10,
        instances_score_thresh_of=some(things, tenth),
        stuff_area_thresh_of=some(stuff, lambda: int(rng.integers(60))),
        stuff_area_fraction_of=some(stuff, lambda: tenth() / 5),
    )
    if not calibrated:
        return pipeline
    return dataclasses.replace(
        pipeline, order=Calibrated(some(things, weights), some(things, tenth), weights(), tenth() / 2)
    )


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("calibrated", [False, True], ids=["score", "calibrated"])
def test_regions_count_what_pixels_count(calibrated, claim):
    for seed in range(120 if claim == Greedy() else 60):
        rng = np.random.default_rng([seed, calibrated])
        image = random_image(seed)
        held, predictions = of_random(image, seed)
        for _ in range(3):
            pipeline = random_pipeline(rng, calibrated, claim=claim)
            counts, segments = pixel_counts(
                predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments, pipeline
            )
            assert count_pipeline(held, pipeline, CATEGORIES).tolist() == counts.tolist(), (seed, pipeline)
            assert held.gt.per_category(CATEGORIES).tolist() == segments.tolist()


def test_plans_beside_each_other_count_what_each_counts():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        held, _ = of_random(random_image(seed), seed)
        claims = (CLAIMS["greedy"], CLAIMS["class_aware"], CLAIMS["greedy"], CLAIMS["reclaim by area"])
        parts = [
            [random_pipeline(rng, calibrated, claim=claim) for claim in chosen]
            for calibrated, chosen in ((False, claims), (False, claims[:1]), (True, claims[1:3]))
        ]
        plans = [SettingsPlan.of(part, CATEGORIES) for part in parts]
        together, alone = SettingsPlan.beside(plans), [plan.count(held) for plan in plans]
        assert together.size == 7
        assert together.count(held).values.tolist() == np.concatenate([one.values for one in alone], axis=2).tolist()


def test_scenes_count_the_same_calibrated():
    scenes = small_scenes(4)
    held, categories = of_scenes(scenes), scenes[0].categories
    ids = [category.id for category in categories.things], [category.id for category in categories.stuff]
    for place, (image, predictions, scene) in enumerate(zip(*held, strict=True)):
        pipeline = random_pipeline(np.random.default_rng(place), True, *ids)
        labels = dict(enumerate(scene.label_to_category))
        counts, _ = pixel_counts(predictions, labels, categories, scene.gt_ids, scene.gt_segments, pipeline)
        assert count_pipeline(image, pipeline, categories).tolist() == counts.tolist()


def test_a_probability_at_the_cut_is_enough():
    """Weights of 0 say one half, exactly."""
    image = drawn_image("aaaa", [("####", 0.3, 0)])
    found = []
    for cut in (0.5, 0.5000001):
        order = Calibrated(cut={0: cut}, default_weights=(0.0, 0.0, 0.0, 0.0, 0.0))
        counts = count_pipeline(image, Pipeline(instances_score_thresh=0.1, order=order), CATEGORIES)
        found.append(int(counts[1].sum()))
    assert found == [1, 0]


def test_the_covered_fraction_is_that_of_fusing():
    for seed in range(60):
        image, predictions = of_random(random_image(seed), seed)
        expected = covered_by_pixels(predictions.to_instances())
        assert image.covered_by_better.tolist() == expected.tolist()


def test_the_covered_fraction_of_a_drawing():
    # The worst one lies under both others, which overlap; of equal scores the first is better.
    image = drawn_image("aaaa....", [("####....", 0.5, 0), ("..####..", 0.9, 31), ("...#####", 0.5, 0)])
    assert image.covered_by_better.tolist() == [2 / 4, 0.0, 3 / 5]


def test_unknown_agreement_is_told():
    image = drawn_image("aa", [("##", 0.5, 0)])
    unknown = dataclasses.replace(image, semantic_agreement=np.array([np.nan]))
    with pytest.raises(InputError, match="image 0 agree.*leave these out"):
        _ = unknown.calibration_features


def test_totals_are_sums_and_of_no_image_zero():
    images = [of_random(random_image(seed), seed)[0] for seed in (1, 2, 3)]
    pipelines = [Pipeline(), Pipeline(Greedy(0.9), 0.1, 0)]
    total = total_counts(images, pipelines, CATEGORIES)
    assert total.images == 3
    for number, pipeline in enumerate(pipelines):
        each = sum(count_pipeline(image, pipeline, CATEGORIES) for image in images)
        assert [total.iou_sum[:, number].tolist(), total.tp[:, number].tolist(), total.fp[:, number].tolist()] == (
            each.tolist()
        )
    empty = total_counts([], pipelines, CATEGORIES)
    assert empty.tp.shape == total.tp.shape and not empty.tp.any() and not empty.segments.any()


def test_stuff_without_a_limit():
    image = drawn_image("aassstt.", [("##......", 0.9, 0)], "ssssstt.")
    candidates = settle_pipeline(image, CATEGORIES, Pipeline(stuff_area_thresh=1000))
    assert [list(CATEGORIES)[place] for place in candidates.stuff] == [9, 4]
    # The thing took the two first pixels.
    assert candidates.stuff_outcomes.area.tolist() == candidates.counted.tolist() == [[[3, 2]]]
    assert candidates.stuff_outcomes.matched.tolist() == [[[True, True]]]


def test_best_of_takes_the_first_and_never_nan():
    assert best_of(np.array([0.1, 0.3, np.nan, 0.3])) == 1
    assert best_of(np.array([np.nan, 0.0])) == 1
