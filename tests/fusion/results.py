"""A valid result, and when two are the same."""

import json
import math

import numpy as np

from panoptic_heuristic.formats import Categories
from panoptic_heuristic.fusion import FusionResult, InstanceSet

# Plain Python values, as JSON has them.
KINDS = {
    "id": (int,),
    "isthing": (bool,),
    "category_id": (int,),
    "area": (int,),
    "score": (float,),
    "instance_id": (int, type(None)),
}


def assert_valid(result: FusionResult, instances: InstanceSet, categories: Categories) -> None:
    """Map and segments agree both ways, and each instance is in the map or has a reason."""
    panoptic_seg = np.asarray(result.panoptic_seg)
    assert panoptic_seg.dtype == np.int32 and panoptic_seg.shape == instances.image_size
    areas = np.bincount(panoptic_seg.ravel(), minlength=len(result.segments_info) + 1).tolist()
    assert [segment["area"] for segment in result.segments_info] == areas[1:] and all(areas[1:])
    assert [segment["id"] for segment in result.segments_info] == list(range(1, len(areas)))
    assert json.loads(json.dumps(result.segments_info)) == result.segments_info
    scores, places = instances.scores.tolist(), []
    for segment in result.segments_info:
        assert categories[segment["category_id"]].isthing == segment["isthing"]
        assert all(type(value) in KINDS[key] for key, value in segment.items())
        place = segment.get("instance_id")
        if place is not None:
            places.append(place)
            assert math.isfinite(scores[place]) and segment["score"] == scores[place]
            assert segment["category_id"] == instances.category_ids[place]
    stuff = [segment["category_id"] for segment in result.segments_info if not segment["isthing"]]
    stuff += [one.category_id for one in result.dropped if not one.isthing]
    assert len(stuff) == len(set(stuff))
    places += [one.instance_id for one in result.dropped if one.isthing and one.instance_id is not None]
    assert sorted(places) == list(range(len(instances)))


def assert_same(one: FusionResult, other: FusionResult) -> None:
    """The same bytes and the same values; arrays may be tensors."""
    assert np.asarray(one.panoptic_seg).tobytes() == np.asarray(other.panoptic_seg).tobytes()
    # By their text, in which NaN is equal to itself.
    assert repr((one.segments_info, one.dropped)) == repr((other.segments_info, other.dropped))


def who(segment) -> tuple:
    """A segment's name, whatever its id."""
    return segment["isthing"], segment["category_id"], segment.get("instance_id")


def named(result: FusionResult) -> np.ndarray:
    """(H, W) objects: who has each pixel, whatever the ids; None is void."""
    names = np.empty(len(result.segments_info) + 1, dtype=object)
    for segment in result.segments_info:
        names[segment["id"]] = who(segment)
    return names[np.asarray(result.panoptic_seg)]
