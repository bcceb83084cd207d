"""panopticapi's combine script is the reference of ``fuse-predictions``.

Both read the same files. ``PARITY=full`` compares 240 scenes, otherwise a sample of 25.
"""

import contextlib
import io
import json
import multiprocessing.pool
import os
from collections import Counter

import numpy as np
import pytest
from panopticapi import combine_semantic_and_instance_predictions as combine_script
from panopticapi.utils import rgb2id
from PIL import Image
from pycocotools import mask as rle_codec

from panoptic_heuristic.cli import fuse_predictions
from panoptic_heuristic.testing.scenes import make_scene

pytestmark = pytest.mark.parity

SCENES = 48 if os.environ.get("PARITY") == "full" else 5
SIZES = ((1, 1), (9, 7), (40, 56), (90, 120), (64, 48))
# Score threshold, overlap threshold, stuff limit: the defaults, everything, nothing, and in between.
SETTINGS = ((0.5, 0.5, 4096), (0.0, 1.0, 0), (0.3, 0.0, 1), (0.1, 0.3, 60), (0.7, 0.8, 200.5))


def rle(mask):
    encoded = rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")}


def random_scene(number, seed):
    """Some scenes are of full size, so that the default stuff limit keeps something."""
    rng = np.random.default_rng([seed, number])
    size = (240, 320) if number % 5 == 4 else SIZES[rng.integers(len(SIZES))]
    count = int(rng.choice([0, 1, 2, rng.integers(3, 30), 60]))
    return make_scene(
        1000 * seed + number,
        image_size=size,
        instances=count,
        empty=int(0.1 * count),
        tied_scores=bool(rng.random() < 0.4),
        things=5,
        stuff=9,
    )


@pytest.fixture
def write(tmp_path):
    """Writes the results of both heads, some images without one of them, and returns what was written."""

    def to_files(scenes):
        images, instances, semantics = [], [], []
        for number, scene in enumerate(scenes):
            image_id = 7 * number
            height, width = scene.image_size
            images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
            for mask, score, category_id in zip(scene.masks, scene.scores, scene.category_ids, strict=True):
                entry = {"image_id": image_id, "category_id": int(category_id), "score": float(score)}
                instances.append({**entry, "segmentation": rle(mask)})
            for label, category_id in enumerate(scene.label_to_category):
                mask = scene.semantic_labels == label
                if category_id is None:
                    # Both sides leave masks of things out.
                    category_id = 0
                if mask.any() and number % 7 != 6:
                    entry = {"image_id": image_id, "category_id": category_id, "segmentation": rle(mask)}
                    semantics.append(entry)
        # In no order, since file order must not matter but among equal scores.
        order = np.random.default_rng(0).permutation(len(semantics))
        contents = {
            "images": {"images": images, "info": {}},
            "instances": instances,
            "semantics": [semantics[place] for place in order],
            "categories": scenes[0].categories.to_coco(),
        }
        for name, content in contents.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return images

    return to_files


def of_combine_script(folder, score, overlap, stuff_area):
    """panopticapi's JSON and folder, by one thread instead of a process per core."""
    (folder / "theirs").mkdir()
    np.random.seed(0)
    files = [str(folder / f"{name}.json") for name in ("semantics", "instances", "images", "categories")]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(combine_script.multiprocessing, "cpu_count", lambda: 1)
        patch.setattr(combine_script.multiprocessing, "Pool", multiprocessing.pool.ThreadPool)
        output = str(folder / "theirs"), str(folder / "theirs.json")
        combine_script.combine_predictions(*files, *output, score, overlap, stuff_area)
    return folder / "theirs.json", folder / "theirs"


def of_this_project(folder, score, overlap, stuff_area):
    arguments = {
        **{name: folder / f"{name}.json" for name in ("semantics", "instances", "images", "categories")},
        "instances-score-thresh": score,
        "overlap-threshold": overlap,
        "stuff-area-thresh": stuff_area,
        "output": folder / "ours",
        "workers": 1,
    }
    argv = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    assert fuse_predictions.main(argv) == 0
    return folder / "ours" / "panoptic_predictions.json", folder / "ours" / "panoptic_predictions"


def read(json_path, folder):
    """image id -> the category and pixels of each segment, and the number of segments without a pixel."""
    segments = {}
    for annotation in json.loads(json_path.read_text())["annotations"]:
        ids = rgb2id(np.asarray(Image.open(folder / annotation["file_name"])))
        category_of = {segment["id"]: segment["category_id"] for segment in annotation["segments_info"]}
        assert len(category_of) == len(annotation["segments_info"])
        assert set(np.unique(ids).tolist()) <= {0, *category_of}
        pixels = [(category_of[i], np.flatnonzero(ids == i).tolist()) for i in category_of]
        segments[annotation["image_id"]] = sorted(segment for segment in pixels if segment[1])
        segments[annotation["image_id"], "without pixels"] = sum(not places for _, places in pixels)
    return segments


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_maps_are_those_of_the_combine_script(number, write, tmp_path, capsys):
    score, overlap, stuff_area = SETTINGS[number]
    scenes = [random_scene(place, number) for place in range(SCENES)]
    images = write(scenes)
    theirs = read(*of_combine_script(tmp_path, score, overlap, stuff_area))
    ours = read(*of_this_project(tmp_path, score, overlap, stuff_area))
    met = Counter(scenes=len(images))
    for image in images:
        key = image["id"]
        assert ours[key] == theirs[key], f"setting {SETTINGS[number]}, image {key}"
        # Theirs keeps instances all of whose pixels are taken, and stuff without any, where the limits allow it.
        assert ours[key, "without pixels"] == 0
        met["segments"] += len(ours[key])
        met["their segments without a pixel"] += theirs[key, "without pixels"]
        met["void maps"] += not ours[key]
    with capsys.disabled():
        print(f"\nfuse_predictions equals the combine script at {SETTINGS[number]}: {dict(met)}")
    assert met["segments"] > 2 * SCENES
    if SETTINGS[number][1:] == (1.0, 0):
        assert met["their segments without a pixel"] > 0
