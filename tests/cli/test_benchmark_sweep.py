import importlib
import sys

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF
from panoptic_heuristic.fusion import Greedy, Pipeline, fuse
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, add_counts, count_image
from panoptic_heuristic.testing.scenes import fingerprint, make_scene, write_ground_truth
from tests.ablation.grids import claims_of, grid_of, limits_of

pytest.importorskip("panopticapi")

SMALL = grid_of(
    (Greedy(0.2), Greedy(0.7)),
    (0.1, 0.5),
    ((64.0, 0.0), (4096.0, 0.0)),
)


@pytest.fixture(scope="module")
def benchmark():
    return importlib.import_module("benchmark")


@pytest.fixture
def sweep(benchmark, monkeypatch):
    """The sub-command, on grids of eight and two settings."""
    module = importlib.import_module("benchmarks.sweep")
    overlaps = grid_of(claims_of(SMALL), (0.3,), limits_of(SMALL)[1:])
    monkeypatch.setattr(module, "GRIDS", {"small": SMALL, "overlaps": overlaps})
    return module


@pytest.fixture(scope="module")
def scenes():
    made = [make_scene(seed, image_size=(60, 80), instances=40, things=3, stuff=4) for seed in range(10, 25)]
    # Else the comparison would leave out some of the rules.
    assert any(segment["iscrowd"] for scene in made for segment in scene.gt_segments)
    assert any((scene.gt_ids == 0).any() for scene in made)
    return made


def test_it_times_both_sides_and_compares_their_counts(sweep, benchmark, capsys):
    options = ["--scenes", "2", "--detections", "20", "--reference-settings", "2", "--rounds", "2"]
    assert benchmark.main(["sweep", *options]) == 0
    first, _, _, *rows, plan, _, disk, decoder, last = capsys.readouterr().out.splitlines()
    made = fingerprint(make_scene(seed, instances=20) for seed in range(2))
    assert first == f"2 scenes of 640x480, 20 detections each, SHA-256 {made}"
    assert last == "the same counts on both sides at 2 settings of each grid"
    assert [row.split()[0] for row in rows] == ["small", "overlaps"]
    assert decoder.startswith("PNGs of ground truth are decoded by ")
    assert "ms per image" in plan and "minutes for 5,000 images" in plan
    assert disk.startswith("on disk per image: ") and disk.endswith(" MB for 5,000 images")
    for row in rows:
        loop, ours, ratio = map(float, row.split()[1:])
        # The ratio is rounded to a whole number, and so are the times to three digits: both errors may add up.
        assert loop > 0 and ours > 0 and abs(ratio - loop / ours) <= 0.5 + 0.02 * loop / ours


def test_different_counts_fail_and_name_the_setting(sweep, benchmark, capsys, monkeypatch):
    right = sweep._ours

    def wrong(folder, grid):
        counts = right(folder, grid)
        counts.fp[5, 3] += 1
        return counts

    monkeypatch.setattr(sweep, "_ours", wrong)
    options = ["--scenes", "1", "--detections", "20", "--reference-settings", "8", "--rounds", "1"]
    assert benchmark.main(["sweep", *options]) == 1
    out = capsys.readouterr().out
    assert "the counts differ at {'claim': 'greedy', 'overlap_threshold': 0.2, 'instances_score_thresh': 0.5" in out
    assert "'stuff_area_thresh': 4096.0" in out and ": category 10: " in out
    assert "ratio" not in out


@pytest.mark.parametrize(
    "change, same",
    [({}, True), ({"iou_sum": 8 * IOU_UNIT + 1000}, True), ({"iou_sum": 8 * IOU_UNIT + 1200}, False)]
    + [({key: 8}, False) for key in ("tp", "fp", "fn")],
)
def test_counts_are_compared_exactly_and_iou_to_1e_9(sweep, change, same):
    counts = {"iou_sum": 8 * IOU_UNIT, "tp": 9, "fp": 9, "fn": 9}
    expected, found = {7: CategoryCounts(**counts)}, {7: CategoryCounts(**{**counts, **change})}
    assert (sweep._difference(expected, found, [3, 7]) is None) == same
    assert (sweep._difference(found, expected, [3, 7]) is None) == same


def test_a_category_that_one_side_lacks_differs_unless_it_is_empty(sweep):
    assert sweep._difference({7: CategoryCounts()}, {}, [3, 7]) is None
    assert "category 3" in sweep._difference({}, {3: CategoryCounts(fn=1)}, [3, 7])


def test_both_grids_have_a_thousand_settings_that_the_references_take(benchmark):
    grids = importlib.import_module("benchmarks.sweep").GRIDS
    lengths = [[len(axis.alternatives) for axis in grid.axes] for grid in grids.values()]
    assert lengths == [[10, 10, 10], [1000, 1, 1]]
    default = Pipeline()
    for grid in grids.values():
        assert default in grid.settings
        assert all(0 <= setting.claim.overlap_threshold < 1 for setting in grid.settings)
        assert all(setting.stuff_area_thresh >= 1 for setting in grid.settings)


def test_the_sample_is_seeded_and_has_its_share_of_every_threshold(sweep):
    assert sweep.sampled(SMALL, 2, seed=3) == sweep.sampled(SMALL, 2, seed=3)
    assert len({tuple(sweep.sampled(SMALL, 2, seed=seed)) for seed in range(20)}) > 5
    for seed in range(20):
        thresholds = [SMALL.settings[number].instances_score_thresh for number in sweep.sampled(SMALL, 2, seed)]
        assert thresholds == [0.1, 0.5]
    assert sorted(sweep.sampled(SMALL, 8, seed=0)) == list(range(8))


def test_the_loop_counts_what_fuse_and_count_image_do(sweep, scenes, tmp_path):
    write_ground_truth(tmp_path, scenes)
    loop = sweep.Loop(sweep._import_references(), tmp_path, scenes)
    for setting in SMALL.settings:
        expected = []
        for scene in scenes:
            result = fuse(scene.instances(), scene.semantics(), scene.categories, setting)
            pred = result.panoptic_seg, result.segments_info
            expected.append(count_image(scene.gt_ids, scene.gt_segments, *pred, scene.categories))
        total = add_counts(expected)
        assert sum(one.tp for one in total.values()) > 0
        assert sweep._difference(loop.counts(setting), total, scenes[0].categories) is None


def test_the_sweep_starts_from_what_the_heads_said(sweep, scenes, tmp_path):
    sweep.store_predictions(tmp_path, scenes)
    cache = PredictionCache.open(tmp_path)
    assert cache.missing() == [] and cache.manifest.categories == scenes[0].categories
    for image_id, scene in enumerate(scenes):
        stored = cache.read(image_id)
        instances = stored.to_instances()
        np.testing.assert_array_equal(stored.scores, scene.scores.astype(np.float64))
        np.testing.assert_array_equal(stored.category_ids, scene.category_ids)
        for index, mask in enumerate(scene.masks):
            painted = np.zeros_like(mask)
            crop = instances.crop(index)
            painted[crop.window] = crop.mask
            np.testing.assert_array_equal(painted, mask)
        semantics = stored.semantics
        np.testing.assert_array_equal(semantics.to_map(semantics.labels, scene.image_size), scene.semantic_labels)
        assert (semantics.best_stuff[semantics.labels == 0] == NO_STUFF).all()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--scenes", "0"], "--scenes, --detections and --rounds must be at least 1"),
        (["--rounds", "0"], "--scenes, --detections and --rounds must be at least 1"),
        (["--reference-settings", "0"], "--reference-settings must be 1 to 1000, and --seed at least 0"),
        (["--reference-settings", "1001"], "--reference-settings must be 1 to 1000, and --seed at least 0"),
        (["--seed", "-1"], "--reference-settings must be 1 to 1000, and --seed at least 0"),
    ],
)
def test_wrong_numbers_are_one_sentence(benchmark, capsys, options, message):
    assert benchmark.main(["sweep", *options]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_missing_reference_is_one_sentence(sweep, benchmark, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "panopticapi", None)
    assert benchmark.main(["sweep"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: this compares with Detectron2 and panopticapi: ") and err.count("\n") == 1
