"""The rules, presets and settings that a page can fuse by, and the reason why it cannot by others."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.explorer.image import Orders
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.sweeping.columns import flat_values
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import PRESETS, STAGES, BestStuff, Calibrated, Pipeline, Power
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.fusion.stages import make_rule, rule_name

# Besides those that the settings of a page have.
_EXPONENTS = (0.0, 0.5, 1.0, 2.0)

CALIBRATION = "order.calibration"
"""The path that stands for the weights of ``calibrated``: a page knows them by their place."""
_WEIGHTS = ("order.weights", "order.default_weights")


@dataclass(frozen=True)
class Abilities:
    """All that a page can fuse by.

    Attributes:
        cache: the predictions.
        island_area_fractions: whose labels the page has; the first is 0.
        orders: whose keys it has.
    """

    cache: PredictionCache
    island_area_fractions: Tuple[float, ...]
    orders: Orders

    @classmethod
    def of(cls, cache: PredictionCache, pipelines: Sequence[Pipeline]) -> "Abilities":
        """Those that these pipelines ask for, where regions are enough, and what every page has."""
        exact = [one for one in pipelines if why_not_exact(one, cache) is None]
        calibrations: List[Calibrated] = []
        exponents = set(_EXPONENTS)
        for order in (one.order for one in exact):
            if isinstance(order, Calibrated):
                bare = _without_cuts(order)
                calibrations += [] if bare in calibrations else [bare]
            elif isinstance(order, Power):
                exponents |= {order.score_exponent, order.quality_exponent, order.agreement_exponent}
        fractions = sorted({0.0, *(float(one.island_area_fraction) for one in exact)})
        return cls(cache, tuple(fractions), Orders(tuple(sorted(map(float, exponents))), tuple(calibrations)))

    def why_not(self, pipeline: Pipeline) -> Optional[str]:
        """The reason why the page cannot fuse by a pipeline: words that can follow "since"; None if it can."""
        reason = why_not_exact(pipeline, self.cache)
        if reason is None and pipeline.island_area_fraction not in self.island_area_fractions:
            return f"the page has no labels without islands below {pipeline.island_area_fraction:g} of the image"
        return reason

    def flat(self, pipeline: Pipeline) -> Dict[str, Any]:
        """Path -> value, as the page has settings, of a pipeline that it can fuse by; see :func:`flat_values`."""
        values = flat_values(pipeline)
        if isinstance(pipeline.order, Calibrated):
            values = {path: value for path, value in values.items() if path not in _WEIGHTS}
            values[CALIBRATION] = self.orders.calibrations.index(_without_cuts(pipeline.order))
        return values

    def pipeline(self, flat: Dict[str, Any]) -> Pipeline:
        """The inverse of :meth:`flat`."""
        values: Dict[str, Any] = {
            path: dict(value) if path.endswith(("_of", "order.cut")) else value for path, value in flat.items()
        }
        if CALIBRATION in values:
            order = self.orders.calibrations[values.pop(CALIBRATION)]
            values.update({"order.weights": order.weights, "order.default_weights": order.default_weights})
        return Pipeline().replaced(values)

    def rules(self) -> Dict[str, Dict[str, Any]]:
        """By stage and the rule's name: its parameters' defaults by path, or the text why it is not available."""
        return {stage: {name: self._rule(stage, name) for name, _ in registry} for stage, registry in STAGES.items()}

    def presets(self) -> Dict[str, Any]:
        """By name: settings, or the text why it is not available."""
        presets: Dict[str, Any] = {}
        for name in PRESETS:
            pipeline = self._with_kept_floor(Pipeline.preset(name))
            reason = self.why_not(pipeline)
            presets[name] = self.flat(pipeline) if reason is None else reason
        return presets

    def _rule(self, stage: str, name: str) -> Any:
        if name == "calibrated" and stage == "order":
            if not self.orders.calibrations:
                return "no weights are known; give a tuning that has some"
            pipeline = Pipeline(order=self.orders.calibrations[0])
        else:
            pipeline = self._with_kept_floor(Pipeline().replaced({stage: make_rule(stage, name, {})}))
        reason = self.why_not(pipeline)
        if reason is not None:
            return reason
        return {path: value for path, value in self.flat(pipeline).items() if path.startswith(f"{stage}.")}

    def _with_kept_floor(self, pipeline: Pipeline) -> Pipeline:
        """With the floor of the best stuff that the cache knows, if it needs one."""
        floor = self.cache.manifest.floors.stuff_probability
        if not isinstance(pipeline.leftover, BestStuff) or floor is None:
            return pipeline
        return pipeline.replaced({"leftover.floor": floor})


def _without_cuts(order: Calibrated) -> Calibrated:
    return dataclasses.replace(order, cut={}, default_cut=0.0)


def why_not_exact(pipeline: Pipeline, cache: PredictionCache) -> Optional[str]:
    """The reason why regions are not enough for a pipeline on a cache; None if they are."""
    try:
        cache.check_needs(pipeline)
    except InputError as error:
        # A page is for others, who need not know where it lay.
        return str(error).replace(str(cache.folder), "the cache")
    if is_exact_on_regions(pipeline, cache.manifest.floors.stuff_probability):
        return None
    default = Pipeline()
    for stage, rule in pipeline.rules.items():
        alone = default.replaced({stage: rule})
        if not is_exact_on_regions(alone, cache.manifest.floors.stuff_probability):
            needs = ", ".join(sorted(need.value for need in needs_of(rule)))
            looks_at = f" and needs {needs}" if needs else ""
            return f"{rule_name(stage, rule)} looks at single pixels{looks_at}, and the page has regions only"
    return "these rules together look at single pixels, and the page has regions only"
