"""A Panoptic FPN small enough to build and run in a test, and what it is built from."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch

from panoptic_heuristic.detectron import load_config
from panoptic_heuristic.detectron.datasets import use_dataset_yaml

from detectron2.config import CfgNode  # isort: skip  after panoptic_heuristic.detectron, which makes it importable
from detectron2.modeling import build_model  # isort: skip

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHAPES_CONFIG = CONFIGS / "shapes" / "panoptic_heuristic_fpn_R_18.yaml"

NUM_THINGS, NUM_LABELS = 3, 5

_SMALL = {
    "MODEL.FPN.OUT_CHANNELS": 16,
    "MODEL.FPN.NORM": "",
    "MODEL.ROI_BOX_HEAD.FC_DIM": 16,
    "MODEL.ROI_MASK_HEAD.CONV_DIM": 16,
    "MODEL.ROI_MASK_HEAD.NORM": "",
    "MODEL.SEM_SEG_HEAD.CONVS_DIM": 16,
    "MODEL.SEM_SEG_HEAD.NORM": "",
    "MODEL.RPN.POST_NMS_TOPK_TEST": 40,
    "TEST.DETECTIONS_PER_IMAGE": 20,
    # So that a model with random weights finds instances, and stuff in images of some hundred pixels.
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0,
    "MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH": 0.35,
    "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT": 30,
    "INPUT.MIN_SIZE_TEST": 32,
    "DATASETS.PANOPTIC_YAML": "",
}


def small_config(overrides: Dict[str, Any] = {}) -> CfgNode:  # noqa: B006
    """The config of the demo with 16 channels, and what ``overrides`` say."""
    values = {**_SMALL, **overrides}
    if not values["DATASETS.PANOPTIC_YAML"]:
        values = {"MODEL.ROI_HEADS.NUM_CLASSES": NUM_THINGS, "MODEL.SEM_SEG_HEAD.NUM_CLASSES": NUM_LABELS, **values}
    cfg, explicit = load_config(str(SHAPES_CONFIG), [part for pair in values.items() for part in pair])
    use_dataset_yaml(cfg, explicit)
    return cfg


def small_model(cfg: CfgNode, seed: int = 0) -> torch.nn.Module:
    """A model with random weights in evaluation mode; the same config and seed give the same weights."""
    torch.manual_seed(seed)
    model = build_model(cfg).eval()
    # As Detectron2 starts them, all scores and mask probabilities are nearly equal, and one label is everywhere.
    torch.nn.init.normal_(model.roi_heads.box_predictor.cls_score.weight, std=1.0)
    torch.nn.init.normal_(model.roi_heads.mask_head.predictor.weight, std=1.0)
    torch.nn.init.normal_(model.sem_seg_head.predictor.weight, std=1.0)
    with torch.no_grad():
        _, logits = model.inference(records((64, 64, 64, 64), seed=seed), do_postprocess=False)
        model.sem_seg_head.predictor.bias -= logits[0].mean(dim=(1, 2))
    return model


def records(*sizes: Tuple[int, int, int, int], seed: int = 0) -> List[Dict[str, Any]]:
    """Model inputs of noise with some coarse structure.

    Args:
        sizes: (height, width) of the network's input and of the output, one per image.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = []
    for height, width, out_height, out_width in sizes:
        coarse = torch.rand(1, 3, 4, 4, generator=generator) * 255
        image = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]
        batch.append({"image": image.to(torch.uint8), "height": out_height, "width": out_width})
    return batch
