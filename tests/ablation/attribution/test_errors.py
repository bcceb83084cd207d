"""Laws of the errors of an image, by whatever rules it was fused."""

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.causes import CAUSES
from panoptic_heuristic.ablation.attribution.false_positives import find_false_positives
from panoptic_heuristic.ablation.attribution.fusing import count_owned
from panoptic_heuristic.ablation.attribution.missed import find_missed
from panoptic_heuristic.ablation.attribution.oracles import ORACLES, count_oracles
from panoptic_heuristic.fusion import (
    BestStuff,
    Calibrated,
    ClassAware,
    Components,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
    explain,
    fuse,
)
from panoptic_heuristic.quality import count_image, match_image
from tests.ablation.attribution_drawings import fuse_image
from tests.ablation.grids import grid_of
from tests.ablation.random_images import (
    BEST_STUFF_FLOOR,
    CATEGORIES,
    LABELS,
    RandomImage,
    random_image,
    random_pipelines,
    random_thresholds,
    with_best_stuff,
    with_measures,
)
from tests.ablation.small_caches import scene_predictions, small_scenes

SMALL_GRID = grid_of(
    (Greedy(0.2), Greedy(0.5), PerPixel()),
    (0.05, 0.3, 0.6),
    ((0.0, 0.0), (200.0, 0.0), (0.0, 0.1)),
)
EXACT = {
    "greedy": Pipeline(),
    "calibrated": Pipeline(order=Calibrated({0: (0.0, 1.0, 0.5, 0.0, -1.0)}, {0: 0.4}, default_cut=0.2)),
    "nms": Pipeline(suppress=Nms()),
    "gate": Pipeline(suppress=SemanticGate()),
    "power": Pipeline(order=Power(agreement_exponent=1.0, key_cutoff=0.1)),
    "class_aware": Pipeline(ClassAware()),
    "reclaim": Pipeline(Reclaim()),
    "veto": Pipeline(veto=SemanticVeto()),
    "veto_of_per_pixel": Pipeline(PerPixel(), veto=SemanticVeto(), thing_area_thresh=2),
    "thing_area": Pipeline(thing_area_thresh=4),
    "before": Pipeline(stuff=DroppedToVoid("before")),
    "best_stuff": Pipeline(leftover=BestStuff(BEST_STUFF_FLOOR)),
    "islands": Pipeline(island_area_fraction=0.05),
    "islands_and_gate": Pipeline(suppress=SemanticGate(), veto=SemanticVeto(), island_area_fraction=0.02),
}
OTHERS = {
    "components": Pipeline(leftover=Components()),
    "islands_and_components": Pipeline(leftover=Components(), island_area_fraction=0.05),
    "veto_and_before": Pipeline(veto=SemanticVeto(), stuff=DroppedToVoid("before")),
}


def check(image, pipeline, categories=CATEGORIES, labels=LABELS):
    """The errors are those of the fused map, and each has a cause that holds there; gives the causes."""
    fused = fuse_image(image, pipeline, categories, labels)
    instances = image.predictions.to_instances()
    semantics = image.predictions.to_semantics(labels, best_stuff_floor=BEST_STUFF_FLOOR)
    result = fuse(instances, semantics, categories, pipeline)
    scored = (image.gt_ids, image.gt_segments, result.panoptic_seg, result.segments_info, categories)
    matching = match_image(*scored)
    missed, false = find_missed(fused), find_false_positives(fused)
    assert sorted(error.segment_id for error in missed) == sorted(matching.missed)
    assert sorted(error.segment_id for error in false) == sorted(matching.false)
    assert fused.counts() == count_image(*scored)
    explanations = explain(result, instances, semantics)
    of_instance = {one.instance_id: one for one in explanations if one.isthing}
    of_stuff = {one.category_id: one for one in explanations if not one.isthing}
    for error in (*missed, *false):
        assert error.cause in CAUSES[error.group]
        assert error.group.endswith("thing") == categories[error.category_id].isthing
        assert 0 <= error.iou <= 1
        _check_cause(error, of_instance.get(error.instance_id), of_stuff.get(error.category_id), result, pipeline)
    return {(error.group, error.cause) for error in (*missed, *false)}


def _check_cause(error, instance, stuff, result, pipeline):
    """The fused map says the same of the same candidate."""
    plain = type(pipeline.claim) in (Greedy, PerPixel) and pipeline == Pipeline().replaced(
        {path: pipeline.value(path) for path in ("claim", "instances_score_thresh", "stuff_area_thresh",
                                                 "stuff_area_fraction")}
    )  # fmt: skip
    if error.group == "missed_thing":
        reasons = {
            "score": ("score", "not_finite", "key", "probability"),
            "overlap": ("overlap",),
            "covered": ("covered",),
            "used": (None,),
            "starved": (None,),
        }
        if error.cause in reasons:
            assert instance.reason in reasons[error.cause]
            assert error.iou > 0.5 and instance.category_id == error.category_id
        if error.cause == "otherwise":
            assert not plain and error.iou > 0.5 and instance.category_id == error.category_id
            assert instance.reason not in (None, *sum(reasons.values(), ()))
        if error.cause in ("covered", "starved") and plain:
            # All it lost was taken before, so that the map tells by whom.
            assert error.by == ("instance", instance.lost_to[0].instance_id, instance.lost_to[0].category_id)
        if error.cause == "wrong_category":
            assert error.iou > 0.5 and instance.category_id != error.category_id
    elif error.group == "missed_stuff":
        assert (error.iou > 0.5) == (error.cause in ("stuff_area", "false_things", "right_things", "otherwise"))
        assert not (plain and error.cause == "otherwise")
        assert (stuff is not None and stuff.reason == "stuff_area") or error.cause != "stuff_area"
        assert error.cause not in ("false_things", "right_things") or error.by.kind == "instance"
    else:
        segment = result.segments_info[error.segment_id - 1]
        assert (segment["area"], segment["category_id"]) == (error.area, error.category_id)
        assert segment.get("instance_id") == error.instance_id and segment.get("score") == error.score
        assert error.cause not in ("duplicate", "starved") or error.iou > 0.5
        assert not plain or error.cause not in ("duplicate", "starved") or error.by.kind == "instance"


def images(number, rules):
    """Random images with all that some rules need."""
    for seed in range(number):
        image = with_measures(with_best_stuff(random_image(seed)))
        if image.predictions.semantics is not None or not rules.needs:
            yield seed, image


@pytest.mark.parametrize("seed", range(60))
def test_errors_are_those_of_the_fused_map(seed):
    image = random_image(seed)
    for pipeline in random_pipelines(seed, image, 8):
        check(image, pipeline)


def test_errors_are_those_of_the_fused_map_in_every_setting_of_a_grid():
    causes = set()
    for scene in small_scenes(4, instances=40):
        image = RandomImage(scene_predictions(0, scene), scene.gt_ids, scene.gt_segments)
        for pipeline in SMALL_GRID.settings:
            causes |= check(image, pipeline, scene.categories, dict(enumerate(scene.label_to_category)))
    # The scenes put most causes to the test.
    assert len(causes) >= 12


@pytest.mark.parametrize("rules", [*EXACT.values(), *OTHERS.values()], ids=[*EXACT, *OTHERS])
def test_errors_of_any_rules_are_those_of_their_fused_map(rules):
    causes = set()
    for seed, image in images(16, rules):
        causes |= check(image, random_thresholds(image, np.random.default_rng(seed), rules))
    assert len(causes) >= 8


@pytest.mark.parametrize("rules", EXACT.values(), ids=EXACT)
def test_the_same_by_regions_and_by_pixels(rules):
    for seed, image in images(16, rules):
        pipeline = random_thresholds(image, np.random.default_rng(seed), rules)
        by_regions, by_pixels = fuse_image(image, pipeline), fuse_image(image, pipeline, by_pixels=True)
        for find in (find_missed, find_false_positives):
            # A score that is NaN is no score that is NaN; stuff has another order in the map.
            assert sorted(map(str, find(by_regions))) == sorted(map(str, find(by_pixels)))
        assert by_regions.counts() == by_pixels.counts()
        oracles = count_oracles(by_pixels)
        assert set(ORACLES) - set(oracles) == {"masks", "semantics"}
        assert oracles.items() <= count_oracles(by_regions).items()


@pytest.mark.parametrize("rules", EXACT.values(), ids=EXACT)
def test_who_claimed_what_says_all_that_comes_later(rules):
    for seed, image in images(16, rules):
        fused = fuse_image(image, random_thresholds(image, np.random.default_rng(seed), rules))
        owned = count_owned(fused.regions, CATEGORIES, fused.pipeline, fused.ranked, fused.claimed)
        assert owned == fused.counts()
