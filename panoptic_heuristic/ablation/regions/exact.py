"""The pipelines that see nothing of pixels but their regions."""

from typing import Optional

from panoptic_heuristic.ablation.regions.claims import claims_on_regions
from panoptic_heuristic.fusion import (
    BestStuff,
    ByScore,
    Calibrated,
    DroppedToVoid,
    LeftToVoid,
    Nms,
    NoRefinement,
    NoSuppression,
    NoVeto,
    Pipeline,
    Power,
    SemanticGate,
    SemanticVeto,
)


def is_exact_on_regions(pipeline: Pipeline, best_stuff_floor: Optional[float]) -> bool:
    """True if counting a pipeline on regions gives what fusing and scoring its pixels gives.

    Thresholds do not matter, whether they are for all categories or for single ones.

    Args:
        pipeline: rules and thresholds.
        best_stuff_floor: what the predictions' best stuff was compared with; None if it is not known.
    """
    stuff, leftover = pipeline.stuff, pipeline.leftover
    plain_stuff = type(stuff) is DroppedToVoid and stuff.probability_floor == 0
    return (
        type(pipeline.suppress) in (NoSuppression, Nms, SemanticGate)
        and type(pipeline.order) in (ByScore, Power, Calibrated)
        and claims_on_regions(pipeline.claim)
        and type(pipeline.border) is NoRefinement
        and plain_stuff
        and (type(leftover) is LeftToVoid or asks_best_stuff(pipeline) and leftover.floor == best_stuff_floor)
        # After a veto, what is left to stuff or void depends on which stuff stays.
        and (
            type(pipeline.veto) is NoVeto
            or type(pipeline.veto) is SemanticVeto
            and stuff.counted == "after"
            and type(leftover) is LeftToVoid
        )
    )


def asks_best_stuff(pipeline: Pipeline) -> bool:
    """True if regions must be told apart by their best stuff."""
    return type(pipeline.leftover) is BestStuff
