"""Merging rules as pure functions: values in, new values out."""

from panoptic_heuristic.fusion.border import BORDER_REGISTRY, BorderRule
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, ClaimRule
from panoptic_heuristic.fusion.explain import Explanation, LostPixels, explain
from panoptic_heuristic.fusion.fuse import fuse
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import (
    covered_by_better,
    mask_areas,
    mask_quality,
    semantic_agreement,
)
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY, LeftoverRule
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, Order, OrderRule
from panoptic_heuristic.fusion.parameters import ParameterError
from panoptic_heuristic.fusion.pipeline import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.presets import PRESETS
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.rules.border_dense_crf import DenseCrf
from panoptic_heuristic.fusion.rules.border_guided_filter import GuidedFilter
from panoptic_heuristic.fusion.rules.border_none import NoRefinement
from panoptic_heuristic.fusion.rules.claim_adaptive import Adaptive
from panoptic_heuristic.fusion.rules.claim_class_aware import ClassAware
from panoptic_heuristic.fusion.rules.claim_greedy import Greedy
from panoptic_heuristic.fusion.rules.claim_joint_list import JointList
from panoptic_heuristic.fusion.rules.claim_logit_sum import LogitSum
from panoptic_heuristic.fusion.rules.claim_per_pixel import PerPixel
from panoptic_heuristic.fusion.rules.claim_pixel_argmax import PixelArgmax
from panoptic_heuristic.fusion.rules.claim_reclaim import Reclaim
from panoptic_heuristic.fusion.rules.leftover_best_stuff import BestStuff
from panoptic_heuristic.fusion.rules.leftover_components import Components
from panoptic_heuristic.fusion.rules.leftover_void import LeftToVoid
from panoptic_heuristic.fusion.rules.order_calibrated import (
    FEATURES,
    SCORE_WEIGHTS,
    Calibrated,
    Weights,
    calibrated_probability,
    calibration_features,
)
from panoptic_heuristic.fusion.rules.order_power import Power
from panoptic_heuristic.fusion.rules.order_score import ByScore
from panoptic_heuristic.fusion.rules.stuff_next_best import NextBest
from panoptic_heuristic.fusion.rules.stuff_void import DroppedToVoid
from panoptic_heuristic.fusion.rules.suppress_nms import Nms
from panoptic_heuristic.fusion.rules.suppress_none import NoSuppression
from panoptic_heuristic.fusion.rules.suppress_semantic_gate import SemanticGate
from panoptic_heuristic.fusion.rules.veto_none import NoVeto
from panoptic_heuristic.fusion.rules.veto_semantic import SemanticVeto
from panoptic_heuristic.fusion.semantics import SemanticMap
from panoptic_heuristic.fusion.stages import STAGES
from panoptic_heuristic.fusion.stuff import STUFF_REGISTRY, StuffFill, StuffRule
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY, Suppression, SuppressRule
from panoptic_heuristic.fusion.veto import VETO_REGISTRY, VetoRule

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
    "GuidedFilter",
    "HeadOutputs",
    "InstanceSet",
    "JointList",
    "LeftToVoid",
    "LeftoverRule",
    "LogitSum",
    "LostPixels",
    "Need",
    "NextBest",
    "Nms",
    "NoRefinement",
    "NoSuppression",
    "NoVeto",
    "Order",
    "OrderRule",
    "ParameterError",
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
    "semantic_agreement",
]
