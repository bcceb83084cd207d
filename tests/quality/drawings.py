"""Pairs of ground truth and prediction for tests: drawn by hand, and random ones.

A drawing has one character per segment; "." is void. In the ground truth "?" is an id that its
segments do not list.
"""

import numpy as np

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, ImageMeasures, MeasureSettings, PanopticQuality

SKY, CAT, DOG, GRASS, COW, ROAD = 0, 7, 3, 200, 90, 12
CATEGORIES = Categories(
    [
        Category(CAT, "cat", True, (1, 1, 1)),
        Category(SKY, "sky", False, (2, 2, 2)),
        Category(GRASS, "grass", False, (3, 3, 3)),
        Category(DOG, "dog", True, (4, 4, 4)),
        Category(COW, "cow", True, (5, 5, 5)),
        Category(ROAD, "road", False, (6, 6, 6)),
    ]
)
# Letters by category; capitals of c and d are crowds in the ground truth, and z is a second crowd of cats.
CATEGORY_OF = {**dict.fromkeys("sS", SKY), "g": GRASS, **dict.fromkeys("cabCz", CAT), **dict.fromkeys("dD", DOG)}
CROWDS = "CDz"


def read(drawing, first_id):
    """The map of a drawing, and its segments; each letter is an id of its own, in order of appearance."""
    rows = drawing.split()
    letters = list(dict.fromkeys(letter for row in rows for letter in row if letter != "."))
    id_of = {".": 0, **{letter: first_id + 251 * place for place, letter in enumerate(letters)}}
    segments = [
        {"id": id_of[letter], "category_id": CATEGORY_OF[letter], "iscrowd": int(letter in CROWDS)}
        for letter in letters
        if letter != "?"
    ]
    return np.array([[id_of[letter] for letter in row] for row in rows]), segments


def iou(*fractions):
    """The sum of intersection / union, in the counts' units."""
    return sum(round(a * IOU_UNIT / b) for a, b in fractions)


def counts(iou_sum, tp, fp, fn):
    """Counts of a category; the sum of the matches' IoUs as a float."""
    return CategoryCounts(round(iou_sum * IOU_UNIT), tp, fp, fn)


def result_of(images, measure="pq"):
    """A result with the counts of one measure per image; ``images`` by id, or a list that is numbered from 0."""
    settings = MeasureSettings(iou_thresholds=(), sizes=False, dagger=measure == "pq_dagger")
    quality = PanopticQuality(CATEGORIES, settings, keep=(measure,))
    images = images if isinstance(images, dict) else dict(enumerate(images))
    for image_id, counts_of_image in images.items():
        measures = {**dict.fromkeys(settings.names, {}), measure: counts_of_image}
        quality.add(ImageMeasures(measures, 1, 0), image_id)
    return quality.result()


def random_result(images=60):
    """A result of random pairs that keeps ``pq`` and ``pq_dagger`` per image."""
    quality = PanopticQuality(CATEGORIES, keep=("pq", "pq_dagger"))
    for seed in range(images):
        gt_ids, gt_segments, pred_ids, pred_segments = random_pair(seed)
        quality.update((gt_ids, gt_segments), (pred_ids, pred_segments), seed)
    return quality.result()


def random_pair(seed, shape=None):
    """Ground truth and a prediction that resembles it: maps, and the segments of both.

    Rectangles over each other, so that IoUs are fractions of small numbers, one half among them.
    The prediction loses, adds, moves and renames some. The ground truth has void, crowds, now and then
    several of a category, an id that is not listed, and a segment without a pixel.
    """
    rng = np.random.default_rng(seed)
    height, width = shape or rng.integers(4, 24, 2)
    things, stuff = ([category.id for category in group] for group in (CATEGORIES.things, CATEGORIES.stuff))

    def rectangle():
        y, x = rng.integers(height), rng.integers(width)
        return y, x, y + rng.integers(1, height + 1), x + rng.integers(1, width + 1)

    gt_ids, pred_ids = np.zeros((height, width), int), np.zeros((height, width), int)
    gt_segments, pred_segments = [], []
    for number in range(rng.integers(0, 12)):
        gt_id, pred_id = (int(i) + 400 * number for i in rng.integers(1, 400, 2) * (1, 3))
        category_id = int(rng.choice([*things, *stuff]))
        crowd = int(category_id in things and rng.random() < 0.35)
        y0, x0, y1, x1 = rectangle()
        if rng.random() < 0.9:
            gt_ids[y0:y1, x0:x1] = gt_id
            if rng.random() < 0.93:
                gt_segments.append({"id": gt_id, "category_id": category_id, "iscrowd": crowd})
        if rng.random() < 0.85:
            if rng.random() < 0.3:
                y0, x0, y1, x1 = rectangle()
            elif rng.random() < 0.5:
                x1 = x0 + max(1, (min(x1, width) - x0) // 2)
            pred_ids[y0:y1, x0:x1] = pred_id
            category_id = int(rng.choice([*things, *stuff])) if rng.random() < 0.15 else category_id
            pred_segments.append({"id": pred_id, "category_id": category_id})
    for segment in gt_segments:
        segment["area"] = int((gt_ids == segment["id"]).sum())
    # The order of the list is no order of size or place, and the last crowd listed is a special one.
    gt_segments = [gt_segments[place] for place in rng.permutation(len(gt_segments))]
    # panopticapi refuses predicted segments without a pixel.
    pred_segments = [segment for segment in pred_segments if (pred_ids == segment["id"]).any()]
    return gt_ids, gt_segments, pred_ids, pred_segments


def beside(left, right):
    """One pair of maps of two pairs of the same height; the segments of the right one get other ids."""
    sides = []
    for (ids, segments), (other_ids, others) in ((left[:2], right[:2]), (left[2:], right[2:])):
        shift = 100_000
        shifted = np.where(other_ids == 0, 0, other_ids + shift)
        sides += [np.hstack([ids, shifted]), segments + [{**other, "id": other["id"] + shift} for other in others]]
    return tuple(sides)
