import dataclasses
import json

import pytest
import yaml

from panoptic_heuristic.ablation.cache.folder import Floors, Manifest
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.files import check_names, config_yaml, described, tuning_json, write_tuning
from panoptic_heuristic.ablation.tuning.gains import stage_reports, tuning_pq
from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines
from panoptic_heuristic.ablation.tuning.parts import fold_parts
from panoptic_heuristic.ablation.tuning.tune import TuningSettings, run_tuning
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Calibrated, ClassAware, Greedy, Pipeline, Reclaim
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import of_scenes

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
    """What a model with this config fuses by."""
    from panoptic_heuristic.detectron import load_config

    cfg, _ = load_config(str(path))
    return Pipeline.from_config(cfg, CATEGORIES)


CLASS_AWARE = Pipeline(ClassAware(0.3, free_fraction=0.25, overlap_threshold_of={4: 0.7}))
RECLAIM = Pipeline(Reclaim(0.3, 0.1, "precedence", precedence=((4, 7), (7, 0))))
PIPELINES = {
    "default": Pipeline(), "single": SINGLE, "calibrated": CALIBRATED, "class_aware": CLASS_AWARE, "reclaim": RECLAIM
}  # fmt: skip


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_a_config_gives_the_pipeline_it_is_of(pipeline, tmp_path):
    (tmp_path / "tuned.yaml").write_text(config_yaml(pipeline, CATEGORIES))
    assert pipeline_of(tmp_path / "tuned.yaml") == pipeline


def test_a_base_changes_nothing_but_the_rest(tmp_path):
    """What another tuning has left in the base is all overruled; relative names hold from anywhere."""
    (tmp_path / "bases").mkdir()
    (tmp_path / "tuned").mkdir()
    rest = "\nMODEL:\n  WEIGHTS: some.pth\n"
    for place, before in enumerate((SINGLE, CALIBRATED, CLASS_AWARE, RECLAIM)):
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
    "pipeline, cutoff",
    [(Pipeline(), 0.05), (SINGLE, 1e-05), (CALIBRATED, 0.05),
     (Pipeline(instances_score_thresh=0.01), 0.01), (Pipeline(instances_score_thresh_of={0: 0.0}), 0.0)],
)  # fmt: skip
def test_the_detector_cuts_nothing_that_fusion_may_take(pipeline, cutoff):
    found = yaml.safe_load(config_yaml(pipeline, CATEGORIES))["MODEL"]["ROI_HEADS"]["SCORE_THRESH_TEST"]
    assert found == cutoff and isinstance(found, float)


def test_two_categories_of_one_name():
    check_names(CATEGORIES)
    twice = Categories([*CATEGORIES.values(), Category(40, "sky", True, (0, 0, 0))])
    with pytest.raises(InputError, match="two categories are called 'sky'"):
        check_names(twice)


def test_descriptions():
    assert described(Pipeline()) == "score 0.5, overlap 0.5, stuff 4096 pixels"
    assert described(CLASS_AWARE) == "class_aware, score 0.5, overlap 0.3, stuff 4096 pixels"
    assert described(CALIBRATED) == "score 0.05, overlap 1, stuff 0.013333 of the image"


# --- all files ---

SETTINGS = TuningSettings(Baselines.of_values(0.5, 0.5, 60, 0.02), 0.05)


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(6, image_size=(64, 80), instances=30))


@pytest.fixture(scope="module")
def result(held):
    return run_tuning(held.images, held.scenes[0].categories, SETTINGS, fold_parts(6, 2, 0))


@pytest.fixture(scope="module")
def manifest(held):
    floors = Floors(0.05, 100, None)
    return Manifest("a set\nof images", held.scenes[0].categories, {}, (), floors, False, {"made": "up"})


def test_if_no_stage_is_better_the_scaled_default_is_written(result, manifest, tmp_path):
    reports = []
    for report in stage_reports(result, replicates=2):
        gains = tuple(dataclasses.replace(gain, held_out=-0.01) for gain in report.gains)
        reports.append(dataclasses.replace(report, gains=gains))
    written = write_tuning(tmp_path, result, reports, SETTINGS, manifest, how={})
    assert [path.name for path in written] == [
        "tuned.yaml", "global.yaml", "per_class.yaml", "calibrated.yaml", "calibrated_factor.yaml",
        "calibrated_one_cut.yaml", "tuning.json",
    ]  # fmt: skip
    text = (tmp_path / "tuned.yaml").read_text()
    assert text.startswith("# Fusion settings 'scaled' for a set of images, ")
    assert "# No tuned settings were better than these on 6 held-out images: PQ " in text
    assert yaml.safe_load(text)["MODEL"]["PANOPTIC_FUSION"]["STUFF_AREA_FRACTION"] == 0.02
    assert json.loads((tmp_path / "tuning.json").read_text())["chosen"] == "scaled"
    assert "'global'" in (tmp_path / "global.yaml").read_text().splitlines()[0]


def test_comments_say_what_to_expect(result, manifest, tmp_path):
    reports = stage_reports(result, replicates=20)
    write_tuning(tmp_path, result, reports, SETTINGS, manifest, how={})
    report = reports[3]
    comments = [line for line in (tmp_path / "per_class.yaml").read_text().splitlines() if line.startswith("#")]
    assert f"# Tuned on 6 images. On 6 held-out images: PQ {report.pq['all']:.2f} (things " in comments[1]
    gain = report.gain("scaled")
    interval = f"[{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"
    assert f"# {gain.held_out:+.2f} {interval} over score 0.5, overlap 0.5, stuff 0.02 of the image." in comments
    assert "# Those are of 2 folds, each tuned without the images it is counted on." in comments
    assert comments[-1] == "# Predictions: made up."


def test_numbers(result, manifest, held):
    reports = stage_reports(result, replicates=20)
    data = tuning_json(result, reports, SETTINGS, manifest, {"folds": 2, "seed": 0})
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["format"], data["how"], data["shrinkage"]) == (1, {"folds": 2, "seed": 0}, 1.0)
    categories = held.scenes[0].categories
    for place, report in enumerate(reports):
        one = data["held_out"][report.name]
        assert one["pq"] == report.pq["all"] and one["pq_things"] == report.pq["things"]
        counts = result.held_out_counts().of_setting(place, categories)
        assert one["counts"] == {
            str(key): [value.iou_sum, value.tp, value.fp, value.fn] for key, value in counts.items()
        }
        assert [gain["against"] for gain in one["gains"]] == [gain.against for gain in report.gains]
    assert sorted(image for part in data["parts"] for image in part["held_out"]) == list(range(6))
    assert data["outcome"]["pq_tuning"] == tuning_pq(result, 2)
    assert data["outcome"]["images"] == 6 and "held_out" not in data["outcome"]
    assert data["outcome"]["calibration"]["factor"] > 0


def test_groups_that_do_not_occur_are_null(result, manifest, held):
    """JSON has no NaN."""
    categories = held.scenes[0].categories
    stuff = [not category.isthing for category in categories.values()]
    table, segments = result.held_out.copy(), result.segments.copy()
    table[:, :, stuff] = 0
    segments[:, stuff] = 0
    without = dataclasses.replace(result, held_out=table, segments=segments)
    data = tuning_json(without, stage_reports(without, replicates=2), SETTINGS, manifest, {})
    assert data["held_out"]["global"]["pq_stuff"] is None and data["held_out"]["global"]["pq"] > 0
    json.dumps(data, allow_nan=False)
    assert isinstance(without.held_out_counts(), SettingCounts)
