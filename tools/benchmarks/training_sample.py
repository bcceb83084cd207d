"""Time and memory of a training sample with thousands of objects, against a mask at full size per object.

One generated image, with squares in rows as of a city from above, is read with its panoptic PNG, resized and flipped.
The plain way looks for every object in the whole map and sends its mask through the same transforms, alone. Both work
in this process, on one core; times are CPU times. Image, semantic labels, boxes and masks must be the same to the last
pixel.
"""

import argparse
import mmap
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import cv2
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.side_by_side.measuring import peak_mb
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, ids_to_rgb, read_panoptic_png, write_panoptic_png

_CATEGORIES = Categories.from_coco([{"id": 1, "name": "ground", "isthing": 0}, {"id": 2, "name": "roof", "isthing": 1}])
_GROUND = 1
# Of a cell's width: objects do not touch.
_FILLED = 0.9
# Neighbouring ids are nearly one colour, and no photograph is.
_COLOR_STEP = 1234577


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--rows", type=int, default=49, help="of as many objects each (default: %(default)s)")
    parser.add_argument("--size", type=int, default=2000, help="pixels of a side of the image (default: %(default)s)")
    parser.add_argument("--training-size", type=int, default=800, help="of the sample (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of ours; the fastest counts (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prints times and memory of both; 1 if the samples differ."""
    if min(args.rows, args.training_size, args.rounds) < 1 or args.size < 2 * args.rows:
        raise InputError("--rows, --training-size and --rounds must be at least 1, --size twice --rows")
    from panoptic_heuristic.detectron.mapper import PanopticPngMapper  # isort: skip
    from detectron2.data import transforms as T

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    augmentations = [T.Resize((args.training_size, args.training_size)), T.RandomFlip(1.0)]
    mapper = PanopticPngMapper(True, categories=_CATEGORIES, augmentations=augmentations, image_format="BGR")
    with tempfile.TemporaryDirectory() as name:
        record = _record(Path(name), args.size, args.rows)
        # What libraries load when they are first used is not part of a sample.
        mapper(record)
        kept: Dict[str, Any] = {}
        memory = peak_mb(lambda: kept.update(mapper(record)), "cpu")
        seconds = _fastest(mapper, record, args.rounds)
        plain = _PlainSample(record, T.AugmentationList(augmentations), T.AugInput)
        difference = plain.difference(kept)
    if difference is not None:
        print(f"the samples differ: {difference}")
        return 1
    masks = kept["instances"].gt_masks.tensor
    peak = "not known" if memory is None else f"{memory:.0f} MB"
    print(f"{len(masks)} objects, {args.size}x{args.size}, as a sample of {args.training_size}x{args.training_size}")
    kept_mb, all_mb = _written_mb(masks.numpy()), masks.numel() / 1e6
    print(f"memory of ours at most: {peak}; kept by masks: {kept_mb:.0f} of {all_mb:.0f} MB")
    print(f"ours   {1000 * seconds:7.0f} ms of CPU time, the best of {args.rounds} runs")
    print(f"plain  {1000 * plain.seconds:7.0f} ms")
    print(f"ratio  {plain.seconds / seconds:7.1f}; the same image, labels, boxes and masks")
    return 0


def _record(folder: Path, size: int, rows: int) -> Dict[str, Any]:
    """The record of an image of ``rows`` times ``rows`` squares, which are written to ``folder``."""
    numbers, inside = np.divmod(np.arange(size) * rows / size, 1)
    row = numbers.astype(np.int32)
    filled = inside < _FILLED
    ids = np.where(filled[:, None] & filled, _GROUND + 1 + row[:, None] * rows + row, _GROUND).astype(np.int32)
    Image.fromarray(ids_to_rgb(ids * _COLOR_STEP % 2**24)).save(folder / "image.png")
    write_panoptic_png(folder / "panoptic.png", ids)
    segments = [{"id": _GROUND, "category_id": 1, "iscrowd": 0}]
    segments += [{"id": _GROUND + 1 + k, "category_id": 2, "iscrowd": 0} for k in range(rows * rows)]
    image = PanopticImage(1, "image.png", size, size, "panoptic.png", tuple(segments))
    record = {"file_name": str(folder / "image.png"), "height": size, "width": size, "image_id": 1}
    return {**record, "panoptic_image": image, "panoptic_root": str(folder)}


def _fastest(mapper: Any, record: Dict[str, Any], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        mapper(record)
        seconds.append(time.process_time() - begin)
    return min(seconds)


def _written_mb(masks: np.ndarray) -> float:
    """The memory of the pages in which an object has a pixel; the others were never written to, and take none."""
    whole = masks.size // mmap.PAGESIZE * mmap.PAGESIZE
    pages = masks.reshape(-1)[:whole].reshape(-1, mmap.PAGESIZE)
    return np.count_nonzero(pages.any(axis=1)) * mmap.PAGESIZE / 1e6


class _PlainSample:
    """The sample by one look at the whole map per object, a mask at a time.

    Attributes:
        seconds: of CPU time that it took, comparing left out.
    """

    def __init__(self, record: Dict[str, Any], augmentations: Any, aug_input: Any):
        begin = time.process_time()
        rgb = np.asarray(Image.open(record["file_name"]))
        root, image = Path(record["panoptic_root"]), record["panoptic_image"]
        self._ids = read_panoptic_png(root / image.png_name, height=image.height, width=image.width)
        self._things = [segment["id"] for segment in image.segments_info if segment["category_id"] == 2]
        augmented = aug_input(rgb[..., ::-1], sem_seg=(self._ids == _GROUND).astype(np.uint8))
        self._transforms = augmentations(augmented)
        self._image, self._labels = augmented.image, augmented.sem_seg
        self.seconds = time.process_time() - begin

    def difference(self, sample: Dict[str, Any]) -> Optional[str]:
        """The first part of a sample that is another; None if there is none."""
        instances = sample["instances"]
        if not np.array_equal(sample["image"].permute(1, 2, 0).numpy(), self._image):
            return "image"
        if not np.array_equal(sample["sem_seg"].numpy(), self._labels):
            return "semantic labels"
        ours = zip(instances.gt_masks.tensor.numpy(), instances.gt_boxes.tensor.tolist(), strict=True)
        number = 0
        for number, (mask, box) in enumerate(self._objects(), start=1):
            found = next(ours, None)
            if found is None or found[1] != list(box) or not np.array_equal(found[0], mask):
                return f"object {number}"
        return None if number == len(instances) else "the number of objects"

    def _objects(self) -> Iterator[Tuple[np.ndarray, Tuple[int, ...]]]:
        """Mask and box of every object that is left."""
        for thing in tqdm(self._things, desc="plain", unit="object", disable=None):
            begin = time.process_time()
            mask = self._transforms.apply_segmentation((self._ids == thing).astype(np.uint8)).astype(bool)
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            self.seconds += time.process_time() - begin
            if len(rows):
                yield mask, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
