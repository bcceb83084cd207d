"""Published systems as choices of rules, without what they learn.

A preset says which rules, and the parameters that make them that system's. Thresholds on scores,
overlap and area are not part of it: those that were published are in ``configs/presets``.
"""

from typing import Any, Mapping

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.pipeline import Pipeline
from panoptic_heuristic.fusion.stages import rule_from_json

_Rules = Mapping[str, Mapping[str, Any]]

_MASK_NMS = {"name": "nms", "iou_threshold": 0.5, "kind": "mask"}
_PIXEL_ARGMAX = {"name": "pixel_argmax", "kept_fraction": 0.8}

PRESETS: Mapping[str, _Rules] = {
    # Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019; also TF Model Garden and seamseg.
    "detectron2": {},
    # COCO's script for combining; stuff masks from files come in file order there.
    "panopticapi": {},
    "mmdetection": {"suppress": _MASK_NMS},
    # Chen et al., "BlendMask", CVPR 2020.
    "blendmask": {},
    # Li et al., "Fully Convolutional Networks for Panoptic Segmentation", CVPR 2021: cuts on the key.
    "panoptic_fcn": {"order": {"name": "power", "quality_exponent": 1.0, "key_cutoff": 0.2}},
    # Xiong et al., "UPSNet", CVPR 2019.
    "upsnet": {"suppress": _MASK_NMS, "claim": {"name": "logit_sum"}, "veto": {"name": "semantic_veto"}},
    # Mohan and Valada, "EfficientPS", IJCV 2021.
    "efficientps": {"claim": {"name": "adaptive"}},
    # Its learned relation left out.
    "rap": {"claim": {"name": "class_aware"}},
    # Lazarow et al., "Learning Instance Occlusion for Panoptic Segmentation", CVPR 2020, likewise.
    "ocfusion": {
        "order": {"name": "power", "agreement_exponent": 1.0},
        "claim": {"name": "reclaim", "on_top": "area"},
    },
    # Li et al., "Panoptic SegFormer", CVPR 2022.
    "panoptic_segformer": {
        "order": {"name": "power", "quality_exponent": 2.0},
        "claim": {"name": "joint_list", "stuff_score_thresh": 0.25, "stuff_overlap_threshold": 0.2},
    },
    # Yu et al., "k-means Mask Transformer", ECCV 2022.
    "kmax": {
        "order": {"name": "power", "quality_exponent": 1.0},
        "claim": {"name": "joint_list", "stuff_score_thresh": 0.5, "stuff_overlap_threshold": 0.2},
    },
    # Cheng et al., NeurIPS 2021 and CVPR 2022; they differ in which of the pixels it won a segment keeps.
    "maskformer": {"claim": {**_PIXEL_ARGMAX, "kept_pixels": "won"}},
    "mask2former": {"claim": {**_PIXEL_ARGMAX, "kept_pixels": "mask"}},
    # De Geus et al., "Panoptic Segmentation with a Joint Semantic and Instance Segmentation Network", 2018.
    "jsis": {
        "claim": {"name": "pixel_argmax", "by": "mask", "kept_fraction": 0.0},
        "stuff": {"name": "next_best", "probability_floor": 0.25},
        "leftover": {"name": "best_stuff", "floor": 0.25},
    },
    # The entry of PKU_360 to the COCO challenge of 2018. Which category lies on which is for the user to say.
    "pku360": {
        "claim": {"name": "reclaim", "on_top": "precedence"},
        "leftover": {"name": "best_stuff", "floor": 0.2},
    },
    "per_pixel": {"claim": {"name": "per_pixel"}},
}
"""Name -> the rules that are not those of Detectron2, by stage, as :meth:`Pipeline.to_json` has them."""


def preset_rules(name: Any) -> _Rules:
    """The rules of a preset, without those of stages that are as in Detectron2.

    Raises:
        InputError: there is none of that name; names those there are.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def preset_pipeline(name: str) -> Pipeline:
    """The rules of a preset with Detectron2's thresholds.

    Raises:
        InputError: there is none of that name.
    """
    return Pipeline(**{stage: rule_from_json(stage, data) for stage, data in preset_rules(name).items()})
