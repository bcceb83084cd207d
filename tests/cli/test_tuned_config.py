"""Evaluating with a tuned config finds what tuning promised, count by count."""

import pytest

from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.cli import cache_predictions, train_net
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import Result
from tests.cli.small_training import SMALL_MODEL

PLAIN = "_BASE_: {base}\nMODEL: {{META_ARCHITECTURE: PanopticFPN, PANOPTIC_FUSION: {{STUFF_AREA_FRACTION: 0.2}}}}\n"
RULES = Pipeline().replaced({"claim": "per_pixel", "instances_score_thresh": 0.02, "stuff_area_thresh": 30})


@pytest.fixture(autouse=True)
def ground_truth_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PANOPTIC_HEURISTIC_CACHE", str(tmp_path / "cache of ground truth"))


@pytest.fixture(scope="module")
def predictions(trained, tmp_path_factory):
    """A cache of the trained model's predictions."""
    folder = tmp_path_factory.mktemp("predictions") / "cache"
    flags = ["--config-file", str(SMALL_MODEL), "--cache", str(folder), *trained.overrides]
    assert cache_predictions.main(flags) == 0
    return folder


# A base that is for Detectron2's own model: its rules are not those that were tuned.
@pytest.mark.parametrize("base", [None, PLAIN], ids=["the model's config", "a config of Detectron2's model"])
def test_evaluating_finds_the_promised_counts(trained, predictions, tmp_path, base):
    config = SMALL_MODEL
    if base is not None:
        config = tmp_path / "plain.yaml"
        config.write_text(base.format(base=SMALL_MODEL))
    tuned = tune(predictions, RULES, folds=3, stages=["global"])
    tuned.write(tmp_path / "tuned", config)
    assert_promises_are_kept(tuned, trained, tmp_path)


def test_a_model_sees_the_photos_that_borders_were_tuned_by(trained, predictions, tmp_path):
    """Where its input is as large as they are."""
    rules = RULES.replaced({"border": "guided_filter"})
    tuned = tune(predictions, rules, folds=3, stages=["global"], image_root=trained.data / "val" / "images")
    tuned.write(tmp_path / "tuned", SMALL_MODEL)
    without = tuned.outcome.pipelines["global"].replaced({"border": "none"})
    plain = tune(predictions, without, folds=3, stages=["global"])
    with_border, without_border = (
        one.tuning[-1].of_setting(one.names.index(name), one.categories)
        for one, name in ((tuned, "global"), (plain, "start"))
    )
    assert with_border != without_border
    assert_promises_are_kept(tuned, trained, tmp_path)


def assert_promises_are_kept(tuned, trained, tmp_path):
    for name in ("global", "tuned"):
        out = tmp_path / name
        flags = ["--eval-only", "--config-file", str(tmp_path / "tuned" / f"{name}.yaml"), *trained.overrides]
        assert train_net.main([*flags, "OUTPUT_DIR", str(out)]) == 0
        place = tuned.names.index("global" if name == "global" else tuned.chosen)
        promised = tuned.tuning[-1].of_setting(place, tuned.categories)
        quality = out / "inference" / "shapes_val" / "panoptic_quality" / "quality.json"
        assert Result.from_json(read_json(quality), str(quality)).counts["pq"] == promised
        assert sum(count.tp for count in promised.values()) > 0
