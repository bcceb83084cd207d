"""Random panoptic maps for properties, and the comparison of maps up to the numbering of their segments."""

from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Tuple

import numpy as np
from hypothesis import strategies as st

from panoptic_heuristic.formats import Categories, Category

# Ids with gaps, 0 among the stuff, things and stuff mixed.
SKY, CAT, GRASS, DOG = 0, 3, 4, 5
CATEGORIES = Categories(
    [
        Category(SKY, "sky", False, (70, 130, 180)),
        Category(CAT, "cat", True, (220, 20, 60)),
        Category(GRASS, "grass", False, (0, 200, 0)),
        Category(DOG, "dog", True, (0, 0, 142)),
    ]
)


@st.composite
def panoptic_maps(draw, most_things: int = 6) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """A map and its segments: one stuff segment and one crowd per category at most, any number of things."""
    kinds = [(SKY, 0), (GRASS, 0), (CAT, 1), (DOG, 1), *[(CAT, 0)] * most_things, *[(DOG, 0)] * most_things]
    chosen = draw(st.lists(st.sampled_from(range(len(kinds))), unique=True, max_size=len(kinds)))
    numbers = draw(st.lists(st.integers(1, 2**24 - 1), unique=True, min_size=len(chosen), max_size=len(chosen)))
    segments = [
        {"id": number, "category_id": kinds[place][0], "iscrowd": kinds[place][1]}
        for number, place in zip(numbers, chosen, strict=True)
    ]
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    pixels = draw(st.lists(st.sampled_from([0, *numbers]), min_size=height * width, max_size=height * width))
    ids = np.array(pixels, dtype=np.int32).reshape(height, width)
    return ids, [segment for segment in segments if (ids == segment["id"]).any()]


def up_to_numbering(
    ids: np.ndarray, segments: Sequence[Mapping[str, Any]]
) -> FrozenSet[Tuple[int, int, Tuple[int, ...]]]:
    """Category, crowd flag and pixels of each segment."""
    assert set(np.unique(ids).tolist()) - {0} == {segment["id"] for segment in segments}
    return frozenset(
        (
            segment["category_id"],
            segment.get("iscrowd", 0),
            tuple(np.flatnonzero(ids == segment["id"]).tolist()),
        )
        for segment in segments
    )
