import pytest

from panoptic_heuristic.ablation.regions.store import open_store
from tests.ablation.comparing_caches import IMAGES
from tests.ablation.small_caches import small_scenes, write_cache, write_gt


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(IMAGES)


@pytest.fixture(scope="module")
def store(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_cache(folder / "cache", scenes, score_floor=0.05)
    return open_store(folder / "cache", *write_gt(folder / "gt", scenes))
