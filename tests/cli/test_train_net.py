"""train-net from its options to the files it writes, on a handful of images."""

import json
import re
import shutil

import pytest
import torch

from panoptic_heuristic.cli.train_net import build_parser, set_up_config
from panoptic_heuristic.cli.train_net import main as train_net
from panoptic_heuristic.detectron.trainer import Trainer
from tests.cli.small_training import SMALL_MODEL, panopticapi_quality, run_command


@pytest.fixture(autouse=True)
def ground_truth_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PANOPTIC_HEURISTIC_CACHE", str(tmp_path / "cache"))


def evaluate(trained, folder, *overrides):
    """The results of an evaluation of the trained model."""
    options = ["--eval-only", "--config-file", str(SMALL_MODEL)]
    assert train_net([*options, *trained.overrides, "OUTPUT_DIR", str(folder), *overrides]) == 0
    return results_in(folder)


def results_in(folder):
    return json.loads((folder / "inference" / "results.json").read_text(), parse_constant=pytest.fail)


def test_training_writes_what_detectron2_users_expect(trained):
    for name in ("model_final.pth", "model_best.pth", "last_checkpoint", "metrics.json", "log.txt", "config.yaml"):
        assert (trained.folder / name).exists(), name
    assert list(trained.folder.glob("events.out.tfevents.*"))
    assert (trained.folder / "last_checkpoint").read_text() == "model_final.pth"
    log = (trained.folder / "log.txt").read_text()
    assert "8 thing categories, 8 stuff categories; MODEL.ROI_HEADS.NUM_CLASSES = 8" in log
    assert "fusion preset detectron2: suppress=none order=score claim=greedy(overlap_threshold=" in log
    # One batch after the other, and what the network waited for.
    assert re.search(r"3 batches: .* s in the network, .* s waiting for data, .* s waiting for scoring, ", log)
    assert "effective instances_score_thresh 0, the larger of it and SCORE_THRESH_TEST 0" in log


def test_results_hold_every_metric_and_are_valid_json(trained):
    results = results_in(trained.folder)
    assert set(results) == {"bbox", "segm", "sem_seg", "panoptic_seg"}
    assert set(results["panoptic_seg"]) == {"PQ", "SQ", "RQ", "PQ_th", "SQ_th", "RQ_th", "PQ_st", "SQ_st", "RQ_st"}
    assert results["sem_seg"]["mIoU"] > 0


def test_best_checkpoint_is_a_whole_training_state(trained):
    best = torch.load(trained.folder / "model_best.pth", map_location="cpu")
    assert {"model", "trainer", "iteration"} <= set(best)


def test_evaluation_equals_the_one_after_training_and_panopticapi_on_the_files(trained, tmp_path):
    results = evaluate(trained, tmp_path, "TEST.KEEP_PANOPTIC_PREDICTIONS", "True")
    assert results == results_in(trained.folder)
    by_hand = panopticapi_quality(trained.data / "val", tmp_path / "inference" / "shapes_val")
    assert results["panoptic_seg"]["PQ"] == pytest.approx(100 * by_hand["All"]["pq"], abs=1e-9)
    assert results["panoptic_seg"]["PQ"] > 0


def test_two_cpu_processes_give_the_results_of_one(trained, tmp_path):
    done = run_command(
        "tools/train_net.py",
        ["--eval-only", "--num-cpu-processes", "2", "--config-file", str(SMALL_MODEL), *trained.overrides,
         "OUTPUT_DIR", str(tmp_path), "TEST.KEEP_PANOPTIC_PREDICTIONS", "True"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log.txt.rank1").exists()
    assert results_in(tmp_path) == results_in(trained.folder)
    predictions = json.loads((tmp_path / "inference" / "shapes_val" / "panoptic_predictions.json").read_text())
    assert len({one["image_id"] for one in predictions["annotations"]}) == len(predictions["annotations"]) == 3


def test_an_error_in_one_of_two_processes_is_one_sentence(trained, tmp_path):
    done = run_command(
        "tools/train_net.py",
        ["--eval-only", "--num-cpu-processes", "2", "--config-file", str(SMALL_MODEL), *trained.overrides,
         "OUTPUT_DIR", str(tmp_path), "MODEL.WEIGHTS", "none.pth"],
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: cannot read the checkpoint none.pth")


def test_resuming_goes_on_where_training_stopped(trained, tmp_path):
    run = shutil.copytree(trained.folder, tmp_path / "run")
    options = ["--resume", "--config-file", str(SMALL_MODEL)]
    assert train_net([*options, *trained.overrides, "OUTPUT_DIR", str(run), "SOLVER.MAX_ITER", "42"]) == 0
    assert torch.load(run / "model_final.pth", map_location="cpu")["iteration"] == 41
    assert "Starting training from iteration 40" in (run / "log.txt").read_text()


def test_a_resumed_training_has_weights_momentum_and_learning_rate_of_then(trained, tmp_path):
    run = shutil.copytree(trained.folder, tmp_path / "run")
    options = ["--resume", "--config-file", SMALL_MODEL, *trained.overrides, "OUTPUT_DIR", run]
    resumed = Trainer(set_up_config(build_parser().parse_args(list(map(str, options)))))
    resumed.resume_or_load(resume=True)
    kept = torch.load(run / "model_final.pth", map_location="cpu")
    ours = resumed._trainer.optimizer.state_dict()
    assert resumed.start_iter == kept["iteration"] + 1
    assert all(torch.equal(value, kept["model"][name]) for name, value in resumed.model.state_dict().items())
    assert ours["param_groups"] == kept["optimizer"]["param_groups"] and ours["state"]
    for name, state in kept["optimizer"]["state"].items():
        assert torch.equal(ours["state"][name]["momentum_buffer"], state["momentum_buffer"])


def test_a_saved_config_reproduces_the_evaluation(trained, tmp_path):
    options = ["--eval-only", "--config-file", str(trained.folder / "config.yaml")]
    assert train_net([*options, "OUTPUT_DIR", str(tmp_path), *trained.overrides]) == 0
    assert results_in(tmp_path) == results_in(trained.folder)


@pytest.mark.parametrize(
    "overrides", [("MODEL.PANOPTIC_FUSION.MAP_FORMAT", "label_divisor"), ("TEST.PANOPTIC_EVALUATOR", "detectron2")]
)
def test_neither_the_map_format_nor_the_evaluator_changes_a_number(trained, tmp_path, overrides):
    results = evaluate(trained, tmp_path, *overrides)
    assert results["panoptic_seg"] == pytest.approx(results_in(trained.folder)["panoptic_seg"], abs=1e-9)


def test_thresholds_change_the_map_but_not_the_heads(trained, tmp_path):
    """Fusion is the last step: AP and mIoU do not know it, PQ does."""
    limit = "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT"
    with_stuff = evaluate(trained, tmp_path / "a", limit, "0.0")
    without = evaluate(trained, tmp_path / "b", limit, "1e9")
    assert with_stuff["segm"] == without["segm"] and with_stuff["sem_seg"] == without["sem_seg"]
    assert with_stuff["panoptic_seg"]["PQ_st"] > without["panoptic_seg"]["PQ_st"] == 0


def test_real_images_train_and_evaluate(coco_sample, tmp_path):
    """Two photographs of COCO as a user's own data set: 80 things, 53 stuff, crowds and void."""
    paths = {
        "image_root": str(coco_sample / "images"),
        "panoptic_json": str(coco_sample / "panoptic.json"),
        "panoptic_root": str(coco_sample / "panoptic"),
    }
    sample = tmp_path / "sample.yaml"
    sample.write_text(json.dumps({"name": "sample", "splits": {"train": paths, "val": paths}}))
    assert train_net(
        ["--config-file", str(SMALL_MODEL), "DATASETS.PANOPTIC_YAML", str(sample), "OUTPUT_DIR", str(tmp_path / "run"),
         "SOLVER.MAX_ITER", "3", "TEST.KEEP_PANOPTIC_PREDICTIONS", "True"],
    ) == 0  # fmt: skip
    results = results_in(tmp_path / "run")
    by_hand = panopticapi_quality(coco_sample, tmp_path / "run" / "inference" / "sample_val")
    assert results["panoptic_seg"]["PQ"] == pytest.approx(100 * by_hand["All"]["pq"], abs=1e-9)


def damaged_checkpoint(trained, tmp_path):
    path = tmp_path / "damaged.pth"
    path.write_bytes((trained.folder / "model_final.pth").read_bytes()[:5000])
    return ["MODEL.WEIGHTS", str(path)], "damaged.pth is damaged or no checkpoint"


def text_as_checkpoint(trained, tmp_path):
    path = tmp_path / "text.pth"
    path.write_text("no checkpoint")
    return ["MODEL.WEIGHTS", str(path)], "text.pth is damaged or no checkpoint"


def missing_checkpoint(trained, tmp_path):
    return ["MODEL.WEIGHTS", str(tmp_path / "none.pth")], "cannot read the checkpoint"


def no_checkpoint(trained, tmp_path):
    return ["MODEL.WEIGHTS", ""], "MODEL.WEIGHTS is empty, and random weights predict nothing; name a checkpoint"


def weights_of_another_number_of_classes(trained, tmp_path):
    state = torch.load(trained.folder / "model_final.pth")
    state["model"] = {key: value for key, value in state["model"].items() if "box_predictor" not in key}
    torch.save(state, tmp_path / "half.pth")
    return ["MODEL.WEIGHTS", str(tmp_path / "half.pth")], "half.pth has no fitting weights for 4 parameters"


def weights_of_another_order_of_classes(trained, tmp_path):
    data = shutil.copytree(trained.data, tmp_path / "data")
    names = trained.config["DATASETS"]["THING_CLASSES"]
    with open(data / "shapes.yaml", "a", encoding="utf-8") as file:
        file.write(f"class_order: {{things: {[*names[1::-1], *names[2:]]}}}\n")
    overrides = ["DATASETS.PANOPTIC_YAML", str(data / "shapes.yaml")]
    return overrides, f"{names[0]!r} as class 0 of thing_classes, where the data set has {names[1]!r}; name the order"


def data_set_that_nothing_registered(trained, tmp_path):
    overrides = ["DATASETS.PANOPTIC_YAML", "", "DATASETS.TEST", "('coco_2017_val_panoptic_separate',)"]
    return overrides, "did you mean coco_2017_val_panoptic_separated"


def coco_that_is_not_there(trained, tmp_path):
    overrides = ["DATASETS.PANOPTIC_YAML", "", "DATASETS.TEST", "('coco_2017_val_panoptic_separated',)"]
    return overrides, "there is no datasets/coco/annotations/instances_val2017.json"


def dense_crf_on_grey_images(trained, tmp_path):
    overrides = ["MODEL.PANOPTIC_FUSION.BORDER.NAME", "dense_crf", "INPUT.FORMAT", "L"]
    overrides += ["MODEL.PIXEL_MEAN", "[118.0]", "MODEL.PIXEL_STD", "[60.0]"]
    return overrides, "INPUT.FORMAT L is neither RGB nor BGR"


def unknown_evaluator(trained, tmp_path):
    return ["TEST.PANOPTIC_EVALUATOR", "panopticapi"], "TEST.PANOPTIC_EVALUATOR must be quality or detectron2"


def predictions_of_no_map(trained, tmp_path):
    overrides = ["TEST.KEEP_PANOPTIC_PREDICTIONS", "True", "MODEL.PANOPTIC_FUSION.OUTPUTS", "['sem_seg']"]
    return overrides, "but there is no panoptic map of shapes_val (evaluator_type coco_panoptic_seg, outputs sem_seg)"


def typo_in_a_key(trained, tmp_path):
    prefix = "MODEL.PANOPTIC_FPN.COMBINE."
    return [f"{prefix}OVERLAP_TRESH", "0.4"], f"did you mean {prefix}OVERLAP_THRESH?"


def contradicting_class_count(trained, tmp_path):
    return ["MODEL.ROI_HEADS.NUM_CLASSES", "80"], "MODEL.ROI_HEADS.NUM_CLASSES is 80 in the config, but"


def missing_data_set(trained, tmp_path):
    return ["DATASETS.PANOPTIC_YAML", str(tmp_path / "none.yaml")], "cannot read the data set file"


def unknown_rule(trained, tmp_path):
    return ["MODEL.PANOPTIC_FUSION.CLAIM.NAME", "gready"], "CLAIM.NAME must be one of adaptive, class_aware, greedy"


def threshold_out_of_range(trained, tmp_path):
    key = "MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH"
    return [key, "1.5"], f"{key} must be a finite number in [0, 1], got 1.5"


def map_format_that_detectron2_misreads(trained, tmp_path):
    overrides = ["MODEL.PANOPTIC_FUSION.MAP_FORMAT", "label_divisor", "TEST.PANOPTIC_EVALUATOR", "detectron2"]
    return overrides, "which misreads MODEL.PANOPTIC_FUSION.MAP_FORMAT label_divisor"


def fusion_keys_of_another_model(trained, tmp_path):
    rule = "MODEL.PANOPTIC_FUSION.CLAIM.NAME"
    overrides = ["MODEL.META_ARCHITECTURE", "PanopticFPN", rule, "per_pixel"]
    return overrides, f"MODEL.META_ARCHITECTURE PanopticFPN does not use {rule}; set it to PanopticHeuristicFPN"


def png_of_another_size(trained, tmp_path):
    data = shutil.copytree(trained.data, tmp_path / "data")
    content = json.loads((data / "val" / "panoptic.json").read_text())
    content["images"][0]["height"] += 1
    (data / "val" / "panoptic.json").write_text(json.dumps(content))
    return ["DATASETS.PANOPTIC_YAML", str(data / "shapes.yaml")], "pixels, but the JSON says"


def id_that_the_json_lacks(trained, tmp_path):
    data = shutil.copytree(trained.data, tmp_path / "data")
    content = json.loads((data / "val" / "panoptic.json").read_text())
    del content["annotations"][0]["segments_info"][0]
    (data / "val" / "panoptic.json").write_text(json.dumps(content))
    return ["DATASETS.PANOPTIC_YAML", str(data / "shapes.yaml")], "which the JSON does not list"


@pytest.mark.parametrize(
    "mistake",
    [
        damaged_checkpoint,
        text_as_checkpoint,
        missing_checkpoint,
        no_checkpoint,
        weights_of_another_number_of_classes,
        weights_of_another_order_of_classes,
        data_set_that_nothing_registered,
        coco_that_is_not_there,
        dense_crf_on_grey_images,
        unknown_evaluator,
        predictions_of_no_map,
        typo_in_a_key,
        contradicting_class_count,
        missing_data_set,
        unknown_rule,
        threshold_out_of_range,
        map_format_that_detectron2_misreads,
        fusion_keys_of_another_model,
        png_of_another_size,
        id_that_the_json_lacks,
    ],
)
def test_wrong_input_ends_in_one_sentence(trained, tmp_path, capsys, mistake):
    overrides, sentence = mistake(trained, tmp_path)
    options = ["--eval-only", "--config-file", str(SMALL_MODEL)]
    assert train_net([*options, *trained.overrides, "OUTPUT_DIR", str(tmp_path / "run"), *overrides]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and sentence in last


@pytest.mark.parametrize("mistake", [missing_checkpoint, data_set_that_nothing_registered, unknown_rule])
def test_what_is_refused_before_the_work_leaves_nothing(trained, tmp_path, mistake):
    overrides, _ = mistake(trained, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    options = ["--eval-only", "--config-file", str(SMALL_MODEL), *trained.overrides]
    assert train_net([*options, "OUTPUT_DIR", str(tmp_path / "out"), *overrides]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_wrong_with_the_weights_is_told_first(trained, tmp_path, capfd):
    data = trained.overrides[:2]
    for flags in (["--eval-only"], []):
        options = [*flags, "--config-file", str(SMALL_MODEL), *data, "OUTPUT_DIR", str(tmp_path / "run")]
        assert train_net([*options, "MODEL.WEIGHTS", "none.pth"]) == 2
        # Nothing is logged before it, and nothing is written.
        assert capfd.readouterr().err.count("\n") == 1
        assert not (tmp_path / "run").exists()


def test_a_wrong_png_in_training_is_told_from_the_loader_process(trained, tmp_path, capsys):
    data = shutil.copytree(trained.data, tmp_path / "data")
    for path in (data / "train" / "panoptic").iterdir():
        path.write_bytes(b"no picture")
    overrides = ["DATASETS.PANOPTIC_YAML", str(data / "shapes.yaml"), "DATALOADER.NUM_WORKERS", "1"]
    assert train_net(["--config-file", str(SMALL_MODEL), "OUTPUT_DIR", str(tmp_path / "run"), *overrides]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and last.endswith("is not a PNG")


def test_half_precision_without_a_gpu_is_refused(trained, tmp_path, capsys):
    """In training alone: a model that was trained on GPUs is evaluated on the CPU with the config it left."""
    options = ["--config-file", str(SMALL_MODEL), *trained.overrides, "OUTPUT_DIR", str(tmp_path / "run")]
    options += ["SOLVER.AMP.ENABLED", "True"]
    assert train_net(options) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: SOLVER.AMP.ENABLED ") and last.endswith("add SOLVER.AMP.ENABLED False")
    assert train_net(["--eval-only", *options]) == 0


def test_training_on_several_cpu_processes_is_refused(capsys):
    assert train_net(["--config-file", str(SMALL_MODEL), "--num-cpu-processes", "2"]) == 2
    assert "needs --num-gpus" in capsys.readouterr().err


def test_a_config_file_is_needed(capsys):
    assert train_net(["MODEL.DEVICE", "cpu"]) == 2
    assert capsys.readouterr().err == "error: --config-file is needed; see --help\n"


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        train_net(["--help"])
    assert stop.value.code == 0
    assert "--eval-only --config-file" in capsys.readouterr().out
