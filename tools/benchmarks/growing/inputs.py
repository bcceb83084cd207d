"""The files that the commands start from: generated images, their ground truth, and what two heads say about them."""

import json
from functools import partial
from pathlib import Path
from typing import Dict

from PIL import Image
from tqdm import tqdm

from benchmarks.fuse_files import head_results
from panoptic_heuristic.formats.coco_panoptic import ids_to_rgb, write_panoptic_png
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.testing.scenes import make_scene

# Neighbouring ids are nearly one colour, and no photograph is.
_COLOR_STEP = 1234577


def write_inputs(folder: Path, count: int, *, detections: int, workers: int) -> Path:
    """Writes the first ``count`` images, or those of them that are not there yet.

    The files of an image are shared by all counts.

    Returns:
        The folder ``count`` in ``folder``, with ``panoptic.json``, ``instances.json``, ``semantics.json`` and
        ``dataset.yaml``.
    """
    own = folder / str(count)
    if (own / "dataset.yaml").exists():
        return own
    for name in ("images", "panoptic", "scenes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    parts: Dict[str, list] = {"images": [], "annotations": [], "instances": [], "semantics": []}
    write = partial(_write_scene, folder, detections)
    with ordered_map(write, range(count), workers=workers) as written:
        for path in tqdm(written, desc="generate", total=count, unit="image", disable=None):
            scene = json.loads(path.read_text())
            for name, entries in parts.items():
                entries += scene[name]
    for name in ("instances", "semantics"):
        write_json(own / f"{name}.json", parts.pop(name))
    write_json(own / "panoptic.json", {**parts, "categories": scene["categories"]})
    split = {"image_root": "../images", "panoptic_json": "panoptic.json", "panoptic_root": "../panoptic"}
    write_json(own / "dataset.yaml", {"name": "generated", "splits": {"val": split}})
    return own


def _write_scene(folder: Path, detections: int, seed: int) -> Path:
    path = folder / "scenes" / f"{seed}.json"
    if path.exists():
        return path
    scene = make_scene(seed, instances=detections)
    write_panoptic_png(folder / "panoptic" / f"{seed}.png", scene.gt_ids)
    Image.fromarray(ids_to_rgb(scene.gt_ids * _COLOR_STEP % 2**24)).save(folder / "images" / f"{seed}.jpg")
    height, width = scene.image_size
    instances, semantics = head_results(scene, seed)
    write_json(
        path,
        {
            "images": [{"id": seed, "file_name": f"{seed}.jpg", "height": height, "width": width}],
            "annotations": [{"image_id": seed, "file_name": f"{seed}.png", "segments_info": scene.gt_segments}],
            "instances": instances,
            "semantics": semantics,
            "categories": scene.categories.to_coco(),
        },
    )
    return path
