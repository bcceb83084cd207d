"""PQ of images that come one after the other."""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.image_ids import ImageId, id_order, is_image_id
from panoptic_heuristic.quality.counts import PQCounts, add_into
from panoptic_heuristic.quality.measures import ImageMeasures, MeasureSettings, measure_image
from panoptic_heuristic.quality.result import Coverage, Result
from panoptic_heuristic.quality.summary import Summary, summarize

Segmentation = Tuple[Any, Sequence[Mapping[str, Any]]]
"""A panoptic map and its segments: ids (H, W), 0 for void, and dicts with ``id`` and ``category_id``."""

_DEFAULT = MeasureSettings()


class PanopticQuality:
    """Adds up the counts of images; PQ, SQ and RQ follow from the sums.

    The state is integers, so neither the order of the images nor how they are spread over processes
    changes a result. It can be pickled::

        quality = PanopticQuality(categories)
        for gt, pred in images:
            quality.update(gt, pred)
        quality.compute().things.pq
    """

    def __init__(
        self, categories: Categories, settings: MeasureSettings = _DEFAULT, *, keep: Sequence[str] = ("pq",)
    ):
        """
        Args:
            categories: the data set's categories.
            settings: what to measure beside PQ, and how.
            keep: the measures whose counts are kept of each image with an id, which intervals and
                rankings of images need.

        Raises:
            InputError: ``keep`` names a measure that the settings do not ask for.
        """
        for name in keep:
            _check_measure(name, settings)
        self.categories = categories
        self.settings = settings
        self.keep = tuple(keep)
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        self._counts: Dict[str, PQCounts] = {name: {} for name in self.settings.names}
        self._images: Dict[ImageId, ImageMeasures] = {}
        self._unnamed = 0

    @property
    def counts(self) -> Dict[str, PQCounts]:
        """The counts of all images, by measure and then dataset category id."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images) + self._unnamed

    def update(self, gt: Segmentation, pred: Segmentation, image_id: Optional[ImageId] = None) -> "PanopticQuality":
        """Counts one image.

        Args:
            gt: the pair (ids, segments_info): (H, W) integers, an array or whatever NumPy makes one of,
                such as a torch tensor on the CPU, where 0 is void; and dicts with ``id``,
                ``category_id`` (dataset ids) and, if it is a crowd, ``iscrowd`` 1. Pixels of an id
                that is not listed are neither void nor a segment.
            pred: a pair like it, of the same size; every id in it must be listed, and have a pixel.
            image_id: an integer or a text, which lets the image be told from others: none counts twice, and its own
                counts are kept.

        Returns:
            itself.

        Raises:
            InputError: an argument is not as above, or the image was counted before; nothing is counted then.
        """
        try:
            maps = (*_pair(gt, "ground truth"), *_pair(pred, "prediction"))
            measures = measure_image(*maps, self.categories, self.settings)
        except InputError as error:
            raise error if image_id is None else InputError(f"image {image_id}: {error}") from error
        return self.add(measures, image_id)

    def add(self, measures: ImageMeasures, image_id: Optional[ImageId] = None) -> "PanopticQuality":
        """Adds one image that was measured already, by the same settings, in another process perhaps.

        Args:
            measures: of the image.
            image_id: as of :meth:`update`.

        Returns:
            itself.

        Raises:
            InputError: the image was counted before, its id is no integer and no text, or it has other measures.
        """
        image_id = _id_or_none(image_id)
        if image_id in self._images:
            raise InputError(f"image {image_id} was counted twice")
        if measures.counts.keys() != self._counts.keys():
            which = "an image" if image_id is None else f"image {image_id}"
            expected, got = ", ".join(self._counts), ", ".join(measures.counts)
            raise InputError(f"{which} has the measures {got}; the settings ask for {expected}")
        self._add_counts(measures.counts)
        if image_id is None:
            self._unnamed += 1
        else:
            kept = {name: measures.counts[name] for name in self.keep}
            self._images[image_id] = ImageMeasures(kept, measures.pixels, measures.void_pixels)
        return self

    def merge(self, other: "PanopticQuality") -> "PanopticQuality":
        """Adds the images of another one, of a shard or a process; the other one is not changed.

        Returns:
            itself.

        Raises:
            InputError: the other one counts differently, or has an image that this one has, too.
        """
        for name in ("categories", "settings", "keep"):
            if getattr(self, name) != getattr(other, name):
                raise InputError(f"these two cannot be merged: their {name} differ")
        shared = self._images.keys() & other._images.keys()
        if shared:
            raise InputError(f"these two cannot be merged: image {min(shared, key=id_order)} is in both")
        self._add_counts(other._counts)
        self._images.update(other._images)
        self._unnamed += other._unnamed
        return self

    def compute(self, measure: str = "pq") -> Summary:
        """PQ, SQ and RQ, 0 to 1, of all categories, of things, of stuff, and of each category.

        Args:
            measure: one of the settings' names.

        Raises:
            InputError: the settings do not ask for ``measure``.
        """
        _check_measure(measure, self.settings)
        return summarize(self._counts[measure], self.categories)

    def result(self, *, params: Optional[Mapping[str, Any]] = None, coverage: Optional[Coverage] = None) -> Result:
        """The counts as a value that can be written to a file, and that intervals and rankings take.

        Args:
            params: JSON values that say what was counted and how; the settings are there without it.
            coverage: None if the images are all there is.

        Raises:
            InputError: an image came without an id, or ``coverage`` is of another number of images.
        """
        if self._unnamed:
            raise InputError(f"{self._unnamed} of {len(self)} images came without an image_id, which a result names")
        params = {"measures": self.settings.to_params(), **(params or {})}
        return Result(params, coverage or Coverage(len(self), len(self)), self.counts, dict(self._images))

    def _add_counts(self, counts: Mapping[str, PQCounts]) -> None:
        for name, of_measure in counts.items():
            add_into(self._counts[name], of_measure)


def _pair(segmentation: Any, whose: str) -> Segmentation:
    if not isinstance(segmentation, (tuple, list)) or len(segmentation) != 2:
        raise InputError(f"the {whose} must be a pair (ids, segments_info), got {type(segmentation).__name__}")
    return tuple(segmentation)


def _id_or_none(image_id: Union[ImageId, np.integer, None]) -> Optional[ImageId]:
    image_id = int(image_id) if isinstance(image_id, np.integer) else image_id
    if image_id is not None and not is_image_id(image_id):
        raise InputError(f"image_id must be an integer, a text or None, got {image_id!r}")
    return image_id


def _check_measure(measure: str, settings: MeasureSettings) -> None:
    if measure not in settings.names:
        raise InputError(f"the settings do not ask for {measure!r}; they ask for {', '.join(settings.names)}")
