"""Random settings of all rules that a page can fuse by."""

import dataclasses
from typing import List, Sequence, Tuple

import numpy as np

from panoptic_heuristic.fusion import (
    BestStuff,
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
)
from tests.ablation.random_images import BEST_STUFF_FLOOR, RandomImage, random_thresholds

ISLANDS = 0.02

# With weights and a share of islands that a page then has, too.
DEFAULT = Pipeline(
    order=Calibrated({5: (0.2, 0.7, 1.5, -0.1, -2.0)}, {31: 0.4}, (-0.5, 1.1, 0.3, 0.2, -0.7), 0.1),
    island_area_fraction=ISLANDS,
)

RULES = {
    "greedy": {"claim": Greedy()},
    "per pixel": {"claim": PerPixel(), "thing_area_thresh": 4},
    "class aware": {"claim": ClassAware(0.5, 0.6, 0.2)},
    "reclaim by area": {"claim": Reclaim(0.6, 0.3, "area", 0.7)},
    "reclaim by precedence": {"claim": Reclaim(0.7, 0.1, "precedence", precedence=((5, 0), (0, 31), (31, 5)))},
    "mask NMS": {"suppress": Nms(0.4), "stuff": DroppedToVoid("before")},
    "box NMS": {"suppress": Nms(0.3, "box"), "claim": PerPixel()},
    "gate and veto": {"suppress": SemanticGate(0.2), "veto": SemanticVeto(0.4)},
    "veto": {"veto": SemanticVeto(), "thing_area_thresh": 9},
    "best stuff": {"leftover": BestStuff(BEST_STUFF_FLOOR)},
    "power": {"order": Power(0.5, 2.0, 1.0)},
    "calibrated": {"order": DEFAULT.order, "claim": Reclaim()},
    "islands": {"island_area_fraction": ISLANDS, "leftover": BestStuff(BEST_STUFF_FLOOR)},
}


def random_settings(images: Sequence[RandomImage], rounds: int) -> List[Tuple[str, Pipeline]]:
    """By the name of their rules, settings whose thresholds are often what decides in an image."""
    rng = np.random.default_rng(15)
    settings = []
    for place in range(rounds):
        for name, rules in RULES.items():
            base = Pipeline(**rules)
            if place % 3 == 2:
                base = dataclasses.replace(base, island_area_fraction=ISLANDS)
            settings.append((name, random_thresholds(images[int(rng.integers(len(images)))], rng, base)))
    return settings
