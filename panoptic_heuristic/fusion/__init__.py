"""Merging rules as pure functions: values in, new values out."""

from panoptic_heuristic.fusion.calibrated import (
    FEATURES,
    SCORE_WEIGHTS,
    Calibrated,
    Weights,
    calibrated_probability,
    calibration_features,
)
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, ClaimRule
from panoptic_heuristic.fusion.explain import Explanation, Loss, explain
from panoptic_heuristic.fusion.fuse import fuse
from panoptic_heuristic.fusion.greedy import Greedy
from panoptic_heuristic.fusion.instance_measures import (
    covered_by_better,
    mask_areas,
    mask_quality,
    semantic_agreement,
)
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, ByScore, Order, OrderRule
from panoptic_heuristic.fusion.per_pixel import PerPixel
from panoptic_heuristic.fusion.pipeline import Pipeline
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap

__all__ = [
    "CLAIM_REGISTRY",
    "FEATURES",
    "ORDER_REGISTRY",
    "SCORE_WEIGHTS",
    "ByScore",
    "Calibrated",
    "Claim",
    "ClaimRule",
    "Crop",
    "DroppedCandidate",
    "Explanation",
    "FusionResult",
    "Greedy",
    "InstanceSet",
    "Loss",
    "Order",
    "OrderRule",
    "PerPixel",
    "Pipeline",
    "SemanticMap",
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
