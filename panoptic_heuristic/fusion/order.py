"""The order stage: in which order instances claim their pixels, and which do not take part."""

from dataclasses import dataclass
from typing import Dict, Optional, Protocol, Sequence, Tuple

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.semantics import SemanticMap

ORDER_REGISTRY = NamedRegistry("PANOPTIC_ORDER")
ORDER_REGISTRY.__doc__ = """
Order rules by the name they have in YAML. An entry is an :class:`OrderRule` class.
"""


@dataclass(frozen=True)
class Order:
    """The outcome of an order rule.

    Attributes:
        ranked: indices of the instances that take part, best first.
        dropped: instance index -> reason, for the other candidates.
    """

    ranked: Tuple[int, ...]
    dropped: Dict[int, str]


class OrderRule(Protocol):
    """What an order rule must offer: a frozen dataclass of its parameters with this method."""

    def order(
        self,
        instances: InstanceSet,
        semantics: Optional[SemanticMap],
        categories: Categories,
        candidates: Sequence[int],
    ) -> Order:
        """Ranks instances, and drops some if it likes.

        Args:
            instances: the things found. Not changed.
            semantics: the semantic labels, or None.
            categories: the data set's categories.
            candidates: ascending indices of the instances whose score is finite and not below its
                cutoff.
        """
        ...


def ranked_by(keys: Sequence[float], candidates: Sequence[int]) -> Tuple[int, ...]:
    """Candidates, highest key first; equal keys keep the order of ``candidates``.

    Args:
        keys: one number per candidate, none of them NaN.
        candidates: indices of instances.
    """
    places = sorted(range(len(candidates)), key=lambda place: -keys[place])
    return tuple(candidates[place] for place in places)


@ORDER_REGISTRY.register("score")
@dataclass(frozen=True)
class ByScore:
    """Highest score first, compared in float64; nothing is dropped."""

    def order(
        self,
        instances: InstanceSet,
        semantics: Optional[SemanticMap],
        categories: Categories,
        candidates: Sequence[int],
    ) -> Order:
        """See :meth:`OrderRule.order`."""
        scores = instances.scores.tolist()
        return Order(ranked_by([scores[index] for index in candidates], candidates), {})
