"""Messages before a training starts; the training itself is run by the tests of the commands."""

import logging

import pytest

from panoptic_heuristic.detectron import trainer
from panoptic_heuristic.detectron.trainer import effective_instances_score_thresh, log_fusion
from panoptic_heuristic.errors import InputError
from tests.detectron.small_models import small_config

COMBINE = "MODEL.PANOPTIC_FPN.COMBINE."


@pytest.fixture
def logged(caplog, monkeypatch):
    """The log of this project so far."""
    monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
    caplog.set_level(logging.INFO, "panoptic_heuristic")
    return lambda: caplog.text


class TestLearningRate:
    # 0.02 at 16 images scales to 0.005 at 4; a factor of two to either side passes.
    @pytest.mark.parametrize(
        "rate, fits", [(0.0024, False), (0.0025, True), (0.005, True), (0.01, True), (0.0101, False)]
    )
    def test_it_may_differ_by_a_factor_of_two(self, logged, rate, fits):
        cfg = small_config({"SOLVER.BASE_LR": rate, "SOLVER.IMS_PER_BATCH": 4})
        trainer.warn_about_learning_rate(cfg, (0.02, 16))
        assert ("WARNING" not in logged()) == fits

    @pytest.mark.parametrize("batch, scaled", [(1, "0.00125"), (2, "0.0025"), (64, "0.08")])
    def test_the_warning_says_what_would_fit(self, logged, batch, scaled):
        cfg = small_config({"SOLVER.BASE_LR": 0.02, "SOLVER.IMS_PER_BATCH": batch})
        trainer.warn_about_learning_rate(cfg, (0.02, 16))
        rates = f"0.02 at 16 images scales to {scaled}"
        assert f"SOLVER.BASE_LR 0.02 does not fit SOLVER.IMS_PER_BATCH {batch}: {rates}" in logged()


class TestScoreThresh:
    @pytest.mark.parametrize(
        "detector, fusion, thresh", [(0.05, 0.5, 0.5), (0.7, 0.5, 0.7), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)]
    )
    def test_the_larger_one_decides(self, logged, detector, fusion, thresh):
        cfg = small_config(
            {"MODEL.ROI_HEADS.SCORE_THRESH_TEST": detector, f"{COMBINE}INSTANCES_CONFIDENCE_THRESH": fusion}
        )
        assert effective_instances_score_thresh(cfg) == thresh
        log_fusion(cfg)
        text = f"; effective instances_score_thresh {thresh:g}, the larger of it and SCORE_THRESH_TEST {detector:g}\n"
        assert logged().endswith(text)


class TestLogOfFusion:
    def test_rules_and_thresholds_are_told_in_one_line(self, logged):
        log_fusion(small_config({"MODEL.PANOPTIC_FUSION.CLAIM.NAME": "per_pixel", f"{COMBINE}STUFF_AREA_LIMIT": 12.5}))
        assert "fusion preset detectron2: suppress=none order=score claim=per_pixel veto=none stuff=void" in logged()
        areas = "stuff_area_thresh=12.5 stuff_area_fraction=0 thing_area_thresh=0 island_area_fraction=0"
        assert f" {areas}; effective" in logged()

    @pytest.mark.parametrize("flip, versions", [(True, 4), (False, 2)])
    def test_versions_of_each_image_are_told(self, logged, flip, versions):
        log_fusion(small_config())
        assert "TEST.AUG" not in logged()
        log_fusion(
            small_config({"TEST.AUG.ENABLED": True, "TEST.AUG.MIN_SIZES": (32, 64), "TEST.AUG.FLIP": flip})
        )
        assert f"TEST.AUG: the heads say the average of what they say about {versions} versions" in logged()

    def test_a_rule_that_does_not_fit_the_model_is_refused(self):
        # The last label of this head is none of a thing.
        config = small_config({"MODEL.PANOPTIC_FUSION.LEFTOVER.NAME": "components"})
        message = (
            "^MODEL.PANOPTIC_FUSION.LEFTOVER.NAME=components needs semantic labels of single things, "
            r"but MODEL.SEM_SEG_HEAD.NUM_CLASSES=\d+ has one label for all things$"
        )
        with pytest.raises(InputError, match=message):
            log_fusion(config)


class TestNothingToDo:
    def test_nothing_to_train_on(self):
        with pytest.raises(InputError, match="DATASETS.TRAIN names no data set"):
            trainer.train(small_config(), resume=False)

    def test_nothing_to_evaluate_on(self):
        with pytest.raises(InputError, match="DATASETS.TEST names no data set"):
            trainer.evaluate(small_config(), resume=False)
