"""Comparisons of the probabilities of semantic labels: by estimates where those are clear enough."""

from functools import partial
from typing import Dict, List, Mapping, Sequence

import numpy as np
from torch import Tensor

from panoptic_heuristic.fusion.probabilities import estimate_error, settled
from panoptic_heuristic.fusion.semantics import SemanticMap


def labels_at_least(semantics: SemanticMap, where: Tensor, floor: float, who: str) -> Tensor:
    """The pixels whose label has at least a probability, by the softmax over all channels.

    Args:
        semantics: the semantic labels, with logits.
        where: (H, W) bool: the pixels that are asked for.
        floor: in [0, 1], compared in float64.
        who: what asks, for the message.

    Returns:
        (H, W) bool, False where ``where`` is.

    Raises:
        InputError: see :meth:`SemanticMap.label_probabilities`.
    """
    exact = partial(semantics.label_probabilities, who=who)
    if semantics.device.type != "cpu":
        return where.masked_scatter(where, exact(where) >= floor)
    channels = len(semantics.channels(who))
    if max(semantics.areas) >= channels:
        # Some label has no channel, perhaps not one that is asked for.
        semantics.check_channel(max(semantics.count(where), default=0), who)
    return settled(where, semantics.label_estimates, floor, channels, exact)


def mean_probabilities(
    semantics: SemanticMap, labels_of: Mapping[int, Sequence[int]], who: str, *, compared_with: Sequence[float]
) -> Dict[int, float]:
    """The mean probability of the pixels of some labels: estimates that compare with some numbers as the means do.

    Args:
        semantics: the semantic labels, with logits.
        labels_of: labels that occur, by a key such as their category.
        who: what asks, for the message.
        compared_with: the numbers; means are compared with each other, too.

    Returns:
        key -> mean, in [0, 1].

    Raises:
        InputError: see :meth:`SemanticMap.label_probabilities`.
    """
    semantics.check_channel(max((label for labels in labels_of.values() for label in labels), default=0), who)
    if semantics.device.type != "cpu":
        return {key: _mean_probability(semantics, labels, who) for key, labels in labels_of.items()}
    found, areas = semantics.estimated_means, semantics.areas
    means = {
        key: sum(found[label] * areas[label] for label in labels) / sum(areas[label] for label in labels)
        for key, labels in labels_of.items()
    }
    room = 2 * estimate_error(len(semantics.logits))
    unclear: List[int] = []
    for key, mean in means.items():
        others = [*compared_with, *(value for other, value in means.items() if other != key)]
        if not all(abs(mean - other) > room for other in others):
            unclear.append(key)
    return {**means, **{key: _mean_probability(semantics, labels_of[key], who) for key in unclear}}


def _mean_probability(semantics: SemanticMap, labels: Sequence[int], who: str) -> float:
    values = semantics.label_probabilities(semantics.having(labels), who).cpu().numpy()
    # NumPy's sum does not depend on the number of threads, torch's does.
    return float(np.sum(values)) / len(values)
