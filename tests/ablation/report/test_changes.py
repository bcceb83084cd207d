import io

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.report.changes import Pair, draw_change, find_changes
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import CLAIM_REGISTRY, Greedy, fuse
from panoptic_heuristic.quality import add_counts, count_image, summarize
from tests.ablation.report_sweeps import MIXED, small_store, swept
from tests.ablation.small_caches import small_scenes, write_cache, write_gt


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("changes"))


@pytest.fixture(scope="module")
def result(tmp_path_factory, store):
    return swept(tmp_path_factory.mktemp("swept"), store, MIXED)


def pair_of(result, *numbers):
    settings = result.grid.settings
    return Pair(*(settings[number] for number in numbers), result.total().of_settings(numbers))


def score_by_pixels(store, image_id, setting):
    """(PQ, misses, false positives) as fusing and scoring the image gives them."""
    manifest = store.cache.manifest
    predictions = store.cache.read(image_id)
    fused = fuse(
        predictions.to_instances(), predictions.to_semantics(manifest.label_to_category), manifest.categories,
        setting,
    )  # fmt: skip
    counts = count_image(
        *store.gt_of(image_id), fused.panoptic_seg, fused.segments_info, manifest.categories
    )
    total = add_counts({0: one} for one in counts.values())[0]
    return pytest.approx(100 * summarize(counts, manifest.categories).all.pq), total.fn, total.fp


# Equal rules, two rules, and settings that differ in every threshold.
@pytest.mark.parametrize("numbers", [(0, 3), (13, 25), (2, 22)])
def test_each_image_has_the_score_that_its_pixels_have(store, result, numbers):
    pair = pair_of(result, *numbers)
    changes = find_changes(store, pair)
    assert sorted(change.image_id for change in changes) == list(store.image_ids)
    for change in changes:
        for score, setting in ((change.default, pair.default), (change.best, pair.best)):
            assert (score.pq, score.missed, score.false) == score_by_pixels(store, change.image_id, setting)
        assert change.errors == change.best.errors - change.default.errors
        assert change.file_name == f"{change.image_id}.jpg"


def test_most_changed_first_then_by_pq_then_by_id(store, result):
    changes = find_changes(store, pair_of(result, 0, 16))
    keys = [(-abs(change.errors), -abs(change.pq), change.image_id) for change in changes]
    assert keys == sorted(keys)
    assert keys[0][0] < keys[-1][0]


def test_a_rule_that_sees_more_than_regions_is_fused(store, result):
    class Own(Greedy):
        """Greedy by another class, which regions do not know."""

    CLAIM_REGISTRY.register("own")(Own)
    try:
        same = pair_of(result, 4, 12)
        own = [
            setting.replaced({"claim": Own(setting.claim.overlap_threshold)})
            for setting in (same.default, same.best)
        ]  # fmt: skip
        assert find_changes(store, Pair(*own, same.counted)) == find_changes(store, same)
    finally:
        del CLAIM_REGISTRY._obj_map["own"]


def test_other_predictions_than_those_that_were_swept_are_refused(tmp_path, store, result):
    scenes = small_scenes(6, instances=19)
    other = open_store(write_cache(tmp_path / "cache", scenes), *write_gt(tmp_path / "gt", scenes))
    with pytest.raises(InputError, match="other counts than the sweep has: it was made from other predictions"):
        find_changes(other, pair_of(result, 0, 16))


def test_fewer_images_than_were_swept_are_refused(tmp_path, result):
    with pytest.raises(InputError, match="other counts than the sweep has"):
        find_changes(small_store(tmp_path, 5), pair_of(result, 0, 16))


class TestPictures:
    def picture(self, store, result, image_root=None):
        pair = pair_of(result, 0, 16)
        png = draw_change(store, pair, find_changes(store, pair)[0], image_root)
        return np.asarray(Image.open(io.BytesIO(png)))

    def test_with_and_without_the_images(self, store, result, tmp_path):
        for image_id in store.image_ids:
            Image.new("RGB", (65, 48), (250, 2, 200)).save(tmp_path / f"{image_id}.jpg", quality=100)
        without, with_images = self.picture(store, result), self.picture(store, result, tmp_path)
        # Four pictures instead of three, and the first is the image.
        assert with_images.shape[1] > 1.3 * without.shape[1]
        pink = (abs(with_images.astype(int) - (250, 2, 200)) < 8).all(axis=2)
        assert pink[:, : pink.shape[1] // 4].mean() > 0.4
        assert not (abs(without.astype(int) - (250, 2, 200)) < 3).all(axis=2).any()
