"""A border rule, tried after the other global thresholds where photos are at hand."""

import dataclasses

import pytest
from PIL import Image

from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, remember_pipeline
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning import tune as tuning
from panoptic_heuristic.ablation.tuning.borders import BORDER, NO_BORDER, chosen_border
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import GuidedFilter, NoRefinement, Pipeline
from tests.ablation.photos import clear_photo, grey_photo, write_photos
from tests.ablation.small_caches import named_store, small_scenes, write_cache, write_gt
from tests.ablation.tuning_images import WITH_START, LastComes, fused_pq, pq_of_images

START = Pipeline(instances_score_thresh=0.4, stuff_area_thresh=50)
TUNED = WITH_START[3:]
SHORT = {"folds": 2, "stages": ("global",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(6, image_size=(64, 80))


@pytest.fixture(scope="module")
def store(folder, scenes):
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def clear(folder, scenes):
    return folder / "clear", write_photos(folder / "clear", list(map(clear_photo, scenes)))


@pytest.fixture(scope="module")
def grey(folder, scenes):
    return folder / "grey", write_photos(folder / "grey", list(map(grey_photo, scenes)))


@pytest.fixture(scope="module")
def without(store):
    return tune(store, START, folds=2)


@pytest.fixture(scope="module")
def found(store, clear):
    return tune(store, START, folds=2, image_root=clear[0])


def without_border(tuned):
    return {name: dataclasses.replace(one, border=NoRefinement()) for name, one in tuned.pipelines.items()}


def test_all_that_is_tuned_carries_it_where_it_helps(found, without):
    """And is otherwise what it is without."""
    assert found.names == without.names == WITH_START
    for one, other in zip(found.tuned, without.tuned, strict=True):
        assert {name: one.pipelines[name].border for name in TUNED} == dict.fromkeys(TUNED, GuidedFilter())
        assert without_border(one) == dict(other.pipelines) and one.calibration == other.calibration
        for name in WITH_START[:3]:
            assert one.pipelines[name] == other.pipelines[name]
        assert not other.borders
    assert found.reliability == without.reliability


def test_counts_are_those_of_fusing_with_photos(store, clear, found):
    for place, (split, one) in enumerate(zip(found.splits, found.tuned, strict=True)):
        for name, pipeline in one.pipelines.items():
            by_hand = fused_pq(store, pipeline, split.tuning, clear[1])
            assert found.tuning_pq(place)[name] == pytest.approx(by_hand, abs=1e-9)
            if split.held_out:
                by_hand = fused_pq(store, pipeline, split.held_out, clear[1])
                assert found.held_out_pq(place)[name] == pytest.approx(by_hand, abs=1e-9)
        best = without_border(one)["global"]
        tried = {NO_BORDER: best, BORDER: one.pipelines["global"]}
        assert one.borders == pytest.approx(
            {name: fused_pq(store, pipeline, split.tuning, clear[1]) for name, pipeline in tried.items()}, abs=1e-9
        )
        assert one.borders[BORDER] > one.borders[NO_BORDER]
    assert found.report("global").gain("default").held_out == pytest.approx(
        found.report("global").pq["all"] - found.report("default").pq["all"]
    )


def test_none_does_where_it_does_not_help(store, grey, without):
    found = tune(store, START, folds=2, image_root=grey[0])
    for one, other in zip(found.tuned, without.tuned, strict=True):
        assert one.pipelines == other.pipelines
        assert one.borders[BORDER] < one.borders[NO_BORDER]
    assert pq_of_images(found) == pq_of_images(without) and found.reports == without.reports


def test_each_split_asks_its_own_images(store, scenes, clear, grey, tmp_path):
    """Frames of one half have clear photos; what the other half says is not heard."""
    photos = {k: (clear if k < 3 else grey)[1][k] for k in range(6)}
    write_photos(tmp_path, list(photos.values()))
    found = tune(store, START, groups=["a"] * 3 + ["b"] * 3, image_root=tmp_path, **SHORT)
    borders = [one.pipelines["global"].border for one in found.tuned]
    chosen = {split.tuning: border for split, border in zip(found.splits, borders, strict=True)}
    assert chosen[0, 1, 2] == GuidedFilter() and chosen[3, 4, 5] == NoRefinement()
    for place, (split, one) in enumerate(zip(found.splits[:-1], found.tuned[:-1], strict=True)):
        assert found.held_out_pq(place)["global"] == pytest.approx(
            fused_pq(store, one.pipelines["global"], split.held_out, photos), abs=1e-9
        )


def test_of_equal_ones_none_stays():
    assert chosen_border({NO_BORDER: 40.0, BORDER: 40.0}) == NO_BORDER
    assert chosen_border({NO_BORDER: 40.0, BORDER: 40.0001}) == BORDER


def test_workers_change_nothing(store, clear, found):
    shared = tune(store, START, folds=2, image_root=clear[0], workers=2)
    assert shared.tuned == found.tuned and pq_of_images(shared) == pq_of_images(found)
    assert shared.reports == found.reports


def test_progress_is_told_no_more_steps_than_there_are(store, clear):
    seen = []

    def progress(items, total):
        one = [total]
        seen.append(one)
        for item in items:
            one.append(item)
            yield item

    tune(store, START, image_root=clear[0], progress=progress, **SHORT)
    assert all(len(one) - 1 <= one[0] for one in seen)
    # The photos, the regions, and the steps: of these, all that there are if the rule is kept.
    assert [len(one) - 1 == one[0] for one in seen] == [True] * 3


def test_rules_that_are_tuned_pixel_by_pixel_get_it_too(store, clear):
    start = dataclasses.replace(START, claim=LastComes())
    found, without = tune(store, start, image_root=clear[0], **SHORT), tune(store, start, **SHORT)
    assert not found.settings.on_regions
    for place, (one, other) in enumerate(zip(found.tuned, without.tuned, strict=True)):
        assert one.pipelines["global"].border == GuidedFilter() and without_border(one) == dict(other.pipelines)
        by_hand = fused_pq(store, one.pipelines["global"], found.splits[place].tuning, clear[1])
        assert found.tuning_pq(place)["global"] == pytest.approx(by_hand, abs=1e-9)


def test_a_border_rule_of_ones_own_stays(store, grey):
    """Its thresholds are tuned with photos, though none would be better."""
    start = dataclasses.replace(START, border=GuidedFilter(window_radius=2))
    with pytest.raises(InputError, match="border=guided_filter needs the image, but .* holds no images; tune"):
        tune(store, start, **SHORT)
    found = tune(store, start, image_root=grey[0], **SHORT)
    for one in found.tuned:
        assert one.pipelines["global"].border == start.border and not one.borders
    by_hand = fused_pq(store, found.outcome.pipelines["global"], store.image_ids, grey[1])
    assert found.tuning_pq(2)["global"] == pytest.approx(by_hand, abs=1e-9)


def test_gains_are_over_a_model_that_has_such_a_rule(store, clear):
    own = Pipeline(instances_score_thresh=0.3, border=GuidedFilter(window_radius=3))
    remember_pipeline(store.cache, own)
    try:
        found, blind = tune(store, START, image_root=clear[0], **SHORT), tune(store, START, **SHORT)
    finally:
        (store.cache.folder / "fusion.json").unlink()
    assert (found.default.pipeline, found.default.meaning) == (own, MODELS_OWN)
    assert found.report("default").pq["all"] == pytest.approx(fused_pq(store, own, store.image_ids, clear[1]), abs=1e-9)
    assert blind.default.pipeline == Pipeline() and "holds no images" in blind.default.meaning


def test_each_cache_has_its_folder(store, scenes, clear, tmp_path):
    """The images to report on have the same names as those to tune on, and photos of their own."""
    cache = write_cache(tmp_path / "a", scenes[:4], score_floor=0.05)
    first = open_store(cache, *write_gt(tmp_path / "gt", scenes[:4]))
    second = named_store(tmp_path / "b", ("0.jpg", "1.jpg"), scenes=scenes[4:], first_id=4, score_floor=0.05)
    write_photos(tmp_path / "photos", [clear_photo(scene) for scene in scenes[4:]])
    roots = [clear[0], str(tmp_path / "photos")]
    other = tune(first, START, report_cache=second, image_root=roots, stages=("global",))
    named = tune(store, START, tuning_images=[0, 1, 2, 3], image_root=clear[0], stages=("global",))
    assert other.tuned == named.tuned and other.reports == named.reports
    assert other.outcome.pipelines["global"].border == GuidedFilter()
    with pytest.raises(InputError, match="one for each of the 2 caches, that of report_cache last; got 3"):
        tune(first, START, report_cache=second, image_root=[*roots, "c"])


def remove(photo):
    photo.unlink()


def enlarge(photo):
    Image.new("RGB", (81, 64)).save(photo, format="PNG")


def cut_off(photo):
    photo.write_bytes(photo.read_bytes()[:-60])


@pytest.mark.parametrize(
    "damage, told",
    [
        (remove, "3.jpg is missing"),
        (enlarge, "3.jpg is 81x64 pixels, but the cache says 80x64$"),
        (cut_off, "3.jpg cannot be read as an image: "),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_photo_is_told_before_the_work(store, clear, tmp_path, monkeypatch, damage, told, workers):
    monkeypatch.setattr(tuning, "load_images", None)
    write_photos(tmp_path, list(clear[1].values()))
    damage(tmp_path / "3.jpg")
    with pytest.raises(InputError, match=told):
        tune(store, START, image_root=tmp_path, workers=workers, **SHORT)


def test_a_folder_that_is_not_there(store, tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder of images$"):
        tune(store, START, image_root=tmp_path / "nowhere", **SHORT)
