import dataclasses

import pytest

from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, Default, remember_pipeline
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.gains import stage_reports
from panoptic_heuristic.ablation.tuning.splits import Split
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, BestStuff, Greedy, Nms, PerPixel, Pipeline, PixelArgmax, Power
from panoptic_heuristic.quality import summarize
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import named_store, small_scenes, write_cache, write_gt
from tests.ablation.tuning_images import START, WITH_START, LastComes, fused_pq, pq_of_images


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(6, instances=30)


@pytest.fixture(scope="module")
def store(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_cache(folder / "cache", scenes, score_floor=0.05, stuff_probability=0.25)
    return open_store(folder / "cache", *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def with_logits(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logits")
    cache = write_cache_with_logits(folder / "cache", scenes, score_floor=0.05)
    return open_store(cache, *write_gt(folder / "gt", scenes))


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": PerPixel()},
        {"suppress": Nms(0.3)},
        {"order": Power(agreement_exponent=1.0, key_cutoff=0.2)},
        {"leftover": BestStuff(0.25)},
        {"thing_area_thresh": 640 * 480 / 500},
    ],
    ids=["per_pixel", "nms", "power", "best_stuff", "thing_area"],
)
def test_all_stages_of_any_rules_that_are_exact_on_regions(store, changes):
    """Counted on regions, each pipeline of each stage has the PQ of fusing with it."""
    result = tune(store, dataclasses.replace(START, **changes), folds=2)
    assert result.names == WITH_START
    for name, pipeline in result.outcome.pipelines.items():
        assert result.tuning_pq(2)[name] == pytest.approx(fused_pq(store, pipeline, store.image_ids), abs=1e-9)
    pq = result.tuning_pq(2)
    assert pq["per_class"] >= pq["global"] >= max(pq["default"], pq["scaled"])


def test_other_rules_are_tuned_pixel_by_pixel(with_logits):
    start = Pipeline(PixelArgmax(), stuff_area_thresh=6144)
    seen = []

    def progress(items, total):
        for one in items:
            seen.append(total)
            yield one

    result = tune(with_logits, start, folds=2, progress=progress)
    assert result.names == WITH_START[:4] and len(seen) <= seen[0]
    for split, one in zip(result.splits, result.tuned, strict=True):
        pq = {name: fused_pq(with_logits, pipeline, split.tuning) for name, pipeline in one.pipelines.items()}
        assert result.tuning_pq(result.splits.index(split)) == pytest.approx(pq, abs=1e-9)
        assert pq["global"] >= max(pq["default"], pq["scaled"])
        claim = dataclasses.replace(one.pipelines["global"].claim, kept_fraction=start.claim.kept_fraction)
        assert claim == start.claim
    held_out = summarize(result.held_out_counts(0).of_setting(3, result.categories), result.categories)
    found = fused_pq(with_logits, result.tuned[0].pipelines["global"], result.splits[0].held_out)
    assert 100 * held_out.all.pq == pytest.approx(found, abs=1e-9)
    again = tune(with_logits, start, folds=2, workers=2)
    assert again.tuned == result.tuned and pq_of_images(again) == pq_of_images(result)


def test_held_out_images_are_never_seen_pixel_by_pixel(with_logits, scenes, tmp_path):
    start, chosen = Pipeline(PixelArgmax(), stuff_area_thresh=6144), [0, 2, 3]
    result = tune(with_logits, start, tuning_images=chosen)
    changed = list(scenes)
    for image_id in set(with_logits.image_ids) - set(chosen):
        ids = [segment["category_id"] for segment in scenes[image_id].gt_segments][::-1]
        segments = [
            {**one, "category_id": other} for one, other in zip(scenes[image_id].gt_segments, ids, strict=True)
        ]
        changed[image_id] = dataclasses.replace(scenes[image_id], gt_segments=segments)
    other = tune(with_logits.cache.folder, start, tuning_images=chosen, gt_json=write_gt(tmp_path, changed)[0],
                 gt_folder=tmp_path / "panoptic")  # fmt: skip
    assert other.tuned == result.tuned and pq_of_images(other) != pq_of_images(result)


def test_a_rule_of_ones_own(store):
    result = tune(store, dataclasses.replace(START, claim=LastComes()), folds=2)
    assert result.names == WITH_START[:4] and type(result.outcome.pipelines["global"].claim) is LastComes
    assert result.tuning_pq(2)["global"] == pytest.approx(
        fused_pq(store, result.outcome.pipelines["global"], store.image_ids), abs=1e-9
    )


def test_what_cannot_be_tuned_is_told(store):
    with pytest.raises(InputError, match="claim=pixel_argmax needs RoI mask probabilities"):
        tune(store, Pipeline(PixelArgmax()))
    with pytest.raises(InputError, match="stage per-class is for rules"):
        tune(store, Pipeline(LastComes()), stages=("global", "per-class"))
    with pytest.raises(InputError, match="give one of them"):
        tune(store, folds=2, tuning_images=[1])
    with pytest.raises(InputError, match="give one of them"):
        tune(store, folds=2, report_cache=store)
    with pytest.raises(InputError, match="there is no cache to tune on"):
        tune([])
    with pytest.raises(InputError, match="instances_score_thresh_of.*999|999.*instances_score_thresh_of"):
        tune(store, Pipeline(instances_score_thresh_of={999: 0.5}))


def test_the_default_is_detectron2s(store):
    assert tune(store, folds=2, stages=("global",)).settings.pipeline == DEFAULT_PIPELINE


# --- on several caches ---


@pytest.fixture(scope="module")
def parts(scenes, tmp_path_factory):
    """The six images of the store as a cache of four and one of two, whose ids start at 0, and at 4."""
    folder = tmp_path_factory.mktemp("parts")
    cache = write_cache(folder / "first", scenes[:4], score_floor=0.05)
    first = open_store(cache, *write_gt(folder / "gt", scenes[:4]))
    second = named_store(folder / "second", ("4.jpg", "5.jpg"), scenes=scenes[4:], first_id=4, score_floor=0.05)
    return first, second


def test_caches_to_tune_on_are_one(store, parts):
    """As if all images were in one cache."""
    one, several = (tune(cache, START, folds=3) for cache in (store, parts))
    assert several.splits == one.splits and several.tuned == one.tuned and several.reports == one.reports
    assert several.held_out_images == one.held_out_images
    assert [manifest.dataset_name for manifest in several.manifests] == ["small", "small"]
    assert tune(list(parts)[:1], START, folds=2).tuned == tune(parts[0], START, folds=2).tuned


def test_another_cache_to_report_on(store, parts):
    """As if its images were those of one cache that are not named to be tuned on."""
    named = tune(store, START, tuning_images=[0, 1, 2, 3])
    other = tune(parts[0], START, report_cache=parts[1])
    assert other.splits == named.splits == (Split((0, 1, 2, 3), (4, 5)),)
    assert other.tuned == named.tuned and other.reports == named.reports
    assert (other.how, other.held_out_images) == ({"tuning_images": 4, "seed": 0}, (4, 5))
    # The images to report on have no say in what is found.
    reverse = tune(parts[1], START, report_cache=parts[0])
    assert reverse.tuned == (tune(parts[1], START, folds=2).tuned[-1],)


def test_another_cache_to_report_on_pixel_by_pixel(store, parts):
    start = dataclasses.replace(START, claim=LastComes())
    named = tune(store, start, tuning_images=[0, 1, 2, 3])
    other = tune(parts[0], start, report_cache=parts[1], workers=2)
    assert other.tuned == named.tuned and other.reports == named.reports


def test_the_lowest_score_is_one_that_all_caches_know(parts, scenes, tmp_path):
    high = write_cache(tmp_path / "high", scenes[4:], score_floor=0.3)
    store = open_store(high, *write_gt(tmp_path / "gt", scenes[4:]))
    found = tune(parts[0], START, report_cache=store, stages=("global",))
    assert found.settings.score_floor == 0.3
    assert all(one.instances_score_thresh >= 0.3 for one in found.outcome.pipelines.values())


def test_groups_stay_together_and_are_drawn_together(store):
    groups = [0, 0, 1, 1, 2, 2]
    found = tune(store, START, folds=3, groups=groups)
    assert found.how == {"folds": 3, "groups": 3, "seed": 0}
    assert sorted(split.held_out for split in found.splits[:-1]) == [(0, 1), (2, 3), (4, 5)]
    tuning = [counts for split, counts in zip(found.splits, found.tuning, strict=True) if split.held_out]
    units = [found.held_out[k] + found.held_out[k + 1] for k in (0, 2, 4)]
    assert found.reports == stage_reports(found.names, units, tuning, found.categories)
    assert found.reports != stage_reports(found.names, found.held_out, tuning, found.categories)
    # What is tuned on all images knows of the groups only in its standard errors.
    alone = tune(store, START, folds=3, shrinkage=0.0)
    assert tune(store, START, folds=3, shrinkage=0.0, groups=groups).tuned[-1] == alone.tuned[-1]


def test_groups_of_one_image_each_change_nothing(store):
    plain, grouped = tune(store, START, folds=3), tune(store, START, folds=3, groups="name:([0-9]+)")
    assert (grouped.splits, grouped.tuned, grouped.reports) == (plain.splits, plain.tuned, plain.reports)


def test_no_group_may_be_parted(store, parts):
    with pytest.raises(InputError, match=r"image 1 \(1.jpg\) is to be tuned on and image 3 \(3.jpg\) held out, but"):
        tune(store, START, tuning_images=[0, 1], groups=[0, 1, 2, 1, 3, 4])
    with pytest.raises(InputError, match=r"image 3 \(3.jpg\) is to be tuned on and image 5 \(5.jpg\) held out, but"):
        tune(parts[0], START, report_cache=parts[1], groups=["a", "b", "c", "d", "e", "d"])
    with pytest.raises(InputError, match=r"folds must be a whole number in \[2, 3\], the number of groups, got 5"):
        tune(store, START, groups="blocks:2")


def test_groups_are_a_text_or_labels(store):
    with pytest.raises(InputError, match="^groups must be column:NAME, .* or a list of labels, got 5$"):
        tune(store, START, groups=5)


@pytest.mark.parametrize("pipeline", ["rap", {"claim": "greedy"}, None])
def test_what_is_no_pipeline_is_refused(store, pipeline):
    with pytest.raises(InputError, match=f"^pipeline must be a Pipeline, such as .*; got {type(pipeline).__name__}$"):
        tune(store, pipeline)


# --- the default of a cache ---


@pytest.mark.parametrize(
    "own", [Pipeline(Greedy(0.3), 0.4, 30), Pipeline(PixelArgmax(), stuff_area_thresh=30)], ids=["regions", "pixels"]
)
def test_gains_are_over_the_models_own_settings(with_logits, own):
    """By fusing and scoring each image, whether the own rules are exact on regions or not."""
    remember_pipeline(with_logits.cache, own)
    try:
        found = tune(with_logits, START, folds=2, stages=("global",))
    finally:
        (with_logits.cache.folder / "fusion.json").unlink()
    assert found.default == Default(own, MODELS_OWN) and found.names == WITH_START[:4]
    pq = {name: found.report(name).pq["all"] for name in found.names}
    assert pq["default"] == pytest.approx(fused_pq(with_logits, own, with_logits.image_ids), abs=1e-9)
    assert pq["scaled"] == pytest.approx(
        fused_pq(with_logits, found.outcome.pipelines["scaled"], with_logits.image_ids), abs=1e-9
    )
    assert found.report("global").gain("default").held_out == pytest.approx(pq["global"] - pq["default"])
    for split, one in zip(found.splits, found.tuned, strict=True):
        place = found.splits.index(split)
        assert found.tuning_pq(place)["global"] == pytest.approx(
            fused_pq(with_logits, one.pipelines["global"], split.tuning), abs=1e-9
        )


def test_without_own_settings_gains_are_over_detectron2s(store):
    found = tune(store, START, folds=2, stages=("global",))
    assert found.default.pipeline == DEFAULT_PIPELINE and found.default.meaning.startswith("Detectron2's defaults, ")
