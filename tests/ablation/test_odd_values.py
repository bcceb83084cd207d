"""Arguments of the ablation that are of another kind are refused in one sentence."""

import pytest

from panoptic_heuristic.ablation import Axis, Grid, attribute, compare, sweep, tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

GRID = Grid(Pipeline())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder, scenes = tmp_path_factory.mktemp("odd"), small_scenes(3)
    panoptic_json, panoptic_root = write_gt(folder / "gt", scenes)
    values = {"gt_json": panoptic_json, "gt_folder": panoptic_root}
    return write_cache(folder / "cache", scenes, score_floor=0.05), values


def test_one_value_is_no_axis():
    with pytest.raises(InputError, match="the values of claim.overlap_threshold must be a list, such as .*; got 0.5"):
        Axis.of("claim.overlap_threshold", 0.5)


@pytest.mark.parametrize(
    "run, message",
    [
        (lambda cache, gt: sweep(None, GRID), "cache must be a folder or a RegionStore, got NoneType"),
        (lambda cache, gt: sweep(cache, GRID, workers="2", **gt), "workers must be a whole number, got '2'"),
        (lambda cache, gt: sweep(cache, GRID, workers=0, **gt), "workers must be at least 1, got 0"),
        (lambda cache, gt: attribute(cache, workers="2", **gt), "workers must be a whole number, got '2'"),
        (lambda cache, gt: tune(cache, workers=1.5, **gt), "workers must be a whole number, got 1.5"),
        (lambda cache, gt: tune(cache, shrinkage="a", **gt), "shrinkage must be in .*, got 'a'"),
        (lambda cache, gt: tune(cache, seed=1.5, **gt), "seed must be a whole number, got 1.5"),
        (lambda cache, gt: tune(cache, tuning_images=5, **gt), "tuning_images must be a list, such as .*; got 5"),
        (lambda cache, gt: tune(cache, stages="global", **gt), r"stages must be a list, such as .*; got 'global'"),
        (lambda cache, gt: tune(cache, stages=[3], **gt), "stages must be some of .*, got 3"),
        (lambda cache, gt: tune(None, **gt), "there is no cache to tune on"),
        (lambda cache, gt: tune(5, **gt), "cache must be a list, such as .*; got 5"),
        (lambda cache, gt: tune([5], **gt), "cache must be a folder or a RegionStore, got int"),
        (lambda cache, gt: compare(cache, {"a": Pipeline()}, seed=1.5, **gt), "seed must be a whole number, got 1.5"),
        (
            lambda cache, gt: compare(cache, {"a": Pipeline()}, tuning_images="5", **gt),
            "tuning_images must be a whole number, got '5'",
        ),
    ],
)
def test_numbers_lists_and_folders(cache, run, message):
    with pytest.raises(InputError, match=message):
        run(cache[0], cache[1])
