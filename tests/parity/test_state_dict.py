"""Checkpoints go both ways between Detectron2's PanopticFPN and PanopticHeuristicFPN."""

import pytest
import torch

from panoptic_heuristic.detectron import PanopticHeuristicFPN, load_config
from tests.detectron.small_models import CONFIGS, records, small_config, small_model

from detectron2.checkpoint import DetectionCheckpointer  # isort: skip  made importable by the above
from detectron2.modeling import PanopticFPN, build_model  # isort: skip

pytestmark = pytest.mark.parity


def built(cfg, architecture):
    """A model of the config, of parameters without memory where the device is "meta"."""
    cfg = cfg.clone()
    cfg.MODEL.META_ARCHITECTURE = architecture
    return build_model(cfg)


@pytest.mark.parametrize("depth", ["R_50_1x", "R_101_3x"])
def test_keys_and_shapes(depth):
    file = CONFIGS / "COCO-PanopticSegmentation" / f"panoptic_heuristic_fpn_{depth}.yaml"
    cfg, _ = load_config(str(file), ["MODEL.DEVICE", "meta"])
    with torch.device("meta"):
        ours, theirs = built(cfg, "PanopticHeuristicFPN"), built(cfg, "PanopticFPN")
    assert (type(ours), type(theirs)) == (PanopticHeuristicFPN, PanopticFPN)
    shapes = [{key: tuple(value.shape) for key, value in model.state_dict().items()} for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    # It is the model meant: 23 blocks in the fourth stage or 6, 54 semantic labels, 80 things.
    assert f"backbone.bottom_up.res4.{22 if '101' in depth else 5}.conv1.weight" in shapes[0]
    assert shapes[0]["sem_seg_head.predictor.weight"][0] == 54
    assert shapes[0]["roi_heads.mask_head.predictor.weight"][0] == 80


@pytest.mark.parametrize("saved_by, loaded_by", [("ours", "theirs"), ("theirs", "ours")])
def test_a_checkpoint_of_one_loads_in_the_other(tmp_path, saved_by, loaded_by):
    cfg = small_config()
    architecture = {"ours": "PanopticHeuristicFPN", "theirs": "PanopticFPN"}
    saved_cfg = cfg.clone()
    saved_cfg.MODEL.META_ARCHITECTURE = architecture[saved_by]
    saved = small_model(saved_cfg, seed=5)
    DetectionCheckpointer(saved, str(tmp_path)).save("model")
    loaded = built(cfg, architecture[loaded_by]).eval()
    batch = records((64, 64, 48, 70), (50, 40, 50, 40), seed=5)

    def maps(model):
        with torch.no_grad():
            return [output["panoptic_seg"] for output in model(batch)]

    before = maps(loaded)
    DetectionCheckpointer(loaded).load(str(tmp_path / "model.pth"))
    for (our_map, our_segments), (their_map, their_segments) in zip(maps(saved), maps(loaded), strict=True):
        assert torch.equal(our_map, their_map)
        known = ("id", "isthing", "category_id", "score", "instance_id")
        ours, theirs = (
            [{key: segment[key] for key in known if key in segment} for segment in segments]
            for segments in (our_segments, their_segments)
        )
        assert ours == theirs
        assert {segment["isthing"] for segment in ours} == {True, False}
    assert not torch.equal(before[0][0], maps(loaded)[0][0])
