"""Images as regions, of which memory holds some."""

import gc

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.tuning import images as tuning_images
from panoptic_heuristic.ablation.tuning.images import Chosen, Memory, load_images
from panoptic_heuristic.ablation.tuning.tune import tune
from tests.ablation.small_caches import small_scenes, write_cache, write_gt


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    scenes = small_scenes(6)
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


@pytest.fixture
def reads(monkeypatch):
    """The ids of the images that are read."""
    found, read = [], RegionStore.read

    def noted(self, image_id, **kwargs):
        found.append(image_id)
        return read(self, image_id, **kwargs)

    monkeypatch.setattr(RegionStore, "read", noted)
    return found


def loaded(store, memory, fraction=0.0, calibrated=True):
    return load_images([store], fraction, with_best_stuff=False, calibrated=calibrated, memory=memory)


def test_images_that_memory_has_room_for_are_read_once(store, reads):
    images = loaded(store, Memory())
    for _ in range(3):
        assert [one.image_id for one in images] == list(store.image_ids)
    assert reads == list(store.image_ids)
    assert images[2] is images[2]


def test_images_without_room_are_read_each_time_and_are_the_same(store, reads):
    held, images = loaded(store, Memory()), loaded(store, Memory(0))
    reads.clear()
    for _ in range(2):
        for one, other in zip(held, images, strict=True):
            assert one.image_id == other.image_id
            for name in ("pixels", "cover", "member_regions", "areas", "calibration_features", "masks_on_gt"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert reads == 2 * list(store.image_ids)


def test_what_is_held_stays_within_the_bound(store, reads):
    everything = Memory()
    held = loaded(store, everything)
    memory = Memory(everything.used // 2)
    images = loaded(store, memory)
    assert 0 < memory.used <= everything.used // 2
    reads.clear()
    assert len(list(images)) == len(held) == 6
    # Going through them again reads those that found no room, and lets none of the others go.
    first = list(reads)
    assert 0 < len(first) < 6
    assert [one.image_id for one in images] == list(store.image_ids) and reads == 2 * first


def test_other_sets_make_room(store, reads):
    everything = Memory()
    held = loaded(store, everything)
    memory = Memory(everything.used)
    first, second = loaded(store, memory), loaded(store, memory, 0.001)
    reads.clear()
    assert len(list(second)) == len(held) == 6 and memory.used <= everything.used
    in_second = len(reads)
    assert len(list(first)) == 6 and len(reads) > in_second
    assert first[0].island_area_fraction == 0.0 and second[0].island_area_fraction == 0.001


def test_sets_that_are_gone_take_no_room(store):
    memory = Memory()
    images = loaded(store, memory)
    assert memory.used
    del images
    gc.collect()
    assert not memory.used


def test_some_of_the_images_are_a_sequence(store):
    images = loaded(store, Memory())
    chosen = Chosen(images, (1, 4, 5))
    assert [one.image_id for one in chosen] == [store.image_ids[place] for place in (1, 4, 5)]
    assert len(chosen) == 3 and chosen[-1] is images[5]
    assert [one.image_id for one in images[2:4]] == list(store.image_ids[2:4])
    assert [one.image_id for one in chosen[1:]] == [store.image_ids[place] for place in (4, 5)]


def test_tuning_gives_the_same_whatever_memory_has_room_for(store, monkeypatch, tmp_path):
    written = []
    for name, most in (("all", None), ("none", 0)):
        if most is not None:
            monkeypatch.setattr(tuning_images.Memory.__init__, "__defaults__", (most,))
        tune(store, folds=2).write(tmp_path / name)
        written.append({path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())})
    assert written[0] == written[1]
