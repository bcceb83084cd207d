"""cache-predictions: what a model says is kept as it is, whatever happens on the way."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, default_of
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF
from panoptic_heuristic.cli import cache_predictions
from panoptic_heuristic.fusion import Greedy, Pipeline, fuse
from panoptic_heuristic.fusion.instance_measures import mask_quality
from tests.cli.small_training import SMALL_MODEL, run_command
from tests.conftest import ROOT

TOOL = "tools/cache_predictions.py"
FULL = os.environ.get("PARITY") == "full"
KILLS = 20 if FULL else 2


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def arguments(trained, folder, *flags):
    return ["--config-file", str(SMALL_MODEL), "--cache", str(folder), *flags, *overrides(trained)]


def overrides(trained):
    """A detector's own threshold above the floor, which must not matter."""
    return [*trained.overrides, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", "0.05"]


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory):
    """A cache made in one go, with logits."""
    folder = tmp_path_factory.mktemp("kept") / "cache"
    done = run_command(TOOL, arguments(trained, folder, "--store-logits"))
    assert done.returncode == 0, done.stderr
    assert "3 images run" in done.stdout and "down to a score of 0.01" in done.stdout
    return folder


@pytest.fixture(scope="module")
def outputs(trained):
    """The outputs of the model itself for each image, at the thresholds of the cache and of a user."""
    from panoptic_heuristic.detectron import load_config
    from panoptic_heuristic.detectron.datasets import use_dataset_yaml
    from panoptic_heuristic.detectron.trainer import Trainer, load_model

    found = {}
    for instances_score_thresh in (0.01, 0.05):
        changes = [*trained.overrides, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", str(instances_score_thresh)]
        changes += ["MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH", str(instances_score_thresh)]
        cfg, explicit = load_config(str(SMALL_MODEL), changes)
        use_dataset_yaml(cfg, explicit)
        cfg.freeze()
        model = load_model(cfg).eval()
        with torch.no_grad():
            for batch in Trainer.build_test_loader(cfg, cfg.DATASETS.TEST[0]):
                for record, output in zip(batch, model(batch), strict=True):
                    found[instances_score_thresh, record["image_id"]] = (model, output)
    return found


def test_fusing_what_was_kept_gives_the_models_own_maps(kept, outputs):
    cache = PredictionCache.open(kept)
    segments = 0
    for (instances_score_thresh, image_id), (model, output) in outputs.items():
        predictions = cache.read(image_id)
        instances, semantics = predictions.to_instances(), predictions.to_semantics(cache.manifest.label_to_category)
        pipeline = Pipeline(
            Greedy(model.pipeline.claim.overlap_threshold),
            instances_score_thresh=instances_score_thresh,
            stuff_area_thresh=model.pipeline.stuff_area_thresh,
        )
        result = fuse(instances, semantics, cache.manifest.categories, pipeline)
        expected, expected_segments = output["panoptic_seg"]
        assert np.array_equal(result.panoptic_seg, expected)
        assert [one["id"] for one in result.segments_info] == [one["id"] for one in expected_segments]
        segments += len(expected_segments)
    assert segments > 10


def test_what_is_kept_beside_masks_is_right(kept, outputs):
    cache = PredictionCache.open(kept)
    stuff = {label for label, category_id in cache.manifest.label_to_category.items() if category_id is not None}
    for (instances_score_thresh, image_id), (_, output) in outputs.items():
        if instances_score_thresh != 0.01:
            continue
        predictions = cache.read(image_id)
        assert predictions.scores.tolist() == output["instances"].scores.double().tolist()
        assert np.array_equal(predictions.boxes, output["instances"].pred_boxes.tensor.numpy())
        assert predictions.roi_probabilities.shape[1:] == (28, 28)
        assert ((predictions.mask_quality >= 0.5) | (predictions.mask_quality == 0)).all()
        assert ((predictions.semantic_agreement >= 0) & (predictions.semantic_agreement <= 1)).all()
        assert mask_quality(predictions.to_instances()).tolist() == predictions.mask_quality.tolist()
        runs, probabilities = predictions.semantics, output["sem_seg"].softmax(dim=0).numpy()
        best = runs.to_map(runs.best_stuff, predictions.image_size).astype(int)
        labels = runs.to_map(runs.labels, predictions.image_size).astype(int)
        assert set(np.unique(best)) <= stuff and NO_STUFF not in best
        assert (best[np.isin(labels, list(stuff))] == labels[np.isin(labels, list(stuff))]).all()
        of_best = np.take_along_axis(probabilities, best[None], axis=0)[0]
        assert (of_best == probabilities[sorted(stuff)].max(axis=0)).all()
        above = runs.to_map(runs.above_floor.astype(np.uint8), predictions.image_size).astype(bool)
        clear = np.abs(of_best - 0.25) > 1e-5
        assert (above == (of_best >= 0.25))[clear].all()
        height, width = predictions.image_size
        assert runs.logits.shape == (len(probabilities), -(-height // 4), -(-width // 4))


def test_two_processes_a_stop_and_damage_change_no_byte(trained, kept, tmp_path):
    folder = tmp_path / "cache"
    done = run_command(TOOL, arguments(trained, folder, "--store-logits", "--num-cpu-processes", "2"))
    assert done.returncode == 0, done.stderr
    assert contents(folder) == contents(kept)
    paths = sorted((folder / "predictions").iterdir())
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    untouched = paths[2].stat().st_mtime_ns
    done = run_command(TOOL, arguments(trained, folder, "--store-logits"))
    assert done.returncode == 0 and "2 images run" in done.stdout, done.stderr
    assert contents(folder) == contents(kept)
    assert paths[2].stat().st_mtime_ns == untouched


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(trained, kept, tmp_path):
    rng = random.Random(1)
    folder = tmp_path / "cache"
    command = [sys.executable, str(ROOT / TOOL), *arguments(trained, folder, "--store-logits")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(KILLS):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wanted = rng.randrange(4)
        while process.poll() is None and len(list(folder.glob("predictions/*.arrays"))) < wanted:
            time.sleep(0.002)
        time.sleep(0.02 * rng.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in list(folder.glob("predictions/*.arrays"))[: rng.randrange(3)]:
            path.unlink()
    done = run_command(TOOL, arguments(trained, folder, "--store-logits"))
    assert done.returncode == 0, done.stderr
    assert contents(folder) == contents(kept)


def test_a_cache_of_other_weights_or_floors_is_left_alone(trained, kept, tmp_path, capsys):
    main = cache_predictions.main
    before = contents(kept)
    other = torch.load(trained.folder / "model_final.pth")
    torch.save({"model": other["model"]}, tmp_path / "other.pth")
    for changes, word in (
        (["--store-logits", *overrides(trained), "MODEL.WEIGHTS", str(tmp_path / "other.pth")], "weights"),
        (["--store-logits", "--score-floor", "0.02", *overrides(trained)], "floors.instances_score_thresh"),
        (overrides(trained), "has_logits"),
        (["--store-logits", *overrides(trained), "MODEL.ROI_HEADS.NMS_THRESH_TEST", "0.4"],
         "source.config.MODEL.ROI_HEADS.NMS_THRESH_TEST is 0.5, not 0.4"),
    ):  # fmt: skip
        assert main(["--config-file", str(SMALL_MODEL), "--cache", str(kept), *changes]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "a cache of something else" in error and word in error
    assert contents(kept) == before


def test_thresholds_of_fusing_are_no_part_of_the_predictions(trained, kept):
    """They stand beside them, as the model's own settings, and are those of the last config."""
    before = default_of(PredictionCache.open(kept))
    assert before.meaning == MODELS_OWN and before.pipeline.claim == Greedy(0.5)
    flags = arguments(trained, kept, "--store-logits")
    flags += ["MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH", "0.9"]
    assert cache_predictions.main(flags) == 0
    after = default_of(PredictionCache.open(kept))
    assert after.pipeline == dataclasses.replace(before.pipeline, claim=Greedy(0.9))


def test_nothing_in_a_cache_names_the_machine(kept, trained):
    text = (kept / "manifest.json").read_text()
    assert str(trained.folder) not in text and str(trained.data) not in text
    assert json.loads(text)["source"]["weights"] == "model_final.pth"


@pytest.fixture
def files(kept, trained):
    """The flags that name the result files the evaluators left."""
    folder = trained.folder / "inference" / "shapes_val"
    return [
        "--images", str(trained.data / "val" / "panoptic.json"),
        "--instances", str(folder / "coco_instances_results.json"),
        "--semantics", str(folder / "sem_seg_predictions.json"), "--no-label", "-1",
    ]  # fmt: skip


def panoptic_json(trained):
    return next(path for path in trained.data.rglob("panoptic*.json") if "val" in str(path))


def test_result_files_of_any_system_give_the_maps_of_fuse_predictions(trained, kept, files, tmp_path):
    files[1] = str(panoptic_json(trained))
    flags = ["--cache", str(tmp_path / "cache"), "--score-floor", "0.05", "--workers", "1"]
    assert cache_predictions.main([*files, *flags]) == 0
    cache, from_model = PredictionCache.open(tmp_path / "cache"), PredictionCache.open(kept)
    assert cache.manifest.floors.instances_score_thresh == 0.05
    for image in cache.manifest.images:
        maps = []
        for one in (cache, from_model):
            predictions = one.read(image.image_id)
            instances, semantics = predictions.to_instances(), predictions.to_semantics(one.manifest.label_to_category)
            pipeline = Pipeline(Greedy(0.5), instances_score_thresh=0.06, stuff_area_thresh=30)
            result = fuse(instances, semantics, one.manifest.categories, pipeline)
            maps.append((result.panoptic_seg, result.segments_info))
        names = [
            np.array([-1, *(segment["category_id"] for segment in segments)])[ids] for ids, segments in maps
        ]
        assert (names[0] == names[1]).all()
        assert (maps[0][0] > 0).any()
    before = contents(tmp_path / "cache")
    assert cache_predictions.main([*files, *flags]) == 0
    assert contents(tmp_path / "cache") == before


@pytest.mark.parametrize(
    "flags, words",
    [
        ([], "--config-file to run a model, or --images"),
        (["--config-file", "a", "--images", "b"], "--config-file to run a model, or --images"),
        (["--config-file", "none.yaml"], "there is no file 'none.yaml'"),
        (["--config-file", "{model}", "--score-floor", "1.5"], "--score-floor must be in [0, 1], got 1.5"),
        (["--config-file", "{model}", "--stuff-probability-floor", "2"], "--stuff-probability-floor must be in [0, 1]"),
        (["--config-file", "{model}", "--no-label", "3"], "--no-label means nothing with --config-file"),
        (["--config-file", "{model}", "MODEL.NOTHING", "1"], "MODEL.NOTHING"),
        (["--config-file", "{model}", "MODEL.WEIGHTS", "none.pth"], "none.pth"),
        (["--config-file", "{model}", "MODEL.WEIGHTS", ""], "MODEL.WEIGHTS is empty, and random weights predict"),
        (["--config-file", "{model}", "DATASETS.TEST", "()"], "DATASETS.TEST must name one data set"),
        (["--config-file", "{model}", "DATASETS.TEST", "('shapes_train', 'shapes_val')"], "must name one data set"),
        (["--config-file", "{model}", "DATASETS.TEST", "('none',)"], "DATASETS.TEST names 'none', but"),
        (["--config-file", "{model}", "MODEL.META_ARCHITECTURE", "GeneralizedRCNN"], "take PanopticHeuristicFPN with"),
        (["--config-file", "{model}", "MODEL.META_ARCHITECTURE", "PanopticFPN",
          "MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION", "0.2"], "PanopticFPN does not use MODEL.PANOPTIC_FUSION.STUFF"),
        (["--config-file", "{model}", "--score-floor", "nan"], "--score-floor must be in [0, 1], got nan"),
        (["--images", "none.json"], "nothing to keep"),
        (["--images", "none.json", "--instances", "x.json"], "cannot read none.json"),
        (["--images", "none.json", "--register", "a.py"], "--register means nothing with --images"),
        (["--config-file", "{model}", "--register", "none.py"], "there is no file of data sets 'none.py'"),
        (["--images", "none.json", "--store-logits"], "--store-logits means nothing with --images"),
    ],
)
def test_wrong_input_is_one_sentence(trained, tmp_path, capsys, flags, words):
    flags = [str(SMALL_MODEL) if flag == "{model}" else flag for flag in flags]
    data = trained.overrides if str(SMALL_MODEL) in flags else []
    # KEY VALUE pairs come last.
    own = next((place for place, flag in enumerate(flags) if flag.startswith(("MODEL.", "DATASETS."))), len(flags))
    code = cache_predictions.main(["--cache", str(tmp_path / "c"), *flags[:own], *data, *flags[own:]])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2 and error.startswith("error: ")
    assert words in error


def test_weights_that_are_missing_or_damaged_leave_no_cache(trained, tmp_path, capsys):
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes((trained.folder / "model_final.pth").read_bytes()[:5000])
    for weights, words in ((damaged, "damaged.pth is damaged"), (tmp_path / "none.pth", "cannot read the checkpoint")):
        flags = ["--config-file", str(SMALL_MODEL), "--cache", str(tmp_path / "c"), *trained.overrides[:2]]
        assert cache_predictions.main([*flags, "MODEL.WEIGHTS", str(weights)]) == 2
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
        assert not (tmp_path / "c").exists()


def test_a_folder_that_cannot_be_written_to_is_told(trained, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cache_predictions.main(arguments(trained, tmp_path / "file" / "cache")) == 2
    assert "cannot write to " in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_cache_that_is_a_file_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cache_predictions.main(["--images", "x", "--cache", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
