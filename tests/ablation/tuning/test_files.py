import dataclasses
import json

import numpy as np
import pytest
import yaml

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.files import check_names, config_yaml, tuning_json
from panoptic_heuristic.ablation.tuning.settings import BASELINES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import folds_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Calibrated, ClassAware, Greedy, Nms, PerPixel, Pipeline, Power, Reclaim
from panoptic_heuristic.quality import Interval
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import manifest_of, of_scenes, tuned

CATEGORIES = Categories(
    Category(category_id, name, isthing, (1, 2, category_id))
    for category_id, name, isthing in (
        (0, "potted plant", True), (7, "no", True), (3, "wall: other", False), (9, "sky", False), (4, "1.5", True)
    )
)  # fmt: skip
SINGLE = Pipeline(
    Greedy(0.4, {7: 0.65}),
    0.3,
    1000.0,
    0.0,
    instances_score_thresh_of={0: 0.02, 7: 1e-05},
    stuff_area_thresh_of={9: 81.0},
)
CALIBRATED = Pipeline(
    Greedy(1.0),
    0.05,
    0,
    1.0 / 75,
    order=Calibrated({4: (-1.0, 0.5, 1e-06, 0.0, 2.0)}, {0: 0.25, 4: 1e-05}, (1.0, 2.0, 3.0, 4.0, 5.0), 0.3),
    stuff_area_fraction_of={3: 0.015},
)


def pipeline_of(path) -> Pipeline:
    """The pipeline of a model with this config."""
    from panoptic_heuristic.detectron import load_config

    cfg, _ = load_config(str(path))
    return Pipeline.from_config(cfg, CATEGORIES)


CLASS_AWARE = Pipeline(ClassAware(0.3, free_fraction=0.25, overlap_threshold_of={4: 0.7}))
RECLAIM = Pipeline(Reclaim(0.3, 0.1, "precedence", precedence=((4, 7), (7, 0))))
OTHER_STAGES = Pipeline(PerPixel(), order=Power(1.0, key_cutoff=0.2), suppress=Nms(0.3), thing_area_thresh=9)
PIPELINES = {
    "default": Pipeline(), "single": SINGLE, "calibrated": CALIBRATED, "class_aware": CLASS_AWARE, "reclaim": RECLAIM,
    "other_stages": OTHER_STAGES,
}  # fmt: skip


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_a_config_gives_the_pipeline_it_is_of(pipeline, tmp_path):
    (tmp_path / "tuned.yaml").write_text(config_yaml(pipeline, CATEGORIES))
    assert pipeline_of(tmp_path / "tuned.yaml") == pipeline


def test_a_base_changes_nothing_but_the_rest(tmp_path):
    """Values that another tuning has left in the base are all overruled; relative names hold from anywhere."""
    (tmp_path / "bases").mkdir()
    (tmp_path / "tuned").mkdir()
    rest = "\nMODEL:\n  WEIGHTS: some.pth\n"
    for place, before in enumerate((SINGLE, CALIBRATED, CLASS_AWARE, RECLAIM, OTHER_STAGES)):
        (tmp_path / "rest.yaml").write_text(rest)
        (tmp_path / "bases" / f"{place}.yaml").write_text(config_yaml(before, CATEGORIES, base="../rest.yaml"))
        for pipeline in PIPELINES.values():
            path = tmp_path / "tuned" / "tuned.yaml"
            path.write_text(config_yaml(pipeline, CATEGORIES, base=f"../bases/{place}.yaml"))
            assert pipeline_of(path) == pipeline
            from panoptic_heuristic.detectron import load_config

            assert load_config(str(path))[0].MODEL.WEIGHTS == "some.pth"


def test_a_base_with_other_stages_changes_nothing_either(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "MODEL: {PANOPTIC_FUSION: {PRESET: upsnet, LEFTOVER: {NAME: components}, THINGS: {AREA_LIMIT: 9}}}"
    )
    (tmp_path / "tuned.yaml").write_text(config_yaml(CLASS_AWARE, CATEGORIES, base="base.yaml"))
    assert pipeline_of(tmp_path / "tuned.yaml") == CLASS_AWARE


def test_types_are_those_of_the_keys():
    combine = yaml.safe_load(config_yaml(CALIBRATED, CATEGORIES))["MODEL"]["PANOPTIC_FPN"]["COMBINE"]
    types = {key: type(value) for key, value in combine.items()}
    assert types == {"INSTANCES_CONFIDENCE_THRESH": float, "OVERLAP_THRESH": float, "STUFF_AREA_LIMIT": int}


@pytest.mark.parametrize(
    "pipeline, threshold",
    [(Pipeline(), 0.05), (SINGLE, 1e-05), (CALIBRATED, 0.05),
     (Pipeline(instances_score_thresh=0.01), 0.01), (Pipeline(instances_score_thresh_of={0: 0.0}), 0.0)],
)  # fmt: skip
def test_the_detector_cuts_nothing_that_fusion_may_take(pipeline, threshold):
    found = yaml.safe_load(config_yaml(pipeline, CATEGORIES))["MODEL"]["ROI_HEADS"]["SCORE_THRESH_TEST"]
    assert found == threshold and isinstance(found, float)


def test_two_categories_of_one_name():
    check_names(CATEGORIES)
    twice = Categories([*CATEGORIES.values(), Category(40, "sky", True, (0, 0, 0))])
    with pytest.raises(InputError, match="two categories are called 'sky'"):
        check_names(twice)


# --- all files ---

START = Pipeline(stuff_area_thresh=0.02 * 640 * 480)
SETTINGS = TuningSettings(START, Default(Pipeline(), "drawn by hand"), True, 0.05, 64 * 80)


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(6, image_size=(64, 80), instances=30))


@pytest.fixture(scope="module")
def result(held):
    categories = held.scenes[0].categories
    found = tuned(held.images, categories, SETTINGS, folds_of(6, 2, 0))
    return dataclasses.replace(found, manifests=(manifest_of(held.images, categories, "a set\nof images"),))


def with_reports(result, reports):
    """The same, as if these were its gains."""
    changed = dataclasses.replace(result)
    vars(changed)["reports"] = reports
    return changed


def with_sure(result, *names):
    """The same, as if the gains over the default of these pipelines alone were sure."""
    changed = []
    for report in result.reports:
        interval = Interval(1.0, 2.0) if report.name in names else Interval(-1.0, 2.0)
        gains = [
            dataclasses.replace(gain, interval=interval) if gain.against == "default" else gain for gain in report.gains
        ]
        changed.append(dataclasses.replace(report, gains=tuple(gains)))
    return with_reports(result, tuple(changed))


def test_if_nothing_is_surely_better_the_default_is_written(result, tmp_path):
    written = with_sure(result).write(tmp_path)
    assert [path.name for path in written] == [
        "tuned.yaml", "global.yaml", "per_class.yaml", "calibrated.yaml", "calibrated_by_rule.yaml",
        "calibrated_one_cut.yaml", "tuning.json",
    ]  # fmt: skip
    text = (tmp_path / "tuned.yaml").read_text()
    assert text.startswith("# Fusion settings 'default' for a set of images, ")
    assert "# No others are surely better than these on 6 held-out images: PQ " in text
    assert yaml.safe_load(text)["MODEL"]["PANOPTIC_FPN"]["COMBINE"]["STUFF_AREA_LIMIT"] == 4096
    assert json.loads((tmp_path / "tuning.json").read_text())["chosen"] == "default"
    assert "'global'" in (tmp_path / "global.yaml").read_text().splitlines()[0]


def test_scaled_settings_are_written_if_they_are_the_simplest_that_will_do(result, tmp_path):
    with_sure(result, "scaled").write(tmp_path)
    text = (tmp_path / "tuned.yaml").read_text()
    assert text.startswith("# Fusion settings 'scaled' for a set of images, ")
    assert yaml.safe_load(text)["MODEL"]["PANOPTIC_FUSION"]["STUFF_AREA_FRACTION"] == 0.02


def test_comments_say_what_to_expect(result, tmp_path):
    result.write(tmp_path)
    report = result.report("per_class")
    comments = [line for line in (tmp_path / "per_class.yaml").read_text().splitlines() if line.startswith("#")]
    assert f"# Tuned on 6 images. On 6 held-out images: PQ {report.pq['all']:.2f} (things " in comments[1]
    for against, what in (
        ("default", "the default, drawn by hand: greedy, instances_score_thresh 0.5, overlap_threshold 0.5, "
                    "stuff_area_thresh 4096."),
        ("start", f"start: {START.described()}."),
        ("scaled", f"scaled: {SETTINGS.baselines.scaled.described()}."),
    ):  # fmt: skip
        gain = report.gain(against)
        interval = f"[{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"
        assert f"# {gain.held_out:+.2f} {interval} over {what}" in comments
    best = max(result.reports, key=lambda one: one.pq["all"])
    gain = report.to_best
    interval = f"[{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"
    assert f"# {gain.held_out:+.2f} {interval} to {best.name}, the best of all." in comments
    assert "# Those are of 2 folds, each tuned without the images it is counted on." in comments
    assert "# Predictions: made up." in comments


def test_numbers(result, held):
    data = tuning_json(result)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["format"], data["how"], data["shrinkage"]) == (5, {"folds": 2, "seed": 0}, 1.0)
    assert data["calibration"] == "shared"
    (cache,) = data["caches"]
    assert (cache["dataset_name"], cache["predictions"], cache["images"]) == ("a set\nof images", {"made": "up"}, 6)
    assert data["default"] == {"meaning": "drawn by hand"} and list(data["baselines"]) == list(BASELINES)
    assert data["chosen"] == result.chosen
    categories = held.scenes[0].categories
    for place, report in enumerate(result.reports):
        one = data["held_out"][report.name]
        assert one["pq"] == report.pq["all"] and one["pq_things"] == report.pq["things"]
        counts = result.held_out_counts().of_setting(place, categories)
        assert one["counts"] == {
            str(key): [value.iou_sum, value.tp, value.fp, value.fn] for key, value in counts.items()
        }
        assert [gain["against"] for gain in one["gains"]] == [gain.against for gain in report.gains]
        assert (one["to_best"] and one["to_best"]["held_out"]) == (report.to_best and report.to_best.held_out)
    assert sorted(image for split in data["splits"] for image in split["held_out"]) == list(range(6))
    assert data["outcome"]["pq_tuning"] == result.tuning_pq(2)
    assert data["outcome"]["images"] == 6 and "held_out" not in data["outcome"]
    calibration = data["outcome"]["calibration"]
    assert 0 < calibration["one_cut"] < 1
    assert set(calibration["examples"]) == set(calibration["expected_iou"])
    assert all(0 <= true <= number for number, true in calibration["examples"].values())
    assert [one["instances"] for one in data["reliability"]] == [one.instances for one in result.reliability]
    assert set(data["reliability"][0]) == {"low", "high", "instances", "predicted", "observed"}
    for name, pipeline in result.outcome.pipelines.items():
        kept = data["baselines"] if name in data["baselines"] else data["outcome"]["pipelines"]
        assert Pipeline.from_mapping(json.loads(json.dumps(kept[name]))) == pipeline


def test_groups_that_do_not_occur_are_null(result, held):
    """JSON has no NaN."""
    things = np.array([[category.isthing] for category in held.scenes[0].categories.values()])
    held_out = tuple(
        SettingCounts(*(things * one for one in (image.iou_sum, image.tp, image.fp)), things[:, 0] * image.segments, 1)
        for image in result.held_out
    )
    data = tuning_json(dataclasses.replace(result, held_out=held_out))
    assert data["held_out"]["global"]["pq_stuff"] is None and data["held_out"]["global"]["pq"] > 0
    json.dumps(data, allow_nan=False)
