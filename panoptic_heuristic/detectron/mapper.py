"""Training samples from images and panoptic PNGs alone."""

import copy
import functools
import logging
import mmap
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import DatasetMapper, detection_utils
from detectron2.data import transforms as T
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.file_io import PathManager
from PIL import ImageOps

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, read_annotation
from panoptic_heuristic.formats.images import opened_image
from panoptic_heuristic.formats.photos import ValueRange, check_photo_depth, eight_bit_photo, photo_depth
from panoptic_heuristic.formats.runs import segment_crops
from panoptic_heuristic.formats.semantic_targets import semantic_labels

_logger = logging.getLogger(__name__)


class PanopticPngMapper:
    """Maps a record of a data set YAML to a sample of a Panoptic FPN.

    Boxes, instance masks and semantic labels all come from the panoptic PNG after augmentation:
    boxes are tight around the transformed masks. Crowds are things to the semantic head and
    nothing to the instance head, as in Detectron2's ``DatasetMapper``.
    """

    @configurable
    def __init__(
        self,
        is_train: bool,
        *,
        categories: Categories,
        things: Optional[Sequence[int]] = None,
        augmentations: List[T.Augmentation],
        image_format: str,
    ):
        """
        Args:
            is_train: whether to add ground truth.
            categories: the data set's; semantic labels follow their order.
            things: dataset id per class of the instance head; ascending by default.
            augmentations: applied to image and ground truth.
            image_format: as in ``INPUT.FORMAT``.
        """
        self.is_train = is_train
        self.categories = categories
        things = [category.id for category in categories.things] if things is None else things
        self.class_of = {category_id: index for index, category_id in enumerate(things)}
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format
        _logger.info("augmentations in %s: %s", "training" if is_train else "inference", augmentations)

    @classmethod
    def from_config(
        cls, cfg: CfgNode, is_train: bool, *, categories: Categories, things: Optional[Sequence[int]] = None
    ) -> Dict[str, Any]:
        """The arguments of ``__init__`` from a config."""
        augmentations = detection_utils.build_augmentation(cfg, is_train)
        if cfg.INPUT.CROP.ENABLED and is_train:
            augmentations.insert(0, T.RandomCrop(cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE))
        return {
            "is_train": is_train,
            "categories": categories,
            "things": things,
            "augmentations": augmentations,
            "image_format": cfg.INPUT.FORMAT,
        }

    def __call__(self, record: Dict[str, Any]) -> Dict[str, Any]:
        """Loads one image.

        Args:
            record: a dataset dict from :mod:`panoptic_heuristic.detectron.datasets`. Not changed.

        Returns:
            The record without its annotations, with ``image`` (3, H, W) uint8; in training also
            ``sem_seg`` (H, W) int64 and ``instances`` with boxes, classes and bitmasks.

        Raises:
            InputError: the image or its panoptic PNG is missing, damaged or of another size than
                the JSON says, or the image is of more than 8 bits per channel and the data set
                has no ``image_range``.
        """
        sample = copy.copy(record)
        sample.pop("annotations", None)
        annotation: PanopticImage = sample.pop("panoptic_image", None)
        panoptic_root = sample.pop("panoptic_root", None)
        image = _read_image(sample, sample.pop("image_range", None), self.image_format)
        if not self.is_train:
            augmented = T.AugInput(image)
            self.augmentations(augmented)
            sample["image"] = _image_tensor(augmented.image)
            return sample

        ids = read_annotation(annotation, panoptic_root)
        augmented = T.AugInput(image, sem_seg=semantic_labels(ids, annotation.segments_info, self.categories))
        transforms = self.augmentations(augmented)
        sample["image"] = _image_tensor(augmented.image)
        sample["sem_seg"] = torch.from_numpy(augmented.sem_seg.astype(np.int64))
        sample["instances"] = self._instances(ids, annotation, transforms)
        return sample

    def _instances(self, ids: np.ndarray, annotation: PanopticImage, transforms: T.TransformList) -> Instances:
        things = [
            segment
            for segment in annotation.segments_info
            if segment["category_id"] in self.class_of and not segment.get("iscrowd", 0)
        ]
        place = _transformed_places(ids, [segment["id"] for segment in things], transforms)
        visible = list(segment_crops(place, range(1, len(things) + 1)))
        masks = _no_masks(len(visible), place.shape)
        for mask, (_, crop, pixels) in zip(masks, visible, strict=True):
            mask[crop] = pixels
        boxes = [(x.start, y.start, x.stop, y.stop) for _, (y, x), _ in visible]
        classes = [self.class_of[things[number - 1]["category_id"]] for number, _, _ in visible]
        instances = Instances(place.shape)
        instances.gt_masks = BitMasks(torch.from_numpy(masks))
        instances.gt_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
        instances.gt_classes = torch.tensor(classes, dtype=torch.int64)
        return instances


class DepthCheckingMapper(DatasetMapper):
    """Detectron2's ``DatasetMapper``, which would read photographs of more than 8 bits as white: they are refused."""

    def __call__(self, dataset_dict: Dict[str, Any]) -> Dict[str, Any]:
        """Loads one image.

        Raises:
            InputError: it is grey with more than 8 bits.
        """
        path = dataset_dict["file_name"]
        with opened_image(PathManager.get_local_path(path)) as photo:
            check_photo_depth(photo, path, None)
        return super().__call__(dataset_dict)


def _no_masks(number: int, shape: Tuple[int, int]) -> np.ndarray:
    """(number, H, W) bool, all False.

    Detectron2 takes a whole map per instance, almost all of it background. Pages of an anonymous mapping take memory
    when they are written to; NumPy's and torch's zeros take it all at once, 1.5 GB for 2,400 masks of 800x800.
    """
    size = number * shape[0] * shape[1]
    pages = mmap.mmap(-1, max(size, 1), access=mmap.ACCESS_COPY)
    return np.frombuffer(pages, dtype=bool, count=size).reshape(number, *shape)


def _read_image(record: Dict[str, Any], image_range: Optional[ValueRange], image_format: str) -> np.ndarray:
    path, expected = record["file_name"], (record["height"], record["width"])
    with opened_image(PathManager.get_local_path(path)) as photo:
        if photo_depth(photo) is None:
            image = detection_utils.read_image(path, format=image_format)
        else:
            turned = ImageOps.exif_transpose(eight_bit_photo(photo, path, image_range))
            image = detection_utils.convert_PIL_to_numpy(turned, image_format)
    if image.shape[:2] != expected:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise InputError(f"{path} is {size} pixels, but the JSON says {expected[1]}x{expected[0]} for this image")
    return image


def _transformed_places(ids: np.ndarray, things: List[int], transforms: T.TransformList) -> np.ndarray:
    """(H', W') integers after the transforms: k where things[k - 1] is, 0 elsewhere.

    Detectron2 resizes 8-bit maps by other rules than wider ones, so 8 bits at a time are sent
    through the same way as the semantic labels, and the two never disagree at a border.
    """
    table = np.zeros(int(ids.max()) + 1, dtype=np.int32)
    for place, segment_id in enumerate(things, start=1):
        table[segment_id] = place
    parts = (
        transforms.apply_segmentation((table >> shift & 255).astype(np.uint8)[ids]).astype(np.int32) << shift
        for shift in range(0, max(len(things).bit_length(), 1), 8)
    )
    return functools.reduce(np.bitwise_or, parts)


def _image_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
