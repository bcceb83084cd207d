"""Annotations with masks of their own, painted into one map."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.bad_annotations import readable_run_ends, telling_the_remedy
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, segment_entries
from panoptic_heuristic.formats.rle import crop_of_runs, run_ends
from panoptic_heuristic.formats.runs import numbered_segments

OVERLAPS = ("fail", "skip", "overwrite")


@dataclass(frozen=True)
class MergedImage:
    """A panoptic map made from annotations.

    Attributes:
        ids: (H, W) int32 segment ids, 1 to n without gaps; 0 is void.
        segments_info: as :func:`panoptic_heuristic.formats.coco_panoptic.segment_entries` gives it.
        contested_pixels: pixels that more than one annotation claims.
        lost_instances: annotations no pixel of which is left.
        bare_pixels: pixels labelled as a thing that no instance covers; they are void.
        bad_annotations: a sentence for each annotation that was left out for its mask.
    """

    ids: np.ndarray
    segments_info: Tuple[Mapping[str, Any], ...]
    contested_pixels: int
    lost_instances: int
    bare_pixels: int
    bad_annotations: Tuple[str, ...]


@dataclass(frozen=True)
class Painted:
    """Annotations in one map; more may be painted into it.

    Attributes:
        ids: (H, W) int32; the place of the annotation from 1, 0 where none is.
        category_of: dataset category id by the number in ``ids``.
        crowds: the numbers that are crowds.
        contested_pixels, lost_instances, bad_annotations: as in :class:`MergedImage`.
    """

    ids: np.ndarray
    category_of: Dict[int, int]
    crowds: Set[int]
    contested_pixels: int
    lost_instances: int
    bad_annotations: Tuple[str, ...]

    def image(self, bare_pixels: int = 0) -> MergedImage:
        """The map with its segments numbered without gaps."""
        ids, old_ids = _without_gaps(self.ids)
        segments = segment_entries(
            ids,
            {new: self.category_of[old] for new, old in enumerate(old_ids) if new},
            {new for new, old in enumerate(old_ids) if old in self.crowds},
        )
        return MergedImage(
            ids, tuple(segments), self.contested_pixels, self.lost_instances, bare_pixels, self.bad_annotations
        )


def paint_annotations(
    annotations: Sequence[Mapping[str, Any]], size: Tuple[int, int], *, overlap: str, bad_annotations: str
) -> Painted:
    """Paints annotations in their order.

    Args:
        annotations: dicts with ``category_id``, ``segmentation`` (RLE or polygons) and ``iscrowd``.
        size: (H, W) of the image.
        overlap: a pixel that several annotations claim is an error ("fail"), stays with the one
            listed first ("skip") or goes to the one listed last ("overwrite").
        bad_annotations: annotations whose mask cannot be read "fail", or are left out ("skip").

    Raises:
        InputError: annotations overlap or a mask cannot be read, where that is to fail.
    """
    if overlap not in OVERLAPS:
        raise InputError(f"overlap must be one of {', '.join(OVERLAPS)}, got {overlap!r}")
    ids = np.zeros(size, dtype=np.int32)
    claims = np.zeros(size, dtype=bool)
    masks, problems = _masks(annotations, size, bad_annotations)
    for number, ends in masks.items():
        x0, y0, mask = crop_of_runs(ends, size[0])
        crop = (slice(y0, y0 + mask.shape[0]), slice(x0, x0 + mask.shape[1]))
        contested = mask & (ids[crop] > 0)
        if overlap == "fail" and contested.any():
            raise InputError(
                f"{_name(annotations, number)} overlaps {_name(annotations, int(ids[crop][contested][0]))} in "
                f"{contested.sum()} pixels; choose whether a later instance is to skip taken pixels or overwrite them"
            )
        claims[crop] |= contested
        ids[crop][mask & ~contested if overlap == "skip" else mask] = number
    category_of = {number: annotations[number - 1]["category_id"] for number in masks}
    crowds = {number for number in masks if annotations[number - 1].get("iscrowd", 0)}
    lost = len(set(category_of) - set(numbered_segments(ids)[0].tolist()))
    return Painted(ids, category_of, crowds, int(claims.sum()), lost, tuple(problems))


def _masks(
    annotations: Sequence[Mapping[str, Any]], size: Tuple[int, int], bad_annotations: str
) -> Tuple[Dict[int, np.ndarray], List[str]]:
    """The run ends of annotations by their number from 1, and sentences on those without."""
    segmentations = [annotation.get("segmentation") for annotation in annotations]

    def where(place: int) -> str:
        return _name(annotations, place + 1)

    if bad_annotations == "skip":
        found, problems = readable_run_ends(segmentations, *size, where)
    else:
        with telling_the_remedy():
            found, problems = dict(enumerate(run_ends(segmentations, *size, where))), []
    return {place + 1: ends for place, ends in found.items()}, problems


def _name(annotations: Sequence[Mapping[str, Any]], number: int) -> str:
    """An annotation, counted from 1, by its own id if it has one."""
    return f"annotation {annotations[number - 1].get('id', f'{number} of the image')}"


def _without_gaps(ids: np.ndarray) -> Tuple[np.ndarray, List[int]]:
    """Numbers segments 1 to n in the order of their ids; also the old id of each, with 0 for void."""
    present, place = numbered_segments(ids)
    if VOID_ID not in present:
        present, place = np.append(VOID_ID, present), place + 1
    return place.astype(np.int32), present.tolist()
