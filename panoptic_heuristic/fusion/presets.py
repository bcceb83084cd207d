"""Published systems: their rules, without what they learn, and their published thresholds.

``configs/presets`` says the same in YAML, to be laid over a config; a test compares them.
"""

from typing import Any, Dict, Mapping

from panoptic_heuristic.fusion.parameters import ParameterError
from panoptic_heuristic.fusion.stages import STAGES

_MASK_NMS = {"name": "nms", "iou_threshold": 0.5, "kind": "mask"}
_PIXEL_ARGMAX = {"name": "pixel_argmax", "kept_fraction": 0.8}


def _thresholds(score: float, stuff_area: float, **others: float) -> Dict[str, float]:
    return {"instances_score_thresh": score, "stuff_area_thresh": stuff_area, **others}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019; also TF Model Garden and seamseg.
    "detectron2": _thresholds(0.5, 4096),
    # COCO's script for combining; stuff masks from files come in file order there.
    "panopticapi": _thresholds(0.5, 4096),
    "mmdetection": {"suppress": _MASK_NMS, **_thresholds(0.6, 4096)},
    # Chen et al., "BlendMask", CVPR 2020.
    "blendmask": {"claim": {"name": "greedy", "overlap_threshold": 0.4}, **_thresholds(0.45, 4096)},
    # Li et al., "Fully Convolutional Networks for Panoptic Segmentation", CVPR 2021: cuts on the key.
    "panoptic_fcn": {
        "order": {"name": "power", "quality_exponent": 1.0, "key_cutoff": 0.2},
        **_thresholds(0.0, 4096),
    },
    # Xiong et al., "UPSNet", CVPR 2019; its stuff limit for Cityscapes is 2048. Overlap counts within a category.
    "upsnet": {
        "suppress": _MASK_NMS,
        "claim": {"name": "logit_sum", "overlap_threshold": 0.3},
        "veto": {"name": "semantic_veto"},
        **_thresholds(0.6, 4096),
    },
    # Mohan and Valada, "EfficientPS", IJCV 2021.
    "efficientps": {"claim": {"name": "adaptive", "overlap_threshold": 0.5}, **_thresholds(0.5, 2048)},
    # Its learned relation left out.
    "rap": {"claim": {"name": "class_aware", "overlap_threshold": 0.5}, **_thresholds(0.6, 4096)},
    # Lazarow et al., "Learning Instance Occlusion for Panoptic Segmentation", CVPR 2020, likewise.
    "ocfusion": {
        "order": {"name": "power", "agreement_exponent": 1.0},
        "claim": {"name": "reclaim", "on_top": "area", "overlap_threshold": 0.5},
        **_thresholds(0.6, 4096),
    },
    # Li et al., "Panoptic SegFormer", CVPR 2022.
    "panoptic_segformer": {
        "order": {"name": "power", "quality_exponent": 2.0},
        "claim": {
            "name": "joint_list",
            "overlap_threshold": 0.4,
            "stuff_score_thresh": 0.25,
            "stuff_overlap_threshold": 0.2,
        },
        **_thresholds(0.25, 0),
    },
    # Yu et al., "k-means Mask Transformer", ECCV 2022.
    "kmax": {
        "order": {"name": "power", "quality_exponent": 1.0},
        "claim": {
            "name": "joint_list",
            "overlap_threshold": 0.2,
            "stuff_score_thresh": 0.5,
            "stuff_overlap_threshold": 0.2,
        },
        **_thresholds(0.7, 6400, thing_area_thresh=400),
    },
    # Cheng et al., NeurIPS 2021 and CVPR 2022; they differ in which of the pixels it won a segment keeps.
    "maskformer": {"claim": {**_PIXEL_ARGMAX, "kept_pixels": "won"}, **_thresholds(0.8, 0)},
    "mask2former": {"claim": {**_PIXEL_ARGMAX, "kept_pixels": "mask"}, **_thresholds(0.8, 0)},
    # De Geus et al., "Panoptic Segmentation with a Joint Semantic and Instance Segmentation Network", 2018: no
    # threshold on scores but the detector's, 0.05 in Detectron2.
    "jsis": {
        "claim": {"name": "pixel_argmax", "by": "mask", "kept_fraction": 0.0},
        "stuff": {"name": "next_best", "probability_floor": 0.25},
        "leftover": {"name": "best_stuff", "floor": 0.25},
        **_thresholds(0.05, 0, stuff_area_fraction=1 / 2048),
    },
    # The entry of PKU_360 to the COCO challenge of 2018, likewise. No table of what lies on what was published.
    "pku360": {
        "claim": {"name": "reclaim", "on_top": "precedence", "overlap_threshold": 1.0},
        "leftover": {"name": "best_stuff", "floor": 0.2},
        **_thresholds(0.05, 0),
    },
    "per_pixel": {"claim": {"name": "per_pixel"}, **_thresholds(0.5, 0)},
}
"""Name -> what is not as in the default pipeline, as :meth:`Pipeline.to_mapping` has it, and the thresholds."""


def preset_mapping(name: Any) -> Mapping[str, Any]:
    """The rules and thresholds of a preset, as :meth:`Pipeline.to_mapping` has them.

    Raises:
        ParameterError: there is none of that name; names those there are.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise ParameterError("preset", f"must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


def preset_rules(name: Any) -> Dict[str, Dict[str, Any]]:
    """The rules of a preset alone, of the stages that are not as in Detectron2, without overlap thresholds.

    A preset that is chosen by a key of a config leaves the thresholds of that config.

    Raises:
        ParameterError: there is none of that name; names those there are.
    """
    return {
        stage: {parameter: value for parameter, value in rule.items() if parameter != "overlap_threshold"}
        for stage, rule in preset_mapping(name).items()
        if stage in STAGES
    }
