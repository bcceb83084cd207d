"""Detectron2 is the reference of the greedy rule and of pasting RoI masks.

``PARITY=full`` compares the full number of scenes, otherwise a sample of them runs.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Dict, List

import numpy as np
import pytest
import torch

from panoptic_heuristic.detectron.compat import make_detectron2_importable
from panoptic_heuristic.fusion import Greedy, InstanceSet, PerPixel, Pipeline, fuse
from panoptic_heuristic.testing.scenes import Scene, make_scene

make_detectron2_importable()

from detectron2.layers.mask_ops import paste_masks_in_image  # noqa: E402
from detectron2.modeling.meta_arch.panoptic_fpn import combine_semantic_and_instance_outputs  # noqa: E402

pytestmark = pytest.mark.parity

FULL = os.environ.get("PARITY") == "full"
SCENES = 600 if FULL else 60
PER_PIXEL_SCENES = 120 if FULL else 20
BOXES = 3000 if FULL else 400

IMAGE_SIZES = ((1, 1), (7, 9), (32, 32), (40, 56), (61, 43), (90, 120))
LARGE_SIZE, LARGE_EVERY = (480, 640), 50
# What float32 scores are compared with: as a float32, 0.7 is smaller than 0.7, and 0.3 larger than 0.3.
BOUNDARY_SCORES = (0.0, 0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Thresholds:
    overlap: float
    score: float
    stuff_area: float


def random_scene(seed: int) -> Scene:
    """A scene of 0 to 100 instances, some with an empty mask, some with a score that is a usual threshold."""
    rng = np.random.default_rng([seed, 1])
    size = LARGE_SIZE if seed % LARGE_EVERY == 0 else IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    count = int(rng.choice([0, 1, 2, rng.integers(3, 30), rng.integers(30, 101), 100]))
    empty = int(rng.integers(count + 1) * rng.choice([0, 0.1, 0.5]))
    scene = make_scene(seed, image_size=size, instances=count, empty=empty, things=7, stuff=9)
    scores = scene.scores.copy()
    for score in rng.permutation(BOUNDARY_SCORES)[: count // 4].astype(np.float32):
        # Detectron2's sort is not stable, so equal scores could not be compared.
        if score not in scores:
            scores[rng.integers(count)] = score
    return replace(scene, scores=scores)


def random_thresholds(seed: int, scene: Scene) -> Thresholds:
    """Thresholds at 0, at 1, in between, and exactly at a value that occurs in the scene."""
    rng = np.random.default_rng([seed, 2])
    of_an_instance = rng.choice(scene.scores) if len(scene.scores) else 0.5
    scores = [0.0, 1.0, rng.random(), rng.choice(BOUNDARY_SCORES), of_an_instance]
    score = float(scores[rng.choice(5, p=[0.3, 0.05, 0.15, 0.2, 0.3])])
    overlap = float(rng.choice([0.0, 1.0, 0.5, rng.random()]))
    if rng.random() < 0.5:
        # Which fractions occur depends on the threshold: only one that is still met at itself will do.
        fractions = sorted(set(replay(scene, overlap, score).fractions) - {0.0, 1.0})
        reached = [f for f in fractions if f in replay(scene, f, score).fractions]
        overlap = float(rng.choice(reached)) if reached else overlap
    free_areas = replay(scene, overlap, score).free_areas
    stuff_area = float(rng.choice([0, 1, scene.masks[0].size * 0.05 if len(scene.masks) else 5, *free_areas[:2]]))
    return Thresholds(overlap, score, stuff_area)


def replay(scene: Scene, overlap: float, score: float) -> SimpleNamespace:
    """The claimed fractions and free stuff areas that the rule meets. Only to find thresholds and to count."""
    claimed = np.zeros(scene.image_size, dtype=bool)
    fractions: List[float] = []
    for index in np.argsort(-scene.scores.astype(np.float64), kind="stable"):
        mask = scene.masks[index]
        if float(scene.scores[index]) < score or not mask.any():
            continue
        fractions.append(np.count_nonzero(mask & claimed) / np.count_nonzero(mask))
        if fractions[-1] <= overlap:
            claimed |= mask
    labels, areas = np.unique(scene.semantic_labels[~claimed], return_counts=True)
    return SimpleNamespace(fractions=fractions, free_areas=areas[labels > 0].tolist())


def detectron2(scene: Scene, thresholds: Thresholds):
    """Detectron2's map and segments, in dataset ids, without those of no pixel, numbered from 1 again."""
    contiguous = {category.id: place for place, category in enumerate(scene.categories.things)}
    things = [category.id for category in scene.categories.things]
    instances = SimpleNamespace(
        scores=torch.from_numpy(scene.scores),
        pred_masks=torch.from_numpy(scene.masks),
        pred_classes=torch.tensor([contiguous[int(i)] for i in scene.category_ids], dtype=torch.int64),
    )
    panoptic_seg, segments_info = combine_semantic_and_instance_outputs(
        instances,
        torch.from_numpy(scene.semantic_labels),
        thresholds.overlap,
        thresholds.stuff_area,
        thresholds.score,
    )
    areas = torch.bincount(panoptic_seg.flatten().long(), minlength=len(segments_info) + 1).tolist()
    new_id = np.zeros(len(segments_info) + 1, dtype=np.int32)
    kept = []
    for segment in segments_info:
        if areas[segment["id"]] == 0:
            continue
        id_of = things if segment["isthing"] else scene.label_to_category
        kept.append(
            {
                **segment,
                "id": len(kept) + 1,
                "category_id": id_of[segment["category_id"]],
                "area": areas[segment["id"]],
            }
        )
        new_id[segment["id"]] = len(kept)
    return new_id[panoptic_seg], kept, len(segments_info) - len(kept)


def compare(seed: int, scene: Scene, claim, thresholds: Thresholds) -> Counter:
    """Fails unless map and segments are the same; counts what was compared."""
    result = fuse(
        scene.instances(),
        scene.semantics(),
        scene.categories,
        Pipeline(claim, instances_score_thresh=thresholds.score, stuff_area_thresh=thresholds.stuff_area),
    )
    panoptic_seg, segments_info, without_pixels = detectron2(scene, thresholds)
    np.testing.assert_array_equal(result.panoptic_seg, panoptic_seg, err_msg=f"seed {seed}, {thresholds}")
    assert result.segments_info == segments_info, f"seed {seed}, {thresholds}"
    assert sum(dropped.reason == "covered" for dropped in result.dropped) >= without_pixels
    met = replay(scene, thresholds.overlap, thresholds.score)
    between = 0 < thresholds.overlap < 1
    return Counter(
        {
            "scenes": 1,
            "scenes without instances": int(len(scene.scores) == 0),
            "segments": len(segments_info),
            "Detectron2's segments without a pixel": without_pixels,
            "dropped for overlap": sum(dropped.reason == "overlap" for dropped in result.dropped),
            "dropped as empty": sum(dropped.reason == "empty" for dropped in result.dropped),
            "scores at the threshold": int(np.count_nonzero(scene.scores.astype(np.float64) == thresholds.score)),
            "fractions at the overlap threshold": met.fractions.count(thresholds.overlap) if between else 0,
            "areas at the stuff limit": met.free_areas.count(thresholds.stuff_area),
        }
    )


def report(title: str, counts: Dict[str, int]) -> None:
    print(f"\n{title}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


def test_greedy_equals_detectron2(capsys):
    counts = Counter()
    for seed in range(SCENES):
        scene = random_scene(seed)
        thresholds = random_thresholds(seed, scene)
        counts += compare(seed, scene, Greedy(thresholds.overlap), thresholds)
    with capsys.disabled():
        report("greedy equals Detectron2", counts)
    assert counts["scenes"] == SCENES
    for name in (
        "scenes without instances",
        "Detectron2's segments without a pixel",
        "dropped for overlap",
        "dropped as empty",
        "scores at the threshold",
        "fractions at the overlap threshold",
        "areas at the stuff limit",
    ):
        # Else the scenes would not exercise what they are for.
        assert counts[name] > SCENES / 20, name


def test_per_pixel_equals_detectron2_without_overlap_test(capsys):
    counts = Counter()
    for seed in range(PER_PIXEL_SCENES):
        scene = random_scene(seed)
        counts += compare(seed, scene, PerPixel(), replace(random_thresholds(seed, scene), overlap=1.0))
    with capsys.disabled():
        report("per_pixel equals Detectron2 at overlap 1", counts)
    assert counts["Detectron2's segments without a pixel"] > 0
    assert counts["dropped for overlap"] == 0


def random_boxes(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Boxes of every size, around the image's border too, some on whole pixels, some without area."""
    centres = rng.uniform(-0.2, 1.2, (count, 2)) * (width, height)
    sides = np.exp(rng.uniform(np.log(0.1), np.log(2 * max(height, width)), (count, 2)))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
    boxes[::7] = boxes[::7].round()
    boxes[::15, 2] = boxes[::15, 0]
    return boxes.astype(np.float32)


def test_rois_are_pasted_as_detectron2_does(capsys):
    rng = np.random.default_rng(0)
    counts = Counter()
    for height, width in ((1, 1), (37, 53), (120, 90), (240, 320)):
        count = BOXES // 4
        boxes = random_boxes(rng, count, height, width)
        # Noise of a few values, so that many interpolated ones are close to the threshold or at it.
        probabilities = (rng.integers(0, 9, (count, 28, 28)) / 8).astype(np.float32)
        probabilities[::2] = make_scene(height, image_size=(8, 8), instances=count).probabilities[::2]
        instances = InstanceSet.from_rois(probabilities, boxes, np.ones(count), np.zeros(count, int), (height, width))
        for index in range(count):
            ours = torch.zeros(height, width, dtype=torch.bool)
            crop = instances.crop(index)
            ours[crop.window] = crop.mask
            x0, y0, x1, y1 = boxes[index].tolist()
            if x1 <= -1 or y1 <= -1 or x0 >= width + 1 or y0 >= height + 1:
                # Detectron2 clips boxes first and drops these; its paste fails on some of them.
                assert not ours.any()
                counts["outside"] += 1
                continue
            box = torch.from_numpy(boxes[index : index + 1])
            pasted = paste_masks_in_image(torch.from_numpy(probabilities[index : index + 1]), box, (height, width))
            assert torch.equal(ours, pasted[0]), boxes[index]
            counts["pasted"] += 1
            counts["reach out of the image"] += x0 < 0 or y0 < 0 or x1 > width or y1 > height
            counts["without area"] += x0 == x1 or y0 == y1
            counts["with a pixel"] += bool(ours.any())
    with capsys.disabled():
        report("boxes", counts)
    assert counts["pasted"] >= BOXES // 2
    assert min(counts[name] for name in ("outside", "reach out of the image", "without area", "with a pixel")) > 10
