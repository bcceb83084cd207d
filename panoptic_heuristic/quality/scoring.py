"""Scores maps on disk against ground truth on disk, pair by pair.

Nothing of an image but its counts outlives it, so that memory does not depend on the size of the maps.
"""

import functools
from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticMap, as_ids
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm
from panoptic_heuristic.formats.panoptic_pairs import ImagePair, read_map
from panoptic_heuristic.formats.runs import segment_ids
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.quality.comparison import Comparison, compare_maps
from panoptic_heuristic.quality.counts import repeated_crowds
from panoptic_heuristic.quality.measures import ImageMeasures, MeasureSettings, measure_comparison

# Images a worker takes at a time: few, so that Ctrl-C, which waits for them, is soon obeyed.
_IMAGES_PER_TASK = 4
_FEW = 3


@dataclass(frozen=True)
class ScoringSettings:
    """The forms in which images are read, and the measures.

    Attributes:
        categories: the data set's categories.
        measures: what to measure.
        gt_form: how label-divisor values of the ground truth are made; None if it has a JSON.
        prediction_form: the same of the predictions.
    """

    categories: Categories
    measures: MeasureSettings
    gt_form: Optional[LabelDivisorForm] = None
    prediction_form: Optional[LabelDivisorForm] = None


@dataclass(frozen=True)
class ScoredImage:
    """One image's counts, and oddities of its ground truth.

    Attributes:
        image_id: the image.
        measures: its counts.
        warnings: pairs (kind, sentence), one per oddity.
    """

    image_id: ImageId
    measures: ImageMeasures
    warnings: Tuple[Tuple[str, str], ...]


class ScoringWarnings:
    """Collects warnings: of each kind how many there are, and the first few sentences."""

    def __init__(self) -> None:
        self._number: Counter = Counter()
        self._images: Counter = Counter()
        self._first: Dict[str, List[str]] = {}

    def add(self, warnings: Iterable[Tuple[str, str]]) -> None:
        """Adds those of one image."""
        kinds = set()
        for kind, text in warnings:
            kinds.add(kind)
            self._number[kind] += 1
            first = self._first.setdefault(kind, [])
            if len(first) < _FEW:
                first.append(text)
        self._images.update(kinds)

    def lines(self) -> List[str]:
        """One line per sentence kept, and one for the rest of its kind."""
        lines = []
        for kind, first in self._first.items():
            lines += [f"warning ({kind}): {text}" for text in first]
            if self._number[kind] > len(first):
                more = self._number[kind] - len(first)
                lines.append(f"warning ({kind}): {more} more, in {self._images[kind]} images altogether")
        return lines


def score_images(
    images: Sequence[ImagePair],
    settings: ScoringSettings,
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> Iterator[ScoredImage]:
    """Scores images one after the other.

    Args:
        images: what to score.
        settings: how.
        workers: number of processes; 1 works in this one. The results do not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Yields:
        one result per image, in order.

    Raises:
        InputError: a file is missing or wrong, or a map and its segments disagree; the image is named.
    """
    if len(images) <= workers * _IMAGES_PER_TASK:
        workers = min(workers, 1)
    score = functools.partial(score_image, settings=settings)
    with ordered_map(score, images, workers=workers, chunk=_IMAGES_PER_TASK) as results:
        yield from progress(results, len(images))


def score_image(pair: ImagePair, settings: ScoringSettings) -> ScoredImage:
    """Reads and measures one image; errors are those of :func:`score_images`."""
    gt, gt_segments = read_map(pair.gt, pair.size, settings.categories, settings.gt_form)
    pred_segments: Sequence[Mapping[str, Any]] = ()
    if pair.prediction is None:
        pred: PanopticMap = np.zeros(gt.shape, dtype=np.int32)
    else:
        pred, pred_segments = read_map(pair.prediction, gt.shape, settings.categories, settings.prediction_form)
    try:
        comparison = compare_maps(
            gt, pred, gt_segments, pred_segments, settings.categories, all_crowds=settings.measures.all_crowds
        )
    except InputError as error:
        where = pair.gt.path if pair.prediction is None else pair.prediction.path
        raise InputError(f"{where}, image {pair.image_id}: {error}") from error
    measures = measure_comparison(comparison, settings.categories, settings.measures)
    return ScoredImage(pair.image_id, measures, tuple(_warnings(pair, gt_segments, comparison, settings)))


def _warnings(
    pair: ImagePair,
    gt_segments: Sequence[Mapping[str, Any]],
    comparison: Comparison,
    settings: ScoringSettings,
) -> Iterator[Tuple[str, str]]:
    for segment, gt in zip(gt_segments, comparison.gt_segments, strict=True):
        area = gt.area
        if area and segment.get("area", area) == area:
            continue
        where = f"{pair.gt.path}, segment {segment['id']}"
        if not area:
            counted = "a crowd, so nothing is missed" if segment.get("iscrowd", 0) else "counted as missed"
            yield "no pixel", f"{where}: the JSON lists it, but it has no pixel in the PNG; {counted}"
        else:
            yield "area", f"{where}: the JSON says area {segment['area']!r}; counted are the PNG's {area} pixels"
    if comparison.unlisted_pixels:
        listed = {VOID_ID, *(segment["id"] for segment in gt_segments)}
        unlisted = [value for value in segment_ids(as_ids(comparison.maps[0])).tolist() if value not in listed]
        some = ", ".join(map(str, unlisted[:_FEW]))
        text = f"the JSON does not list {len(unlisted)} of its segments ({some}); they are neither void nor a segment"
        yield "unlisted", f"{pair.gt.path}: {text}"
    for category_id in repeated_crowds(gt_segments):
        name = settings.categories[category_id].name
        rule = "all of them count" if settings.measures.all_crowds else "only the last one counts, as in panopticapi"
        yield "several crowds", f"{pair.gt.path}: category {category_id} ({name}) has several crowd segments; {rule}"
