"""Keys that the model of a config takes and would ignore."""

import json
import logging

import pytest
from detectron2.modeling import META_ARCH_REGISTRY

from panoptic_heuristic.detectron import PanopticHeuristicFPN
from panoptic_heuristic.detectron.model_keys import check_model_keys, fuses_by_pipeline, pipeline_in_force
from panoptic_heuristic.detectron.trainer import Trainer, log_fusion
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, Pipeline
from tests.detectron.small_models import small_config, small_model
from tests.formats.tiny_panoptic import write_tiny_panoptic

ARCHITECTURE, FUSION = "MODEL.META_ARCHITECTURE", "MODEL.PANOPTIC_FUSION."


@pytest.fixture
def derived():
    """The name of a model that is derived from ours."""
    META_ARCH_REGISTRY.register(type("DerivedFromOurs", (PanopticHeuristicFPN,), {}))
    yield "DerivedFromOurs"
    del META_ARCH_REGISTRY._obj_map["DerivedFromOurs"]


class TestFusionKeys:
    @pytest.mark.parametrize("architecture", ["PanopticFPN", "GeneralizedRCNN", "SemanticSegmentor"])
    def test_those_that_differ_are_named(self, architecture):
        changes = {f"{FUSION}CLAIM.NAME": "per_pixel", f"{FUSION}STUFF_AREA_FRACTION": 0.2}
        with pytest.raises(InputError) as caught:
            check_model_keys(small_config({ARCHITECTURE: architecture, **changes}))
        assert str(caught.value) == (
            f"MODEL.META_ARCHITECTURE {architecture} does not use {FUSION}CLAIM.NAME, {FUSION}STUFF_AREA_FRACTION; "
            "set it to PanopticHeuristicFPN, or leave the keys out"
        )

    @pytest.mark.parametrize("architecture", ["PanopticFPN", "GeneralizedRCNN"])
    def test_untouched_they_do_no_harm(self, architecture):
        check_model_keys(small_config({ARCHITECTURE: architecture}))

    def test_a_model_that_is_derived_from_ours_uses_them(self, derived):
        cfg = small_config({ARCHITECTURE: derived, f"{FUSION}CLAIM.NAME": "per_pixel"})
        check_model_keys(cfg)
        assert fuses_by_pipeline(cfg)

    def test_a_model_that_nothing_registered(self):
        message = "names 'PanopticHeuristicFPM', which nothing has registered; did you mean PanopticHeuristicFPN"
        with pytest.raises(InputError, match=message):
            check_model_keys(small_config({ARCHITECTURE: "PanopticHeuristicFPM"}))


class TestWhatIsInForce:
    COMBINE = {"MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH": 0.25, "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT": 77}

    def test_detectron2s_own_model_has_its_three_thresholds(self):
        # Even where the others were not refused, they are not said to be in force.
        cfg = small_config({ARCHITECTURE: "PanopticFPN", f"{FUSION}STUFF_AREA_FRACTION": 0.2, **self.COMBINE})
        assert pipeline_in_force(cfg) == Pipeline(Greedy(0.25), 0.35, 77)

    def test_a_detector_fuses_nothing(self, caplog, monkeypatch):
        monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
        caplog.set_level(logging.INFO, "panoptic_heuristic")
        cfg = small_config({ARCHITECTURE: "GeneralizedRCNN"})
        assert pipeline_in_force(cfg) is None
        log_fusion(cfg)
        assert "MODEL.META_ARCHITECTURE GeneralizedRCNN has no fusion of this project" in caplog.text

    @pytest.mark.parametrize(
        "architecture, told",
        [("PanopticFPN", "fusion of Detectron2's PanopticFPN: suppress=none"),
         ("PanopticHeuristicFPN", "fusion preset detectron2: suppress=none")],
    )  # fmt: skip
    def test_fusion_json_and_the_log_say_it(self, tmp_path, caplog, monkeypatch, architecture, told):
        monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
        caplog.set_level(logging.INFO, "panoptic_heuristic")
        data = {"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml), "OUTPUT_DIR": str(tmp_path / "out")}
        cfg = small_config({ARCHITECTURE: architecture, **data, **self.COMBINE})
        log_fusion(cfg)
        assert told in caplog.text and "overlap_threshold=0.25" in caplog.text
        Trainer.test(cfg, small_model(cfg))
        stored = json.loads((tmp_path / "out" / "inference" / "fusion.json").read_text())
        assert Pipeline.from_mapping(stored) == Pipeline(Greedy(0.25), 0.35, 77)


class TestKeysOfDetectron2:
    @pytest.mark.parametrize(
        "key, value, message",
        [
            ("MODEL.LOAD_PROPOSALS", True, "is True, but a Panoptic FPN makes its proposals itself; set it to False"),
            ("MODEL.PANOPTIC_FPN.COMBINE.ENABLED", False, "is False, but .* MODEL.PANOPTIC_FUSION.OUTPUTS; set it to"),
        ],
    )
    @pytest.mark.parametrize("architecture", ["PanopticFPN", "PanopticHeuristicFPN"])
    def test_a_panoptic_fpn_ignores_them(self, key, value, message, architecture):
        with pytest.raises(InputError, match=f"^{key} {message}"):
            check_model_keys(small_config({ARCHITECTURE: architecture, key: value}))

    @pytest.mark.parametrize(
        "key, value, message",
        [
            ("MODEL.KEYPOINT_ON", True, "is True, but the data set of DATASETS.PANOPTIC_YAML has no keypoints"),
            ("MODEL.SEM_SEG_HEAD.IGNORE_VALUE", 0, "is 0, but labels .* have it for void; set it to 255"),
        ],
    )
    def test_panoptic_pngs_do_not_have_them(self, tmp_path, key, value, message):
        check_model_keys(small_config({key: value}))
        yaml = {"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)}
        check_model_keys(small_config(yaml))
        with pytest.raises(InputError, match=f"^{key} {message}"):
            check_model_keys(small_config({**yaml, key: value}))
