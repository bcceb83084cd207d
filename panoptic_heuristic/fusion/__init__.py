"""Merging rules as pure functions: values in, new values out."""

from panoptic_heuristic.fusion.adaptive import Adaptive
from panoptic_heuristic.fusion.best_stuff import BestStuff
from panoptic_heuristic.fusion.border import BORDER_REGISTRY, BorderRule, NoRefinement
from panoptic_heuristic.fusion.calibrated import (
    FEATURES,
    SCORE_WEIGHTS,
    Calibrated,
    Weights,
    calibrated_probability,
    calibration_features,
)
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, ClaimRule
from panoptic_heuristic.fusion.class_aware import ClassAware
from panoptic_heuristic.fusion.components import Components
from panoptic_heuristic.fusion.dense_crf_border import DenseCrf
from panoptic_heuristic.fusion.explain import Explanation, Loss, explain
from panoptic_heuristic.fusion.fuse import fuse
from panoptic_heuristic.fusion.greedy import Greedy
from panoptic_heuristic.fusion.heads import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import (
    covered_by_better,
    mask_areas,
    mask_quality,
    semantic_agreement,
)
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.joint_list import JointList
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY, LeftoverRule, LeftToVoid
from panoptic_heuristic.fusion.logit_sum import LogitSum
from panoptic_heuristic.fusion.next_best import NextBest
from panoptic_heuristic.fusion.nms import Nms
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, ByScore, Order, OrderRule
from panoptic_heuristic.fusion.per_pixel import PerPixel
from panoptic_heuristic.fusion.pipeline import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.pixel_argmax import PixelArgmax
from panoptic_heuristic.fusion.power import Power
from panoptic_heuristic.fusion.presets import PRESETS, preset_pipeline, preset_rules
from panoptic_heuristic.fusion.reclaim import Reclaim
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantic_gate import SemanticGate
from panoptic_heuristic.fusion.semantic_veto import SemanticVeto
from panoptic_heuristic.fusion.semantics import SemanticMap
from panoptic_heuristic.fusion.stages import STAGES
from panoptic_heuristic.fusion.stuff import STUFF_REGISTRY, DroppedToVoid, StuffFill, StuffRule
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY, NoSuppression, Suppression, SuppressRule
from panoptic_heuristic.fusion.veto import VETO_REGISTRY, NoVeto, VetoRule

__all__ = [
    "BORDER_REGISTRY",
    "CLAIM_REGISTRY",
    "DEFAULT_PIPELINE",
    "FEATURES",
    "LEFTOVER_REGISTRY",
    "ORDER_REGISTRY",
    "PRESETS",
    "SCORE_WEIGHTS",
    "STAGES",
    "STUFF_REGISTRY",
    "SUPPRESS_REGISTRY",
    "VETO_REGISTRY",
    "Adaptive",
    "BestStuff",
    "BorderRule",
    "ByScore",
    "Calibrated",
    "Claim",
    "ClaimRule",
    "ClassAware",
    "Components",
    "Crop",
    "DenseCrf",
    "DroppedCandidate",
    "DroppedToVoid",
    "Explanation",
    "FusionResult",
    "Greedy",
    "HeadOutputs",
    "InstanceSet",
    "JointList",
    "LeftToVoid",
    "LeftoverRule",
    "LogitSum",
    "Loss",
    "Need",
    "NextBest",
    "Nms",
    "NoRefinement",
    "NoSuppression",
    "NoVeto",
    "Order",
    "OrderRule",
    "PerPixel",
    "Pipeline",
    "PixelArgmax",
    "Power",
    "Reclaim",
    "SemanticGate",
    "SemanticMap",
    "SemanticVeto",
    "StuffFill",
    "StuffRule",
    "SuppressRule",
    "Suppression",
    "VetoRule",
    "Weights",
    "calibrated_probability",
    "calibration_features",
    "covered_by_better",
    "explain",
    "fuse",
    "mask_areas",
    "mask_quality",
    "preset_pipeline",
    "preset_rules",
    "semantic_agreement",
]
