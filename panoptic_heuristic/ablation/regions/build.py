"""The pixels of an image, grouped by all that fusing and scoring can tell of them.

Pixels with the same semantic category, ground-truth segment and set of covering instances fare alike
under every setting, so they are counted once and then stand for each other: some thousand regions
instead of some hundred thousand pixels. Masks, labels and ground truth are taken as runs in column
order and merged; no map of all pixels per instance is ever made.

Shape legend: G regions, N instances, T ground-truth segments, W = ceil(N / 64) words.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.ablation.cache.predictions import ImagePredictions
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.overlap import places_of

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


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of an image, and what is needed of its instances to fuse them.

    Attributes:
        image_id: the image.
        image_size: (H, W) in pixels.
        pixels: (G,) int64, at least 1 each; they add up to H * W.
        semantic: (G,) int64, the place of the semantic label's category in the data set's list,
            counted from 1; 0 where the label means none.
        gt_place: (G,) int64: 0 is void, k the k-th segment of ``gt``, T + 1 a pixel of an id that
            the ground truth does not list.
        cover: (G, W) uint64, bit i % 64 of word i // 64 set where instance i covers the region.
        gt: the ground truth's segments.
        scores: (N,) float64.
        category_ids: (N,) int64 dataset ids.
        mask_quality: (N,) float64, NaN where it is not known.
        semantic_agreement: (N,) float64.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels, NaN where they are not known.
        agreeing: (N,) int64, the value of ``semantic`` that agrees with each instance: its category's,
            0 where no label can mean that, -1 where the semantic head said nothing.
        first_labels: (C + 1,) int64, by value of ``semantic`` the first label of the image that means
            it; :data:`NO_LABEL` if none does.
        best_stuff: (G,) int64, where the label means no stuff, the place of the best stuff, likewise
            from 1; 0 where it is too improbable, not known, or not asked for. None if regions were
            not told apart by it.
    """

    image_id: int
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

    @cached_property
    def covered(self) -> np.ndarray:
        """(N, G) bool: which regions each instance covers."""
        bits = np.unpackbits(self.cover.view(np.uint8), axis=1, bitorder="little", count=len(self.scores))
        return np.ascontiguousarray(bits.T).view(bool)

    @cached_property
    def members(self) -> List[np.ndarray]:
        """Of each instance the regions it covers, ascending."""
        instances, regions = self.covered.nonzero()
        borders = np.searchsorted(instances, np.arange(1, len(self.scores)))
        return np.split(regions, borders) if len(self.scores) else []

    @cached_property
    def areas(self) -> np.ndarray:
        """(N,) int64, pixels of each instance's mask."""
        return np.array([self.pixels[regions].sum() for regions in self.members], dtype=np.int64)

    @cached_property
    def gt_areas(self) -> np.ndarray:
        """(T + 2,) int64, pixels of void, of each segment, and of what is not listed."""
        return sums(self.gt_place, self.pixels, len(self.gt.ids) + 2)

    @property
    def area(self) -> int:
        """H * W."""
        return self.image_size[0] * self.image_size[1]


def build_regions(
    predictions: ImagePredictions,
    label_to_category: Mapping[int, Optional[int]],
    categories: Categories,
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    *,
    with_best_stuff: bool = False,
) -> Regions:
    """Groups the pixels of one image.

    Args:
        predictions: of the image.
        label_to_category: what its semantic labels mean.
        categories: the data set's; their order numbers :attr:`Regions.semantic`.
        gt_ids: (H, W) integers, 0 is void.
        gt_segments: dicts with ``id``, ``category_id`` and perhaps ``iscrowd``.
        with_best_stuff: tell pixels apart by their best stuff, too. There are more regions then.

    Raises:
        InputError: the ground truth is of another size, or a mask cannot be read.
    """
    height, width = predictions.image_size
    if gt_ids.shape != (height, width):
        raise InputError(
            f"image {predictions.image_id}: the predictions are {height}x{width} pixels, "
            f"the ground truth {gt_ids.shape[0]}x{gt_ids.shape[1]}"
        )
    gt = GtSegments.of_segments(gt_segments)
    gt_starts, ids = _runs(gt_ids)
    place_of_label = _places_of_labels(label_to_category, categories)
    semantic_starts, semantic, best_stuff = _semantic_runs(predictions, place_of_label, categories)
    starts, stops, owners = _spans(predictions.mask_runs)

    marks = np.zeros(height * width + 1, dtype=bool)
    for borders in (gt_starts, semantic_starts, starts, stops):
        marks[borders] = True
    marks[-1] = False  # The last pixel's end starts nothing.
    pieces = np.flatnonzero(marks)
    places = [
        _spread(values, borders, pieces)
        for values, borders in (
            (places_of(ids, gt.ids.tolist()), gt_starts),
            (semantic, semantic_starts),
            *(((best_stuff, semantic_starts),) if with_best_stuff else ()),
        )
    ]
    covers = _covers(starts, stops, owners, pieces, len(predictions.scores))
    group, first = _group([*places, *covers.T])
    lengths = np.diff(pieces, append=height * width)
    return Regions(
        image_id=predictions.image_id,
        image_size=(height, width),
        pixels=sums(group, lengths, len(first)),
        gt_place=places[0][first],
        semantic=places[1][first],
        cover=covers[first],
        gt=gt,
        scores=predictions.scores,
        category_ids=predictions.category_ids,
        mask_quality=predictions.mask_quality,
        semantic_agreement=predictions.semantic_agreement,
        boxes=predictions.boxes,
        agreeing=_agreeing(predictions, label_to_category, categories),
        first_labels=_first_labels(predictions, place_of_label, categories),
        best_stuff=places[2][first] if with_best_stuff else None,
    )


def packed_sets(members: np.ndarray) -> np.ndarray:
    """(G, W) uint64 of (G, N) bool, as :attr:`Regions.cover` has sets of instances."""
    sets, instances = members.shape
    padded = np.zeros((sets, -(-instances // _WORD) * _WORD), dtype=bool)
    padded[:, :instances] = members
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def sums(index: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    """(length,) int64, the sum of the values of each index; exact, since pixels stay far below 2**53."""
    return np.bincount(index, weights=values, minlength=length).astype(np.int64)


def _runs(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Where the runs of an (H, W) map start in column order, and their values."""
    columns = cv2.transpose(values.astype(np.int32, copy=False)).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(columns[1:] != columns[:-1]) + 1])
    return starts, columns[starts]


def _semantic_runs(
    predictions: ImagePredictions, place_of_label: np.ndarray, categories: Categories
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the semantic runs start, and of each the places of its category and of its best stuff."""
    runs = predictions.semantics
    if runs is None:
        return np.zeros((3, 1), np.int64)
    is_stuff = np.array([False, *(not category.isthing for category in categories.values())])
    semantic, best_stuff = place_of_label[runs.labels], place_of_label[runs.best_stuff]
    asked = runs.above_floor & ~is_stuff[semantic] & is_stuff[best_stuff]
    return runs.lengths.cumsum() - runs.lengths, semantic, np.where(asked, best_stuff, 0)


def _places_of_labels(label_to_category: Mapping[int, Optional[int]], categories: Categories) -> np.ndarray:
    """The place of the category of each label, from 1; 0 for one that means none."""
    places = np.zeros(NO_LABEL, dtype=np.int64)
    for label, category_id in label_to_category.items():
        if category_id is not None:
            places[label] = categories.place_of[category_id] + 1
    return places


def _first_labels(predictions: ImagePredictions, place_of_label: np.ndarray, categories: Categories) -> np.ndarray:
    """See :attr:`Regions.first_labels`."""
    first = np.full(len(categories) + 1, NO_LABEL, dtype=np.int64)
    if predictions.semantics is not None:
        labels = np.flatnonzero(np.bincount(predictions.semantics.labels))
        np.minimum.at(first, place_of_label[labels], labels)
    return first


def _agreeing(
    predictions: ImagePredictions, label_to_category: Mapping[int, Optional[int]], categories: Categories
) -> np.ndarray:
    """See :attr:`Regions.agreeing`."""
    if predictions.semantics is None:
        return np.full(len(predictions.scores), -1, dtype=np.int64)
    meant = set(label_to_category.values())
    place_of = {category_id: place for place, category_id in enumerate(categories, start=1) if category_id in meant}
    return np.array([place_of.get(one, 0) for one in predictions.category_ids.tolist()], dtype=np.int64)


def _spans(mask_runs: List[np.ndarray]) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First pixel, pixel after the last, and instance of all runs of all masks."""
    starts = np.concatenate([np.empty(0, np.int64), *(ends[:-1:2] for ends in mask_runs)])
    stops = np.concatenate([np.empty(0, np.int64), *(ends[1::2] for ends in mask_runs)])
    owners = np.repeat(np.arange(len(mask_runs)), [len(ends) // 2 for ends in mask_runs])
    return starts, stops, owners


def _spread(values: np.ndarray, starts: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """The values of runs, for each of the pieces that the runs are cut into."""
    return values.repeat(np.diff(np.searchsorted(pieces, starts), append=len(pieces)))


def _covers(
    starts: np.ndarray, stops: np.ndarray, owners: np.ndarray, pieces: np.ndarray, instances: int
) -> np.ndarray:
    """(pieces, W) uint64, the instances that cover each piece."""
    words = -(-instances // _WORD)
    # A bit is added where a run of its mask starts and taken away where it ends. Sums modulo 2**64
    # of these are sets, since no mask covers a pixel twice.
    changes = np.zeros((len(pieces) + 1) * words, dtype=np.uint64)
    word, bit = owners // _WORD, np.uint64(1) << (owners % _WORD).astype(np.uint64)
    np.add.at(changes, np.searchsorted(pieces, starts) * words + word, bit)
    np.subtract.at(changes, np.searchsorted(pieces, stops) * words + word, bit)
    return changes.reshape(len(pieces) + 1, words)[:-1].cumsum(axis=0, dtype=np.uint64)


def _group(keys: List[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Groups rows by all their keys, compared whole: no hash that could take two sets for one.

    Returns:
        The group of each row, and of each group a row.
    """
    order = np.lexsort(keys)
    changes = np.zeros(len(order), dtype=bool)
    changes[0] = True
    for key in keys:
        ordered = key[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = changes.cumsum() - 1
    return group, order[changes]
