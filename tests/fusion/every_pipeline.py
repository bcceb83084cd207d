"""Every registered rule and every published system as a pipeline, each pipeline once."""

import dataclasses
from typing import Dict, Mapping

from panoptic_heuristic.fusion import (
    PRESETS,
    STAGES,
    Adaptive,
    Calibrated,
    ClassAware,
    Components,
    DenseCrf,
    DroppedToVoid,
    Greedy,
    GuidedFilter,
    JointList,
    LogitSum,
    NextBest,
    Nms,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    SemanticGate,
)

# The published limits are for images of COCO's size, and drop all that is small.
LIMITS = {"instances_score_thresh": 0.3, "stuff_area_thresh": 60, "thing_area_thresh": 3}
RULES: Dict[str, Pipeline] = {
    f"{stage} {name}": Pipeline(**LIMITS).replaced({stage: name})
    for stage, registry in STAGES.items()
    for name, rule in registry
    # Other tests register rules of their own.
    if rule.__module__.startswith("panoptic_heuristic.")
}
PUBLISHED: Dict[str, Pipeline] = {
    f"preset {name}": dataclasses.replace(Pipeline.preset(name), **LIMITS) for name in PRESETS
}
TABLE = ((0, 2), (2, 4), (6, 0))
WITH_PARAMETERS: Dict[str, Pipeline] = {
    "greedy without limits": Pipeline(Greedy(1.0), 0.0, 0),
    "greedy without overlap": Pipeline(Greedy(0.0), 0.1, 300),
    "greedy by category": Pipeline(
        Greedy(0.5, {0: 0.1, 2: 0.9}), 0.3, 60, 0.03,
        instances_score_thresh_of={2: 0.1, 4: 0.6},
        stuff_area_thresh_of={1: 5, 3: 400},
        stuff_area_fraction_of={1: 0.2, 3: 0.0},
    ),
    "nms of boxes": Pipeline(Greedy(), 0.1, 60, suppress=Nms(0.3, "box")),
    "strict semantic_gate": Pipeline(Greedy(), 0.1, 60, suppress=SemanticGate(0.3)),
    "power of all": Pipeline(Greedy(), 0.1, 60, order=Power(1, 0.5, 0.5, 0.1)),
    "fitted calibrated": Pipeline(
        Greedy(), 0.1, 60,
        order=Calibrated({0: (-1.5, 0.8, 1.2, 0.3, -2)}, {2: 0.6}, default_weights=(0, 1, 1, 0, -2), default_cut=0.3),
    ),
    "greedy without islands": Pipeline(Greedy(), 0.3, 60, island_area_fraction=0.02),
    "labels of joint_list without islands": Pipeline(JointList(0.3), 0.1, 20, island_area_fraction=0.05),
    "all stages without islands": Pipeline(
        Greedy(), 0.1, 20, suppress=SemanticGate(0.3), order=Power(1, 0, 0.5), leftover=Components(5),
        stuff=NextBest("after", 0.1), island_area_fraction=0.01,
    ),
    "strict class_aware": Pipeline(ClassAware(0.1, 0.3, 0.4, {0: 0.9}), 0.1, 0),
    "loose class_aware": Pipeline(ClassAware(1.0, 0.9, 0.0), 0.1, 0),
    "reclaim by ratio": Pipeline(Reclaim(1.0, 0.0, area_ratio=0.9), 0.1, 60),
    "reclaim by probability": Pipeline(Reclaim(0.4, 0.1, "mean_probability"), 0.1, 0),
    "reclaim by precedence": Pipeline(Reclaim(1.0, 0.0, "precedence", precedence=TABLE), 0.1, 60),
    "pixel_argmax by mask": Pipeline(PixelArgmax(0.0, "mask"), 0.1, 0),
    "joint_list by category": Pipeline(JointList(0.3, 0.6, 0.4, {0: 0.9}), 0.1, 20),
    "joint_list of all": Pipeline(JointList(1.0, 1.0, 0.0), 0.1, 20),
    "joint_list with little stuff": Pipeline(JointList(0.9, 0.02, 0.53), 0.1, 0),
    "adaptive of all": Pipeline(Adaptive(1.0), 0.1, 20),
    "logit_sum of all": Pipeline(LogitSum(1.0), 0.1, 20),
    "void with a floor": Pipeline(Greedy(), 0.1, 100, stuff=DroppedToVoid("before", 0.3)),
    "next_best with a floor": Pipeline(Greedy(), 0.1, 300, stuff=NextBest("before", 0.1)),
    "small components": Pipeline(Greedy(), 0.3, 60, leftover=Components(5)),
    "dense_crf of all": Pipeline(Greedy(), 0.3, 60, thing_area_thresh=3, border=DenseCrf(move_things=True)),
    "wide dense_crf of all": Pipeline(
        Greedy(), 0.3, 30,
        border=DenseCrf(20, 0.5, 3, 5, 60, 30, 20, 2, move_things=True),
    ),
    "narrow guided_filter": Pipeline(Greedy(), 0.3, 5, border=GuidedFilter(2, 0.1)),
}  # fmt: skip


def distinct(pipelines: Mapping[str, Pipeline]) -> Dict[str, Pipeline]:
    """Those that equal no earlier one; some published systems are one rule, or each other."""
    names: Dict[Pipeline, str] = {}
    for name, pipeline in pipelines.items():
        names.setdefault(pipeline, name)
    return {name: pipeline for pipeline, name in names.items()}


PIPELINES = distinct({**RULES, **WITH_PARAMETERS, **PUBLISHED})
