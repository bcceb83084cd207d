"""Seeded scenes: what the two heads of a Panoptic FPN might say about a COCO image.

They have what decides how fusing behaves and what it costs: many detections of which most are
duplicates or wrong, COCO's distribution of sizes, masks as smooth as 28 x 28 RoI masks are, few
confident scores, and semantic labels with ragged borders. The ground truth is what they were made
from, before the heads' errors. Shared by tests and benchmarks.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.formats.coco_panoptic import write_panoptic_png
from panoptic_heuristic.formats.files import PathLike, write_json
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD
from panoptic_heuristic.fusion.semantics import SemanticMap
from panoptic_heuristic.testing.scene_gt import ground_truth

ROI_SIZE = 28

# COCO train2017: 41 % of the instances are below 32^2 pixels and 24 % above 96^2, in images of
# about 640 x 480. A log-normal distribution of the square root of the area with these two quantiles:
_LOG_SIZE_MEAN, _LOG_SIZE_DEVIATION, _REFERENCE_PIXELS = 3.73, 1.18, 480 * 640
_SMALLEST_SIDE = 6.0


@dataclass(frozen=True, eq=False)
class Scene:
    """The outputs of both heads for one image, with N instances, and its ground truth.

    Attributes:
        image_size: (H, W) in pixels.
        categories: things have even ids from 0, stuff has odd ones, so that dataset ids, contiguous
            ids and labels are never the same by chance.
        probabilities: (N, 28, 28) float32, RoI mask probabilities.
        boxes: (N, 4) float32, x0, y0, x1, y1 in pixels; some reach out of the image.
        masks: (N, H, W) bool, the pasted masks.
        scores: (N,) float32, in no order; different from each other unless ties were asked for.
        category_ids: (N,) int64, dataset ids of things.
        semantic_labels: (H, W) int64: 0 is things, k is ``categories.stuff[k - 1]``.
        label_to_category: the dataset id of each label, None for 0.
        gt_ids: (H, W) int32, the ground truth's segments; 0 is void.
        gt_segments: its segments as a COCO panoptic annotation lists them: ``id``, ``category_id``, ``area``,
            ``bbox``, ``iscrowd``. Ids use all three bytes of a PNG; there are about ten of them.
    """

    image_size: Tuple[int, int]
    categories: Categories
    probabilities: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    scores: np.ndarray
    category_ids: np.ndarray
    semantic_labels: np.ndarray
    label_to_category: Tuple[Optional[int], ...]
    gt_ids: np.ndarray
    gt_segments: List[Dict[str, Any]]

    def instances(self) -> InstanceSet:
        """The instance head's output as :func:`panoptic_heuristic.fusion.fuse` takes it."""
        return InstanceSet.from_bitmaps(self.masks, self.scores, self.category_ids)

    def semantics(self) -> SemanticMap:
        """The semantic head's output as :func:`panoptic_heuristic.fusion.fuse` takes it."""
        return SemanticMap(self.semantic_labels, self.label_to_category)


def make_scene(
    seed: int,
    *,
    image_size: Tuple[int, int] = (480, 640),
    instances: int = 100,
    empty: int = 0,
    tied_scores: bool = False,
    things: int = 80,
    stuff: int = 53,
) -> Scene:
    """Makes one scene.

    Args:
        seed: equal arguments give equal scenes.
        image_size: (H, W) in pixels.
        instances: the number of instances N.
        empty: how many of them have a mask without a pixel; 0 to N.
        tied_scores: scores are multiples of 0.1, so that many are equal.
        things: number of thing categories.
        stuff: number of stuff categories.
    """
    rng = np.random.default_rng(seed)
    categories = _categories(things, stuff)
    # About seven real objects per image with several detections each; a third of the detections
    # stands alone, as something the head only imagined.
    objects = max(1, round(0.07 * instances))
    owners = rng.integers(objects, size=instances)
    alone = rng.random(instances) < 0.35
    owners[alone] = objects + np.arange(instances)[alone]

    true_boxes = _boxes(rng, objects + instances, image_size)
    shapes = np.stack([_shape(rng) for _ in range(objects + instances)])
    thing_of_object = rng.integers(things, size=objects + instances)

    probabilities = np.zeros((instances, ROI_SIZE, ROI_SIZE), dtype=np.float32)
    for place, owner in enumerate(owners):
        probabilities[place] = _probabilities(shapes[owner] + 0.25 * _noise(rng))
    probabilities[rng.permutation(instances)[:empty]] = 0
    boxes = _jittered(rng, true_boxes[owners])
    confused = rng.random(instances) < 0.15
    classes = np.where(confused, rng.integers(things, size=instances), thing_of_object[owners])
    category_ids = np.array([category.id for category in categories.things])[classes]
    scores = _scores(rng, alone, tied_scores)
    object_masks = _pasted(_probabilities(shapes[:objects]), true_boxes[:objects].astype(np.float32), image_size)
    stuff_labels, true_fields, noise = _stuff_fields(rng, image_size, stuff)
    category_of_label = np.array([-1, *(category.id for category in categories.stuff)])
    gt_ids, gt_segments = ground_truth(
        np.random.default_rng([seed, 1]),
        object_masks,
        np.array([category.id for category in categories.things])[thing_of_object[:objects]],
        true_fields[1:],
        category_of_label[stuff_labels],
    )
    return Scene(
        image_size=(image_size[0], image_size[1]),
        categories=categories,
        probabilities=probabilities,
        boxes=boxes,
        masks=_pasted(probabilities, boxes, image_size),
        scores=scores,
        category_ids=category_ids,
        semantic_labels=_semantic_labels(object_masks, stuff_labels, true_fields, noise),
        label_to_category=(None, *(category.id for category in categories.stuff)),
        gt_ids=gt_ids,
        gt_segments=gt_segments,
    )


def fingerprint(scenes: Iterable[Scene]) -> str:
    """SHA-256 of all that scenes hold, in hexadecimal: other scenes have another one.

    Benchmarks print it, since the same seeds may give other pixels on another machine: resizing and
    exponentials are not the same to the last bit everywhere.
    """
    digest = hashlib.sha256()
    for scene in scenes:
        for field in fields(scene):
            value = getattr(scene, field.name)
            if isinstance(value, Categories):
                value = value.to_coco()
            if isinstance(value, np.ndarray):
                digest.update(f"{field.name} {value.dtype.str} {value.shape}\n".encode())
                digest.update(np.ascontiguousarray(value).data)
            else:
                digest.update(f"{field.name} {json.dumps(value)}\n".encode())
    return digest.hexdigest()


def write_ground_truth(folder: PathLike, scenes: Sequence[Scene]) -> None:
    """Writes ``folder/panoptic.json`` and ``folder/panoptic/<k>.png``: image k is the k-th scene's ground truth.

    Args:
        folder: made if it is missing.
        scenes: at least one, all with the same categories.
    """
    folder = Path(folder)
    images, annotations = [], []
    for image_id, scene in enumerate(scenes):
        (height, width), name = scene.image_size, f"{image_id}.png"
        write_panoptic_png(folder / "panoptic" / name, scene.gt_ids)
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
        annotations.append({"image_id": image_id, "file_name": name, "segments_info": scene.gt_segments})
    content = {"images": images, "annotations": annotations, "categories": scenes[0].categories.to_coco()}
    write_json(folder / "panoptic.json", content)


def _categories(things: int, stuff: int) -> Categories:
    entries = [Category(2 * k, f"thing {k}", True, (255, 3 * k % 256, 0)) for k in range(things)]
    entries += [Category(2 * k + 1, f"stuff {k}", False, (0, 3 * k % 256, 255)) for k in range(stuff)]
    return Categories(entries)


def _boxes(rng: np.random.Generator, count: int, image_size: Tuple[int, int]) -> np.ndarray:
    """(count, 4) boxes whose centres are in the image."""
    height, width = image_size
    scale = np.sqrt(height * width / _REFERENCE_PIXELS)
    sizes = scale * np.exp(rng.normal(_LOG_SIZE_MEAN, _LOG_SIZE_DEVIATION, count))
    # A mask fills about 60 % of its box.
    sides = np.clip(sizes / np.sqrt(0.6), _SMALLEST_SIDE, 0.95 * max(height, width))
    stretch = np.exp(rng.normal(0, 0.35, count))
    half = np.stack([sides * stretch, sides / stretch], axis=1) / 2
    centres = rng.random((count, 2)) * (width, height)
    return np.concatenate([centres - half, centres + half], axis=1)


def _jittered(rng: np.random.Generator, boxes: np.ndarray) -> np.ndarray:
    """Boxes as a head regresses them: most nearly right, some a part of the object or too large."""
    spread = np.where(rng.random((len(boxes), 1)) < 0.3, 0.25, 0.04)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    jittered = boxes + np.clip(rng.normal(size=boxes.shape), -1.5, 1.5) * spread * sides
    return jittered.astype(np.float32)


def _enlarged(values: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    return cv2.resize(values.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """(28, 28) smooth noise, as a head of a few layers on 14 x 14 features gives."""
    return cv2.resize(rng.normal(size=(7, 7)).astype(np.float32), (ROI_SIZE, ROI_SIZE), interpolation=cv2.INTER_CUBIC)


def _shape(rng: np.random.Generator) -> np.ndarray:
    """(28, 28) float32: positive inside a bumpy ellipse that fills the box."""
    axis = np.linspace(-1, 1, ROI_SIZE, dtype=np.float32)
    return 0.9 - np.square(axis)[None, :] - np.square(axis)[:, None] + 0.35 * _noise(rng)


def _probabilities(field: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-5 * field))).astype(np.float32)


def _scores(rng: np.random.Generator, alone: np.ndarray, tied: bool) -> np.ndarray:
    """Detectors return a hundred instances per image and believe in about ten of them."""
    scores = np.where(alone, rng.beta(0.6, 4, len(alone)), rng.beta(0.5, 1.2, len(alone)))
    scores = (0.05 + 0.95 * scores).astype(np.float32)
    if tied:
        return np.round(scores, 1)
    for index in np.argsort(scores, kind="stable")[1:]:
        while np.count_nonzero(scores == scores[index]) > 1:
            scores[index] = np.nextafter(scores[index], np.float32(0))
    return scores


def _pasted(probabilities: np.ndarray, boxes: np.ndarray, image_size: Tuple[int, int]) -> np.ndarray:
    masks = np.zeros((len(boxes), *image_size), dtype=bool)
    rois = InstanceSet.from_rois(probabilities, boxes, np.zeros(len(boxes)), np.zeros(len(boxes), int), image_size)
    for index, mask in enumerate(masks):
        crop = rois.crop(index)
        mask[crop.window] = crop.mask.numpy()
    return masks


def _stuff_fields(
    rng: np.random.Generator, image_size: Tuple[int, int], stuff: int
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The F - 1 stuff labels of an image, and (F, H, W) float32 twice: fields whose largest one wins, and their noise.

    Stuff comes in a few large patches. Field 0 belongs to the things.
    """
    height, width = image_size
    present = min(stuff, int(rng.integers(4, 10)))
    labels = 1 + np.sort(rng.permutation(stuff)[:present])
    rough = (max(height // 12, 2), max(width // 12, 2))
    smooth, noise = np.empty((2, 1 + present, height, width), dtype=np.float32)
    for index in range(1 + present):
        smooth[index] = _enlarged(rng.normal(size=(4, 5)), image_size)
        noise[index] = 0.25 * _enlarged(rng.normal(size=rough), image_size)
    return labels, smooth, noise


def _semantic_labels(
    object_masks: np.ndarray, stuff_labels: np.ndarray, smooth: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Stuff where its field wins, things where the objects are, every border frayed."""
    head = smooth + noise
    blurred = cv2.GaussianBlur(np.asarray(object_masks.any(axis=0), dtype=np.float32), (0, 0), 1.5)
    # Alone among the fields, that of things knows where it is right.
    head[0] = 0.35 * head[0] + 8 * (blurred - MASK_THRESHOLD)
    return np.concatenate([[0], stuff_labels])[head.argmax(axis=0)]
