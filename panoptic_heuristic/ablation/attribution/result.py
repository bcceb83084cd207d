"""The outcome of an attribution."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.causes import SegmentError
from panoptic_heuristic.ablation.attribution.disagreement import Disagreement
from panoptic_heuristic.ablation.attribution.files import segment_rows, write_attribution
from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import PQCounts


@dataclass(frozen=True, eq=False)
class Tallies:
    """The counts of an image, or of all.

    Attributes:
        counts: by oracle, first those of the pipeline itself, :data:`.oracles.AS_IT_IS`.
        segments: ground-truth things and stuff, without crowds.
        predicted: things and stuff of the fused map.
        stuff_pixels: (C, 4) int64, see :data:`.stuff_pixels.STUFF_PIXELS`, by the categories' order.
        pixel_errors: see :func:`.count_pixel_errors`.
        disagreement: of the two heads.
    """

    counts: Dict[str, PQCounts]
    segments: Tuple[int, int]
    predicted: Tuple[int, int]
    stuff_pixels: np.ndarray
    pixel_errors: np.ndarray
    disagreement: Disagreement


@dataclass(frozen=True, eq=False)
class ImageAttribution(Tallies):
    """The errors and counts of one image.

    Attributes:
        image_id: the image.
        fingerprint: of what it was worked out from, see :meth:`RegionStore.fingerprint`.
        errors: missed segments in the order of the ground truth, then false positives in that of the map.
    """

    image_id: ImageId
    fingerprint: str
    errors: Tuple[SegmentError, ...]


@dataclass(frozen=True, eq=False)
class Attribution(Tallies):
    """The errors and counts of all images: sums, and the errors with their images.

    Attributes:
        manifest: of the predictions.
        pipeline: what fused them.
        image_ids: the images, ascending.
        fingerprint: SHA-256 of the images' ones; equal to that of a sweep of the same files.
        errors: (image id, error), by image.
    """

    manifest: Manifest
    pipeline: Pipeline
    image_ids: Tuple[ImageId, ...]
    fingerprint: str
    errors: Tuple[Tuple[ImageId, SegmentError], ...]

    @property
    def categories(self) -> Categories:
        """The data set's."""
        return self.manifest.categories

    def rows(self) -> List[Dict[str, Any]]:
        """A row per missed segment and false positive, with the columns of ``segments.csv``; None is an empty cell."""
        return segment_rows(self)

    def write(self, folder: PathLike) -> List[Path]:
        """Writes ``segments.csv`` and ``attribution.json``, as the command does; those that are there are replaced.

        Args:
            folder: made if it is missing.

        Returns:
            The files.

        Raises:
            InputError: the folder cannot be written to.
        """
        return write_attribution(Path(folder), self)
