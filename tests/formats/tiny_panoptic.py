"""A tiny data set in COCO panoptic format, drawn with letters, for any test that needs files.

    data = write_tiny_panoptic(tmp_path)                 # train and val, three 8x10 images each
    data.yaml                                            # the data set's YAML file
    with data.edit("val") as content:                    # damages it
        content["annotations"][0]["segments_info"][0]["category_id"] = 999

The category ids have gaps, start at 0 and mix things with stuff, and the segment ids need all
three bytes of a colour, so that code which takes one id for another cannot pass.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

import numpy as np
from PIL import Image

CATEGORIES = (
    {"id": 0, "name": "sky", "supercategory": "sky", "isthing": 0, "color": [70, 130, 180]},
    {"id": 7, "name": "cat", "supercategory": "animal", "isthing": 1, "color": [220, 20, 60]},
    {"id": 9, "name": "grass", "supercategory": "plant", "isthing": 0, "color": [0, 200, 0]},
    {"id": 90, "name": "dog", "supercategory": "animal", "isthing": 1, "color": [0, 0, 142]},
)

# letter: (segment id, category id, iscrowd). "." is void.
SEGMENTS = {
    "s": (1, 0, 0),
    "g": (255, 9, 0),
    "c": (256, 7, 0),
    "C": (65535, 7, 0),
    "d": (65536, 90, 0),
    "x": (2**24 - 1, 90, 1),
}

# Each has void, stuff and things; the first has every letter, the second no crowd, the third one thing.
DRAWINGS = (
    """
    ssssssssss
    ssccssCCss
    ssccssCCxx
    ssccssssxx
    ggggddggxx
    ggggddggxx
    gggggggggg
    ..gggggggg
    """,
    """
    ssssssssss
    ssssssssss
    sccccsssss
    sccccssdds
    sccccssdds
    gggggggggg
    gggggggggg
    .........g
    """,
    """
    gggggggggg
    gggggggggg
    ggdddddggg
    ggdddddggg
    ggdddddggg
    ggdddddggg
    gggggggg..
    gggggggg..
    """,
)


@dataclass(frozen=True)
class TinyPanoptic:
    """The places of the files of a tiny data set.

    Attributes:
        root: the folder.
        yaml: the data set's YAML file, ``root/tiny.yaml``; the data set is called ``tiny``.
    """

    root: Path
    yaml: Path

    def image(self, split: str, place: int) -> Path:
        """The ``place``-th image (from 0), a JPEG."""
        return self.root / split / f"{place:04d}.jpg"

    def png(self, split: str, place: int) -> Path:
        """The panoptic PNG of the ``place``-th image."""
        return self.root / f"panoptic_{split}" / f"{place:04d}.png"

    def json(self, split: str) -> Path:
        """The split's panoptic JSON."""
        return self.root / f"panoptic_{split}.json"

    def read(self, split: str) -> Dict[str, Any]:
        """The content of the split's JSON."""
        return json.loads(self.json(split).read_text())

    @contextlib.contextmanager
    def edit(self, split: str) -> Iterator[Dict[str, Any]]:
        """Gives the content of the split's JSON and writes what the block made of it."""
        content = self.read(split)
        yield content
        self.json(split).write_text(json.dumps(content))


def draw(drawing: str) -> np.ndarray:
    """(H, W) int32 segment ids of a drawing in the letters of ``SEGMENTS``."""
    rows = drawing.split()
    return np.array([[SEGMENTS[c][0] if c != "." else 0 for c in row] for row in rows], dtype=np.int32)


def segments_info(drawing: str) -> List[Dict[str, Any]]:
    """The ``segments_info`` of a drawing, counted pixel by pixel."""
    rows = drawing.split()
    entries = []
    for letter, (segment_id, category_id, iscrowd) in SEGMENTS.items():
        pixels = [(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == letter]
        if pixels:
            xs, ys = zip(*pixels, strict=True)
            box = [min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1]
            entry = {"id": segment_id, "category_id": category_id, "area": len(pixels), "bbox": box}
            entries.append({**entry, "iscrowd": iscrowd})
    return entries


def write_png(path: Path, ids: np.ndarray) -> None:
    """Writes segment ids as an 8-bit RGB PNG, without the project's own code."""
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(path)


def write_tiny_panoptic(
    root: Path,
    *,
    splits: Sequence[str] = ("train", "val"),
    drawings: Sequence[str] = DRAWINGS,
    categories: Sequence[Mapping[str, Any]] = CATEGORIES,
) -> TinyPanoptic:
    """Writes a data set, sound in every respect, with the same drawings in each split.

    Image ids count from 1 in the first split and from 101 in the second. The images are noise
    around the colours of the classes; the same arguments give the same pixels.

    Args:
        root: an existing, empty folder.
        splits: the names of the splits.
        drawings: one per image, in the letters of ``SEGMENTS``.
        categories: the ``categories`` of every JSON.
    """
    data = TinyPanoptic(root, root / "tiny.yaml")
    lines = ["name: tiny", "splits:"]
    for number, split in enumerate(splits):
        (root / split).mkdir()
        (root / f"panoptic_{split}").mkdir()
        images, annotations = [], []
        for place, drawing in enumerate(drawings):
            ids = draw(drawing)
            image_id = 100 * number + place + 1
            photo, png = data.image(split, place), data.png(split, place)
            _paint(ids, seed=image_id).save(photo, quality=95)
            write_png(png, ids)
            size = {"height": ids.shape[0], "width": ids.shape[1]}
            images.append({"id": image_id, "file_name": photo.name, **size})
            annotations.append(
                {"image_id": image_id, "file_name": png.name, "segments_info": segments_info(drawing)}
            )
        content = {"images": images, "annotations": annotations, "categories": list(categories)}
        data.json(split).write_text(json.dumps(content))
        lines.append(
            f"  {split}: {{image_root: {split}, panoptic_json: {data.json(split).name}, "
            f"panoptic_root: panoptic_{split}}}"
        )
    data.yaml.write_text("\n".join(lines) + "\n")
    return data


def _paint(ids: np.ndarray, seed: int) -> Image.Image:
    color_of = {category["id"]: category["color"] for category in CATEGORIES}
    rgb = np.full((*ids.shape, 3), 128, dtype=np.int64)
    for segment_id, category_id, _ in SEGMENTS.values():
        rgb[ids == segment_id] = color_of[category_id]
    rgb += np.random.default_rng(seed).integers(-20, 21, rgb.shape)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
