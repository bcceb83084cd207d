"""The instances of one image: scored, categorised masks, kept as crops.

Shape legend: N instances, an image of H x W pixels, RoI masks of M x M, crops of h x w.
"""

import functools
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import listed
from panoptic_heuristic.formats.rle import crop_of_runs, run_ends
from panoptic_heuristic.fusion.instance_arguments import (
    as_tensor,
    check_boxes,
    check_image_size,
    check_measure,
    check_probabilities,
    check_scores,
)
from panoptic_heuristic.fusion.paste import paste
from panoptic_heuristic.fusion.roi_masks import MaskPaster


class Crop(NamedTuple):
    """A binary mask inside its integer box; outside the box the mask is empty.

    Attributes:
        x0, y0: the box's left upper pixel.
        mask: (h, w) bool; h and w may be 0.
    """

    x0: int
    y0: int
    mask: Tensor

    @property
    def window(self) -> Tuple[slice, slice]:
        """The box as a pair of slices, rows first."""
        height, width = self.mask.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)


MakeCrops = Callable[[Sequence[int]], Sequence[Crop]]
"""Gives masks by their places in the input; asked once for each that is used."""


def one_by_one(make_crop: Callable[[int], Crop]) -> MakeCrops:
    """Makes masks of which each is made alone."""
    return lambda indices: [make_crop(index) for index in indices]


def pasted(paster: MaskPaster) -> MakeCrops:
    """Makes masks of RoI mask probabilities."""
    return lambda indices: [Crop(*mask) for mask in paster(indices)]


class InstanceSet:
    """N scored instance masks of one image. Build it with one of the ``from_...`` methods.

    A mask is cropped, or its probabilities pasted, when that is first asked for and then kept, so that masks
    below ``instances_score_thresh`` cost nothing, and other rules nothing more.

    Args:
        make_crops: makes the masks; None for those that ``probabilities`` and ``boxes``, which are there then, paste.
        count: N.

    Attributes:
        scores: (N,) float64 tensor on the CPU, probabilities or logits. Not checked to be finite: fusing
            drops those that are not, and says so.
        category_ids: N dataset category ids.
        image_size: (H, W) in pixels, of at most :data:`.instance_arguments.MAX_PIXELS` in all.
        device: the device that the masks are on.
        is_numpy: True if the masks came as anything but tensors.
        probabilities: (N, M, M) RoI mask probabilities, or None.
        boxes: (N, 4) float32 boxes (x0, y0, x1, y1) of the instance head in pixels, or None.
        mask_quality: (N,) float64 array, see
            :func:`panoptic_heuristic.fusion.instance_measures.mask_quality`, if it was computed
            before, NaN where it is not known; else None.
        semantic_agreement: likewise, see
            :func:`panoptic_heuristic.fusion.instance_measures.semantic_agreement`.
    """

    def __init__(
        self,
        make_crops: Optional[MakeCrops],
        scores: Any,
        category_ids: Any,
        image_size: Tuple[int, int],
        *,
        count: int,
        device: torch.device,
        is_numpy: bool,
        probabilities: Optional[Any] = None,
        boxes: Optional[Any] = None,
        mask_quality: Optional[Any] = None,
        semantic_agreement: Optional[Any] = None,
    ):
        scores, category_ids = as_tensor(scores), as_tensor(category_ids)
        for name, values in (("scores", scores), ("category_ids", category_ids)):
            if tuple(values.shape) != (count,):
                raise InputError(f"expected {count} {name}, one per mask, got shape {tuple(values.shape)}")
        if count and (category_ids.is_floating_point() or category_ids.dtype == torch.bool):
            raise InputError(f"category_ids must be integers, got {category_ids.dtype}")
        self.scores = check_scores(scores.to("cpu", torch.float64))
        self.category_ids: Tuple[int, ...] = tuple(category_ids.tolist())
        self.image_size = height, width = check_image_size(image_size)
        self.device = device
        self.is_numpy = is_numpy
        self.probabilities = None if probabilities is None else check_probabilities(probabilities, count, device)
        self.boxes = None if boxes is None else check_boxes(boxes, count, device, (height, width))
        self.mask_quality = check_measure("mask_quality", mask_quality, count)
        self.semantic_agreement = check_measure("semantic_agreement", semantic_agreement, count)
        self._make_crops = make_crops or pasted(MaskPaster(self.probabilities, self.boxes, height, width))
        self._crops: List[Optional[Crop]] = [None] * count
        self._pasted: Dict[int, Tuple[int, int, Tensor]] = {}

    @classmethod
    def from_bitmaps(
        cls,
        masks: Any,
        scores: Any,
        category_ids: Any,
        image_size: Optional[Tuple[int, int]] = None,
        *,
        boxes: Optional[Any] = None,
        probabilities: Optional[Any] = None,
        mask_quality: Optional[Any] = None,
        semantic_agreement: Optional[Any] = None,
    ) -> "InstanceSet":
        """Instances from full-size binary masks.

        Args:
            masks: (N, H, W) bool or integers (0 is outside), NumPy array or tensor on any device.
            scores: N numbers.
            category_ids: N dataset category ids.
            image_size: (H, W); if given, it must be that of the masks.
            boxes: (N, 4) x0, y0, x1, y1 in pixels, of the instance head, or None.
            probabilities: (N, M, M) in [0, 1], the RoI mask probabilities that the masks are of, for
                the rules that look at more than masks; or None.
            mask_quality: (N,) in [0, 1], see the class, or None.
            semantic_agreement: likewise.

        Raises:
            InputError: shapes disagree, the masks are floating point, a box is not finite, all of them
                are fractions of the image, a score is a percentage,
                see :data:`.PERCENTAGES`, or a probability or a measure is not in [0, 1].
        """
        is_numpy = not isinstance(masks, Tensor)
        masks = as_tensor(masks)
        if masks.ndim != 3:
            raise InputError(f"masks must have the shape (N, H, W), got {tuple(masks.shape)}")
        if masks.is_floating_point():
            raise InputError(f"masks must be bool or 0/1 integers, got {masks.dtype}; threshold probabilities first")
        # While a model is traced, they are tensors.
        height, width = (int(side) for side in masks.shape[1:])
        size = height, width
        if image_size is not None and check_image_size(image_size) != size:
            raise InputError(f"masks are {size[0]}x{size[1]} pixels, but image_size is {tuple(image_size)}")

        # A GPU is asked once, for all of them: whoever asks it waits until it has done all before.
        windows = functools.cache(lambda: tight_windows(masks))

        def made(index: int) -> Crop:
            top, bottom, left, right = tight_window(masks[index]) if masks.device.type == "cpu" else windows()[index]
            mask = masks[index, top:bottom, left:right]
            # A copy, so that one small crop does not keep the whole bitmap alive.
            return Crop(left, top, mask.clone() if mask.dtype == torch.bool else mask != 0)

        return cls(
            one_by_one(made), scores, category_ids, size, count=len(masks), device=masks.device, is_numpy=is_numpy,
            boxes=boxes, probabilities=probabilities, mask_quality=mask_quality, semantic_agreement=semantic_agreement,
        )  # fmt: skip

    @classmethod
    def from_rois(
        cls,
        probabilities: Any,
        boxes: Any,
        scores: Any,
        category_ids: Any,
        image_size: Tuple[int, int],
        *,
        mask_quality: Optional[Any] = None,
        semantic_agreement: Optional[Any] = None,
    ) -> "InstanceSet":
        """Instances from the M x M mask probabilities of a Mask R-CNN head and their boxes.

        A mask is the bilinear interpolation of its probabilities over its box, cut at
        :data:`MASK_THRESHOLD`: on the CPU the same pixels as Detectron2's ``paste_masks_in_image``.

        Args:
            probabilities: (N, M, M) in [0, 1], of the predicted class.
            boxes: (N, 4) x0, y0, x1, y1 in output pixels. The mask of a box that is outside the
                image or has no area is empty.
            scores: N numbers.
            category_ids: N dataset category ids.
            image_size: (H, W) of the output.
            mask_quality: (N,) in [0, 1], see the class, or None.
            semantic_agreement: likewise.

        Raises:
            InputError: shapes disagree, a box is not finite, all of them are fractions of the image, a
                score is a percentage, see :data:`.PERCENTAGES`, or a probability or a measure is not in [0, 1].
        """
        is_numpy = not isinstance(probabilities, Tensor)
        probabilities = as_tensor(probabilities)
        count = len(probabilities) if probabilities.ndim else 0

        return cls(
            None, scores, category_ids, image_size, count=count, device=probabilities.device, is_numpy=is_numpy,
            probabilities=probabilities, boxes=as_tensor(boxes), mask_quality=mask_quality,
            semantic_agreement=semantic_agreement,
        )  # fmt: skip

    @classmethod
    def from_rle(
        cls,
        rles: Sequence[Any],
        scores: Any,
        category_ids: Any,
        image_size: Tuple[int, int],
        *,
        where: Callable[[int], str] = "rles[{}]".format,
        boxes: Optional[Any] = None,
        probabilities: Optional[Any] = None,
        mask_quality: Optional[Any] = None,
        semantic_agreement: Optional[Any] = None,
    ) -> "InstanceSet":
        """Instances from COCO run-length encodings, compressed or not, or COCO polygons.

        Args:
            rles: N dicts with ``size`` [H, W] and ``counts``, or lists of polygons.
            scores: N numbers.
            category_ids: N dataset category ids.
            image_size: (H, W).
            where: gives a mask's name for error messages by its index.
            boxes: (N, 4) x0, y0, x1, y1 in pixels, of the instance head, or None.
            probabilities: (N, M, M) in [0, 1], the RoI mask probabilities that the masks are of, for
                the rules that look at more than masks; or None.
            mask_quality: (N,) in [0, 1], see the class, or None.
            semantic_agreement: likewise.

        Raises:
            InputError: an encoding has another size, or cannot be read, a box is not finite, all of them
                are fractions of the image, a score is a percentage,
                see :data:`.PERCENTAGES`, or a probability or a measure is not in [0, 1].
        """
        rles = listed("rles", rles, "[{'size': [480, 640], 'counts': [...]}]")
        height, width = check_image_size(image_size)
        masks = run_ends(rles, height, width, where)

        def made(index: int) -> Crop:
            x0, y0, mask = crop_of_runs(masks[index], height)
            return Crop(x0, y0, torch.from_numpy(mask))

        return cls(
            one_by_one(made), scores, category_ids, (height, width), count=len(masks), device=torch.device("cpu"),
            is_numpy=True, boxes=boxes, probabilities=probabilities, mask_quality=mask_quality,
            semantic_agreement=semantic_agreement,
        )  # fmt: skip

    def crop(self, index: int) -> Crop:
        """The mask of one instance.

        Args:
            index: 0 to N - 1, the place in the input.
        """
        return self._crops[index] or self.crops([index])[0]

    def crops(self, indices: Sequence[int]) -> List[Crop]:
        """The masks of some instances. Making many at once takes less time than one after the other.

        Args:
            indices: see :meth:`crop`.
        """
        missing = [index for index in dict.fromkeys(indices) if self._crops[index] is None]
        if missing:
            for index, crop in zip(missing, self._make_crops(missing), strict=True):
                self._crops[index] = crop
        return [self._crops[index] for index in indices]

    def pasted(self, index: int) -> Tuple[int, int, Tensor]:
        """What :func:`panoptic_heuristic.fusion.paste.paste` gives for one instance; kept, as masks are.

        Args:
            index: 0 to N - 1, the place in the input; there are RoI mask probabilities and boxes.
        """
        if index not in self._pasted:
            self._pasted[index] = paste(self.probabilities[index], self.boxes[index], *self.image_size)
        return self._pasted[index]

    def with_masks(self, make_crop: Callable[[int], Crop]) -> "InstanceSet":
        """The same instances with other masks, and without what is known of the old ones.

        Scores, categories and boxes stay; probabilities and measures are of the old masks.

        Args:
            make_crop: gives a mask by its place in the input; asked once for each that is used.
        """
        return InstanceSet(
            one_by_one(make_crop), self.scores, np.array(self.category_ids, dtype=np.int64), self.image_size,
            count=len(self), device=self.device, is_numpy=self.is_numpy, boxes=self.boxes,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._crops)

    def __repr__(self) -> str:
        return f"InstanceSet({len(self)} instances, {self.image_size[0]}x{self.image_size[1]}, {self.device})"


def tight_window(mask: Tensor) -> Tuple[int, int, int, int]:
    """The first and the last row plus one, then columns, of the smallest box of an (H, W) mask on the CPU."""
    mask = mask.view(torch.uint8) if mask.dtype == torch.bool else (mask != 0).view(torch.uint8)
    # The maximum over bytes takes a tenth of the time of any() over bools.
    rows = mask.amax(dim=1).nonzero()
    if not len(rows):
        return 0, 0, 0, 0
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = mask[y0:y1].amax(dim=0).nonzero()
    return y0, y1, int(columns[0]), int(columns[-1]) + 1


def tight_windows(masks: Tensor) -> List[List[int]]:
    """:func:`tight_window` of each of (N, H, W) masks on any device, which is asked once."""
    windows = []
    for axis in (2, 1):
        held = masks.any(dim=axis).int()
        first, last = held.argmax(dim=1), held.shape[1] - held.flip(1).argmax(dim=1)
        windows += [first, last * held.amax(dim=1)]
    return torch.stack(windows, dim=1).tolist()
