"""What several requests ask for of the same images, so that each image is counted once.

The folds of a tuning share most of their images, and often the settings that they try.
"""

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.fusion import Pipeline

MOST_OF_SHARE = 50
"""So many images are counted in one step: enough to be worth a plan's way to another process, and soon told of."""


@dataclass(frozen=True)
class Share:
    """Some images that the same requests ask for.

    Attributes:
        requests: their numbers, ascending.
        places: of the images, ascending.
    """

    requests: Tuple[int, ...]
    places: Tuple[int, ...]


def shares_of(images: Sequence[Sequence[int]]) -> List[Share]:
    """Cuts the images of some requests into shares, each image into one, of :data:`MOST_OF_SHARE` at most.

    Args:
        images: of each request, by place.
    """
    asking: Dict[int, List[int]] = {}
    for number, places in enumerate(images):
        for place in places:
            asking.setdefault(place, []).append(number)
    alike: Dict[Tuple[int, ...], List[int]] = {}
    for place, numbers in sorted(asking.items()):
        alike.setdefault(tuple(numbers), []).append(place)
    return [
        Share(numbers, tuple(places[first : first + MOST_OF_SHARE]))
        for numbers, places in alike.items()
        for first in range(0, len(places), MOST_OF_SHARE)
    ]


@dataclass(frozen=True, eq=False)
class Together:
    """The pipelines that some requests ask for, each once.

    Attributes:
        pipelines: all of them.
        numbers: of each request's, by the request's number.
    """

    pipelines: Sequence[Pipeline]
    numbers: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, asked: Mapping[int, Sequence[Pipeline]]) -> "Together":
        """Of what requests ask for, by their numbers."""
        first = tuple(next(iter(asked.values())))
        # The first round of searches is thousands of pipelines, the same ones in all: not told apart one by one.
        if all(tuple(pipelines) == first for pipelines in asked.values()):
            return cls(first, dict.fromkeys(asked, range(len(first))))
        number_of: Dict[Pipeline, int] = {}
        numbers = {
            request: [number_of.setdefault(one, len(number_of)) for one in pipelines]
            for request, pipelines in asked.items()
        }
        return cls(list(number_of), numbers)

    def of_request(self, request: int, counts: SettingCounts) -> SettingCounts:
        """The counts of one request's pipelines, of those of all."""
        numbers = self.numbers[request]
        return counts if isinstance(numbers, range) else counts.of_settings(numbers)
