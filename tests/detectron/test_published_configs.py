"""The COCO configs are Detectron2's published ones, in all that decides a training."""

from pathlib import Path

import pytest

from panoptic_heuristic.detectron import load_config

COCO = Path(__file__).resolve().parents[2] / "configs" / "COCO-PanopticSegmentation"

# name: (ResNet, iterations, learning rate drops), from Detectron2's model zoo.
PUBLISHED = {
    "R_50_1x": (50, 90_000, (60_000, 80_000)),
    "R_50_3x": (50, 270_000, (210_000, 250_000)),
    "R_101_3x": (101, 270_000, (210_000, 250_000)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_schedule_and_weights(name):
    depth, iterations, steps = PUBLISHED[name]
    cfg, _ = load_config(str(COCO / f"panoptic_heuristic_fpn_{name}.yaml"))
    assert cfg.MODEL.META_ARCHITECTURE == "PanopticHeuristicFPN"
    assert cfg.MODEL.WEIGHTS == f"detectron2://ImageNetPretrained/MSRA/R-{depth}.pkl"
    assert cfg.MODEL.RESNETS.DEPTH == depth
    assert (cfg.SOLVER.MAX_ITER, tuple(cfg.SOLVER.STEPS)) == (iterations, steps)
    assert (cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.BASE_LR) == (16, 0.02)
    assert cfg.MODEL.SEM_SEG_HEAD.LOSS_WEIGHT == 0.5
    assert cfg.DATASETS.TRAIN == ("coco_2017_train_panoptic_separated",)
    assert cfg.DATASETS.TEST == ("coco_2017_val_panoptic_separated",)
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (80, 54)
    assert not cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS


def test_output_folders_differ():
    folders = {load_config(str(path))[0].OUTPUT_DIR for path in COCO.glob("panoptic_*.yaml")}
    assert len(folders) == len(PUBLISHED)
