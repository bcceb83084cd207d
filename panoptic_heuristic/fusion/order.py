"""The order stage: in which order instances claim their pixels, and which do not take part."""

from dataclasses import dataclass
from typing import Dict, Mapping, Protocol, Sequence, Tuple

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry

ORDER_REGISTRY = NamedRegistry("PANOPTIC_ORDER", "order")
ORDER_REGISTRY.__doc__ = """
Order rules by the name they have in YAML. An entry is an :class:`OrderRule` class.
"""


@dataclass(frozen=True)
class Order:
    """The outcome of an order rule.

    Attributes:
        ranked: indices of the instances that take part, best first.
        keys: what ranks each of them, highest first.
        dropped: instance index -> reason, for the other candidates.
    """

    ranked: Tuple[int, ...]
    keys: Tuple[float, ...]
    dropped: Dict[int, str]

    @classmethod
    def by(cls, keys: Mapping[int, float], dropped: Mapping[int, str]) -> "Order":
        """The order by one number each, highest first; equal ones keep the order they are given in.

        Args:
            keys: instance index -> number, none of them NaN.
            dropped: see the class.
        """
        ranked = ranked_by(list(keys.values()), list(keys))
        return cls(ranked, tuple(keys[index] for index in ranked), dict(dropped))


class OrderRule(Protocol):
    """The interface of an order rule: a frozen dataclass of its parameters with this method."""

    def order(self, heads: HeadOutputs, candidates: Sequence[int]) -> Order:
        """Ranks instances, and drops some if it likes.

        Args:
            heads: what was found. Not changed.
            candidates: ascending indices of the instances whose score is finite and not below
                ``instances_score_thresh``.
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
