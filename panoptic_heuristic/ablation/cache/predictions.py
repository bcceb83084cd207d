"""The outputs of the two heads for one image, as they are kept on disk.

Shape legend: N instances, an image of H x W pixels, R runs of pixels in column order (as COCO's RLE
has them) along which the semantic head says the same, RoI masks of M x M.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from panoptic_heuristic.ablation.cache.image_arrays import check_pixels, image_of_arrays, image_to_arrays
from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays, wrong_inside
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.run_counts import ends_of_counts
from panoptic_heuristic.fusion import InstanceSet, SemanticMap
from panoptic_heuristic.fusion.islands import without_islands
from panoptic_heuristic.fusion.rules.leftover_best_stuff import NO_STUFF as NO_STUFF  # part of the format

_WHOLE, _FLOAT = "whole numbers", "floating-point numbers"
_FORMS = {
    "scores": ArrayForm(_FLOAT, ("N",)),
    "category_ids": ArrayForm(_WHOLE, ("N",)),
    "boxes": ArrayForm(_FLOAT, ("N", 4)),
    "measures": ArrayForm(_FLOAT, (2, "N")),
    "masks": ArrayForm("bytes", ("B",)),
    "mask_sizes": ArrayForm(_WHOLE, ("N",), 0),
    "roi_probabilities": ArrayForm(_FLOAT, ("N", "M", "M"), optional=True),
}
_SEMANTIC_FORMS = {
    "semantic_lengths": ArrayForm(_WHOLE, ("R",)),
    "semantic_labels": ArrayForm(_WHOLE, (2, "R"), 0, 65535),
    "semantic_above_floor": ArrayForm("true or false", ("R",)),
    "semantic_logits": ArrayForm(_FLOAT, ("C", "h", "w"), optional=True),
}


@dataclass(frozen=True, eq=False)
class SemanticRuns:
    """The semantic labels of an image as R runs in column order.

    Attributes:
        lengths: (R,) int64, pixels of each run, at least 1.
        labels: (R,) uint16, the label.
        best_stuff: (R,) uint16, the most probable label that means stuff: the label itself where it
            does; :data:`NO_STUFF` where that is not known.
        above_floor: (R,) bool, whether its probability is at least the cache's floor.
        logits: (C, h, w) float16 at a fraction of the image's size, or None.
    """

    lengths: np.ndarray
    labels: np.ndarray
    best_stuff: np.ndarray
    above_floor: np.ndarray
    logits: Optional[np.ndarray] = None

    @classmethod
    def of_maps(
        cls,
        labels: np.ndarray,
        best_stuff: np.ndarray,
        above_floor: np.ndarray,
        logits: Optional[np.ndarray] = None,
    ) -> "SemanticRuns":
        """The runs of three (H, W) maps: two of labels in [0, 65535], one of bools."""
        columns = [np.ascontiguousarray(values.T).reshape(-1) for values in (labels, best_stuff, above_floor)]
        changes = np.zeros(columns[0].size - 1, dtype=bool)
        for column in columns:
            changes |= column[1:] != column[:-1]
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
        return cls(
            np.diff(starts, append=columns[0].size),
            columns[0][starts].astype(np.uint16),
            columns[1][starts].astype(np.uint16),
            columns[2][starts].astype(bool),
            None if logits is None else logits.astype(np.float16),
        )

    def without_islands(self, area_fraction: float, image_size: Tuple[int, int]) -> "SemanticRuns":
        """Runs of labels whose islands are taken over, see :func:`panoptic_heuristic.fusion.islands.without_islands`.

        Args:
            area_fraction: an island has less than this share of the image.
            image_size: (H, W) in pixels.

        Returns:
            The runs themselves if nothing changes; else without logits, which stay those of the head.
        """
        labels = self.to_map(self.labels, image_size)
        cleaned = without_islands(labels, area_fraction)
        if cleaned is labels:
            return self
        above_floor = self.to_map(self.above_floor.astype(np.uint8), image_size)
        return self.of_maps(cleaned, self.to_map(self.best_stuff, image_size), above_floor)

    def to_map(self, values: np.ndarray, image_size: Tuple[int, int]) -> np.ndarray:
        """(H, W) of one value per run."""
        height, width = image_size
        return cv2.transpose(values.repeat(self.lengths).reshape(width, height))


@dataclass(frozen=True, eq=False)
class ImagePredictions:
    """The outputs of the two heads for one image.

    Attributes:
        image_id: the image.
        image_size: (H, W) in pixels.
        scores: (N,) float64, finite or not, in the head's order.
        category_ids: (N,) int64 dataset ids.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels; NaN if the head gave none.
        mask_quality: (N,) float64, q of the ``order`` stage; NaN where it is not known.
        semantic_agreement: (N,) float64, g of the ``order`` stage.
        masks: N compressed COCO run lengths, ``counts``.
        semantics: None if the semantic head said nothing.
        roi_probabilities: (N, M, M) float32, or None.
    """

    image_id: ImageId
    image_size: Tuple[int, int]
    scores: np.ndarray
    category_ids: np.ndarray
    boxes: np.ndarray
    mask_quality: np.ndarray
    semantic_agreement: np.ndarray
    masks: Tuple[bytes, ...]
    semantics: Optional[SemanticRuns] = None
    roi_probabilities: Optional[np.ndarray] = None

    @cached_property
    def mask_runs(self) -> List[np.ndarray]:
        """Of each mask the pixels, in column order, after each of its runs: background, mask, and so on."""
        height, width = self.image_size
        return ends_of_counts(self.masks, height * width, lambda index: f"image {self.image_id}, instance {index}")

    def to_instances(self) -> InstanceSet:
        """The instances as :func:`panoptic_heuristic.fusion.fuse` takes them."""
        height, width = self.image_size
        return InstanceSet.from_rle(
            [{"size": [height, width], "counts": counts} for counts in self.masks],
            self.scores,
            self.category_ids,
            self.image_size,
            boxes=_known(self.boxes),
            probabilities=self.roi_probabilities,
            mask_quality=_known(self.mask_quality),
            semantic_agreement=self.semantic_agreement,
        )

    def to_semantics(
        self,
        label_to_category: Mapping[int, Optional[int]],
        *,
        best_stuff_floor: Optional[float] = None,
        with_logits: bool = False,
    ) -> Optional[SemanticMap]:
        """The semantic labels as :func:`panoptic_heuristic.fusion.fuse` takes them.

        Args:
            label_to_category: what they mean.
            best_stuff_floor: what ``above_floor`` is about; None leaves out the best stuff.
            with_logits: hand over the logits too, if they were kept: enlarged to the size of the image,
                bilinearly and in float32, which is not exactly what the head said. The labels stay
                those of the head.
        """
        runs = self.semantics
        if runs is None:
            return None
        best_stuff = logits = None
        if best_stuff_floor is not None:
            best_stuff = (
                runs.to_map(runs.best_stuff, self.image_size),
                runs.to_map(runs.above_floor.astype(np.uint8), self.image_size).astype(bool),
            )
        if with_logits and runs.logits is not None:
            kept = torch.from_numpy(runs.logits.astype(np.float32))
            logits = F.interpolate(kept[None], size=self.image_size, mode="bilinear", align_corners=False)[0]
        labels = runs.to_map(runs.labels, self.image_size)
        return SemanticMap(labels, label_to_category, logits, best_stuff, best_stuff_floor)

    def to_arrays(self) -> Dict[str, np.ndarray]:
        """Arrays for :func:`panoptic_heuristic.formats.arrays.write_arrays`."""
        arrays = {
            **image_to_arrays(self.image_id, self.image_size),
            "scores": self.scores.astype(np.float64),
            "category_ids": self.category_ids.astype(np.int64),
            "boxes": self.boxes.astype(np.float32),
            "measures": np.stack([self.mask_quality, self.semantic_agreement]).astype(np.float64),
            "masks": np.frombuffer(b"".join(self.masks), dtype=np.uint8),
            "mask_sizes": np.array([len(counts) for counts in self.masks], dtype=np.int64),
        }
        if self.semantics is not None:
            arrays["semantic_lengths"] = self.semantics.lengths.astype(np.uint32)
            arrays["semantic_labels"] = np.stack([self.semantics.labels, self.semantics.best_stuff])
            arrays["semantic_above_floor"] = self.semantics.above_floor
            if self.semantics.logits is not None:
                arrays["semantic_logits"] = self.semantics.logits
        if self.roi_probabilities is not None:
            arrays["roi_probabilities"] = self.roi_probabilities.astype(np.float32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], where: str) -> "ImagePredictions":
        """The inverse of :meth:`to_arrays`.

        Args:
            arrays: what was read.
            where: the file, for the message.

        Raises:
            InputError: the arrays are of something else.
        """
        image_id, image_size = image_of_arrays(arrays, where)
        lengths = check_arrays(arrays, _FORMS, where)
        ends = arrays["mask_sizes"].cumsum().tolist()
        if sum(arrays["mask_sizes"].tolist()) != lengths["B"]:
            raise wrong_inside(where, "'mask_sizes' does not add up to the bytes in 'masks'")
        text = arrays["masks"].tobytes()
        return cls(
            image_id,
            image_size,
            arrays["scores"],
            arrays["category_ids"],
            arrays["boxes"],
            *arrays["measures"],
            tuple(text[start:end] for start, end in zip([0, *ends], ends, strict=False)),
            _semantics_of(arrays, image_size, where) if "semantic_lengths" in arrays else None,
            arrays.get("roi_probabilities"),
        )


def _semantics_of(arrays: Mapping[str, np.ndarray], image_size: Tuple[int, int], where: str) -> SemanticRuns:
    check_arrays(arrays, _SEMANTIC_FORMS, where)
    check_pixels(arrays["semantic_lengths"], "semantic_lengths", image_size, where)
    return SemanticRuns(
        arrays["semantic_lengths"].astype(np.int64),
        *arrays["semantic_labels"],
        arrays["semantic_above_floor"],
        arrays.get("semantic_logits"),
    )


def encoded_masks(masks: Sequence[Any]) -> Tuple[bytes, ...]:
    """``counts`` of COCO run-length encodings that are compressed, as :class:`ImagePredictions` keeps them."""
    return tuple(mask["counts"].encode() if isinstance(mask["counts"], str) else mask["counts"] for mask in masks)


def _known(values: np.ndarray) -> Optional[np.ndarray]:
    return None if np.isnan(values).any() else values
