"""Merging rules as pure functions: values in, new values out."""

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, ClaimRule
from panoptic_heuristic.fusion.fuse import Pipeline, fuse
from panoptic_heuristic.fusion.greedy import Greedy
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.per_pixel import PerPixel
from panoptic_heuristic.fusion.result import DroppedCandidate, FusionResult
from panoptic_heuristic.fusion.semantics import SemanticMap

__all__ = [
    "CLAIM_REGISTRY",
    "Claim",
    "ClaimRule",
    "Crop",
    "DroppedCandidate",
    "FusionResult",
    "Greedy",
    "InstanceSet",
    "PerPixel",
    "Pipeline",
    "SemanticMap",
    "fuse",
]
