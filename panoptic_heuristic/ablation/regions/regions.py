"""The values that counting on regions works with: the regions of an image, and its ground truth.

Shape legend: G regions, N instances, T ground-truth segments, W = ceil(N / 64) words, C categories. A
category goes by its dataset id, or by its place in the data set's list, from 0.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import calibration_features

NO_CATEGORY = -1
"""The place of what means no category."""

NOTHING_SAID = -2
"""In place of a place: the semantic head said nothing of the image."""

NO_LABEL = 65536
"""Greater than all labels."""

_WORD = 64


@dataclass(frozen=True, eq=False)
class GtSegments:
    """The ground truth of an image, without its pixels.

    Attributes:
        ids: (T,) int64, the segments' ids in the map.
        category_ids: (T,) int64 dataset ids.
        iscrowd: (T,) bool.
    """

    ids: np.ndarray
    category_ids: np.ndarray
    iscrowd: np.ndarray

    @classmethod
    def of_segments(cls, segments: Sequence[Mapping[str, Any]]) -> "GtSegments":
        """Of the ``segments_info`` of a panoptic JSON."""
        # As panopticapi and quality.compare have it, of two segments with one id the last one counts.
        by_id = {segment["id"]: segment for segment in segments}
        return cls(
            np.array(list(by_id), dtype=np.int64),
            np.array([segment["category_id"] for segment in by_id.values()], dtype=np.int64),
            np.array([bool(segment.get("iscrowd", 0)) for segment in by_id.values()], dtype=bool),
        )

    @cached_property
    def last_crowds(self) -> np.ndarray:
        """(T,) bool: the last crowd of each category, on which predictions of it are no false positives."""
        last = {int(self.category_ids[place]): place for place in np.flatnonzero(self.iscrowd)}
        excusing = np.zeros(len(self.ids), dtype=bool)
        excusing[list(last.values())] = True
        return excusing

    def per_category(self, categories: Categories) -> np.ndarray:
        """(C,) int64, the segments of each category, crowds left out.

        Raises:
            InputError: a segment has a category that is not the data set's.
        """
        places = places_of_categories(self.category_ids[~self.iscrowd], categories, "a ground-truth segment")
        return np.bincount(places, minlength=len(categories))


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of an image, and what is needed of its instances to fuse them.

    Attributes:
        image_id: the image.
        image_size: (H, W) in pixels.
        pixels: (G,) int64, at least 1 each; they add up to H * W.
        semantic: (G,) int64, the place of the semantic label's category; :data:`NO_CATEGORY` where the
            label means none.
        gt_place: (G,) int64: 0 is void, k the k-th segment of ``gt``, T + 1 a pixel of an id that
            the ground truth does not list.
        cover: (G, W) uint64, bit i % 64 of word i // 64 set where instance i covers the region.
        gt: the ground truth's segments.
        scores: (N,) float64.
        category_ids: (N,) int64 dataset ids.
        mask_quality: (N,) float64, NaN where it is not known.
        semantic_agreement: (N,) float64, likewise.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels, NaN where they are not known.
        agreeing: (N,) int64, the value of ``semantic`` that agrees with each instance: the place of its
            category, :data:`NO_CATEGORY` where no label can mean that, :data:`NOTHING_SAID` for all if
            there are no semantic labels.
        first_labels: (C,) int64, by place the first label of the image that means the category;
            :data:`NO_LABEL` if none does.
        best_stuff: (G,) int64, where the label means no stuff, the place of the best stuff;
            :data:`NO_CATEGORY` where it is too improbable, not known, or not asked for. None if regions
            were not told apart by it.
        segment_ids: (G,) int64, the id that a fused map has there, 0 for void. None if regions were not told
            apart by one.
        island_area_fraction: the pipelines' value that the labels are for: islands are taken over.
    """

    image_id: ImageId
    image_size: Tuple[int, int]
    pixels: np.ndarray
    semantic: np.ndarray
    gt_place: np.ndarray
    cover: np.ndarray
    gt: GtSegments
    scores: np.ndarray
    category_ids: np.ndarray
    mask_quality: np.ndarray
    semantic_agreement: np.ndarray
    boxes: np.ndarray
    agreeing: np.ndarray
    first_labels: np.ndarray
    best_stuff: Optional[np.ndarray] = None
    segment_ids: Optional[np.ndarray] = None
    island_area_fraction: float = 0.0

    @property
    def covered(self) -> np.ndarray:
        """(N, G) bool: which regions each instance covers."""
        bits = np.unpackbits(self.cover.view(np.uint8), axis=1, bitorder="little", count=len(self.scores))
        # OpenCV does it in an eighth of NumPy's time, but knows no empty array.
        return (cv2.transpose(bits) if bits.size else bits.T).view(bool)

    @cached_property
    def member_regions(self) -> np.ndarray:
        """int64, the regions that each instance covers, ascending, one instance after the other."""
        return self._members[0]

    @cached_property
    def member_stops(self) -> np.ndarray:
        """(N,) int64, where the regions of each instance end in :attr:`member_regions`."""
        return self._members[1]

    @cached_property
    def _members(self) -> Tuple[np.ndarray, np.ndarray]:
        count = len(self.pixels)
        places = np.flatnonzero(self.covered)
        stops = np.searchsorted(places, np.arange(1, len(self.scores) + 1) * count)
        return places % count, stops

    @cached_property
    def members(self) -> List[np.ndarray]:
        """Of each instance the regions it covers, ascending."""
        return np.split(self.member_regions, self.member_stops[:-1]) if len(self.scores) else []

    @cached_property
    def areas(self) -> np.ndarray:
        """(N,) int64, pixels of each instance's mask."""
        up_to = np.append(0, self.pixels[self.member_regions].cumsum())
        return np.diff(up_to[self.member_stops], prepend=0)

    @cached_property
    def gt_areas(self) -> np.ndarray:
        """(T + 2,) int64, pixels of void, of each segment, and of what is not listed."""
        return sums(self.gt_place, self.pixels, len(self.gt.ids) + 2)

    @cached_property
    def masks_on_gt(self) -> np.ndarray:
        """(N, T + 2) int64, the pixels of each whole mask per place of the ground truth."""
        instances, places = len(self.scores), len(self.gt.ids) + 2
        of_member = np.arange(instances).repeat(np.diff(self.member_stops, prepend=0))
        cells = of_member * places + self.gt_place[self.member_regions]
        return sums(cells, self.pixels[self.member_regions], instances * places).reshape(instances, places)

    @cached_property
    def covered_by_better(self) -> np.ndarray:
        """(N,) float64 in [0, 1]: what :func:`panoptic_heuristic.fusion.covered_by_better` gives."""
        fractions = np.zeros(len(self.scores))
        covered = np.zeros(len(self.pixels), dtype=bool)
        for index in rank_by(self.scores).tolist():
            inside = self.members[index]
            under = self.pixels[inside][covered[inside]].sum()
            fractions[index] = under / self.areas[index] if len(inside) else 0.0
            covered[inside] = True
        return fractions

    @cached_property
    def calibration_features(self) -> np.ndarray:
        """(N, 4) float64, see :func:`panoptic_heuristic.fusion.calibration_features`; NaN without a finite score.

        Raises:
            InputError: the semantic agreement of an instance is not known.
        """
        if np.isnan(self.semantic_agreement).any():
            raise InputError(
                f"the cache does not know how far the semantic labels of image {self.image_id} agree with its "
                "instances, which calibrated probabilities need; leave these out, or make the cache anew"
            )
        finite = np.isfinite(self.scores)
        features = np.full((len(finite), 4), np.nan)
        features[finite] = calibration_features(
            self.scores[finite],
            self.semantic_agreement[finite],
            self.areas[finite],
            self.covered_by_better[finite],
        )
        return features

    @property
    def area(self) -> int:
        """H * W."""
        return self.image_size[0] * self.image_size[1]

    def instance_places(self, categories: Categories) -> np.ndarray:
        """(N,) int64, the place of each instance's category.

        Raises:
            InputError: an instance has a category that is not the data set's.
        """
        return places_of_categories(self.category_ids, categories, f"an instance of image {self.image_id}")


def places_of_categories(category_ids: np.ndarray, categories: Categories, whose: str) -> np.ndarray:
    """int64, the place of each category.

    Args:
        category_ids: dataset ids.
        categories: the data set's.
        whose: what has them, for the message.

    Raises:
        InputError: one is not the data set's.
    """
    place_of = categories.place_of
    try:
        return np.array([place_of[category_id] for category_id in category_ids.tolist()], dtype=np.int64)
    except KeyError as error:
        raise InputError(f"{whose} has category {error}, which is not among the categories") from error


def rank_by(keys: np.ndarray, candidates: Optional[np.ndarray] = None) -> np.ndarray:
    """Instances, highest key first; equal keys keep their order, as in :func:`panoptic_heuristic.fusion.fuse`.

    Args:
        keys: (N,) float64.
        candidates: (N,) bool; None for those whose key is finite.
    """
    candidates = np.isfinite(keys) if candidates is None else candidates
    places = np.flatnonzero(candidates)
    return places[np.argsort(-keys[places], kind="stable")]


def packed_sets(members: np.ndarray) -> np.ndarray:
    """(G, W) uint64 of (G, N) bool, as :attr:`Regions.cover` has sets of instances."""
    sets, instances = members.shape
    padded = np.zeros((sets, -(-instances // _WORD) * _WORD), dtype=bool)
    padded[:, :instances] = members
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def sums(index: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    """(length,) int64, the sum of the values of each index; exact, since pixels stay far below 2**53."""
    return np.bincount(index, weights=values, minlength=length).astype(np.int64)


def distinct_rows(rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The first of each of the rows that are equal, and for each row which of these equals it.

    Faster than NumPy's, which sorts, and makes a structured type with a field per column.

    Args:
        rows: (R, K) of a type without equal values of different bytes.
    """
    data, width = rows.tobytes(), rows.itemsize * rows.shape[1]
    place_of: Dict[bytes, int] = {}
    places = np.array(
        [place_of.setdefault(data[row * width : (row + 1) * width], len(place_of)) for row in range(len(rows))],
        dtype=np.int64,
    )
    first = np.zeros(len(place_of), dtype=np.int64)
    first[places[::-1]] = np.arange(len(rows))[::-1]
    return first, places
