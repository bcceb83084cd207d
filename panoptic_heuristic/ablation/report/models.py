"""Sweeps of several models on the same images: how much better one is than another, image paired with image."""

from itertools import combinations
from typing import List, Optional, Tuple

from panoptic_heuristic.ablation.report.comparison import Compared
from panoptic_heuristic.ablation.report.document import Block, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.sweep import GROUPS, ReportedSweep
from panoptic_heuristic.ablation.report.words import between, count, measure, plural, signed
from panoptic_heuristic.quality import Resampled

Side = Tuple[ReportedSweep, Optional[Resampled]]


def models(compared: Compared, level: int) -> List[Block]:
    """A table of the differences between each two sweeps, and a sentence for each two that have none to give."""
    heading = Heading("Which model is better?", level)
    sides = list(zip(compared.sweeps, compared.resampled, strict=True))
    rows, reasons = [], []
    for against, model in combinations(sides, 2):
        reason = other_images(against[0], model[0])
        if reason is None:
            rows += _rows(compared, model, against)
        else:
            reasons.append(Text(f"{against[0].name} and {model[0].name} have no paired difference: {reason}."))
    if not rows:
        return [heading, *reasons]
    header = ("model", "against", "settings", "PQ", "PQ against", "difference", "95 % interval")
    groups = [group for group in GROUPS[1:] if all(sweep.occurs(group) for sweep in compared.sweeps)]
    caption = (
        "The model's PQ less that of the one it is set against, on the same images. Intervals resample images, each "
        "for both models at once, so what makes an image easy or hard for both cancels out."
    )
    return [
        heading,
        Text(
            "A difference whose interval reaches 0 may be chance. The default alone was not chosen on the images that "
            "it is scored on."
        ),
        Table((*header, *(f"in {group}" for group in groups)), tuple(rows), words=3, caption=caption),
        *reasons,
    ]


def other_images(first: ReportedSweep, second: ReportedSweep) -> Optional[str]:
    """The reason why the images of two sweeps cannot be paired; None if they can.

    A sweep does not name its images. Where data set, classes, number of images and, in each bucket, the ground
    truth's segments of each class agree, the images are taken for the same.
    """
    names = [sweep.result.manifest["dataset_name"] for sweep in (first, second)]
    if names[0] != names[1]:
        return f"one is of the data set {names[0]}, the other of {names[1]}"
    if first.result.categories.to_coco() != second.result.categories.to_coco():
        return "their classes differ"
    if first.counts.images != second.counts.images:
        return f"one has {plural(first.counts.images, 'image')}, the other {count(second.counts.images)}"
    buckets = zip(first.result.of_settings([]), second.result.of_settings([]), strict=True)
    for number, (one, other) in enumerate(buckets):
        if one.images != other.images or (one.segments != other.segments).any():
            return f"their ground truth differs, as in bucket {number:02d}, so they are of different images"
    return None


def _rows(compared: Compared, model: Side, against: Side) -> List[Row]:
    (sweep, draws), (other, other_draws) = model, against
    pairs = {
        "the best of each": (sweep.best, other.best),
        "one for all": (compared.for_all, compared.for_all),
        "default": (sweep.default, other.default),
    }
    rows = []
    for name, (setting, other_setting) in pairs.items():
        told = []
        for group in GROUPS:
            if not (sweep.occurs(group) and other.occurs(group)):
                continue
            bounds = None
            if draws is not None and other_draws is not None:
                bounds = draws.paired_difference(setting, other_draws, other_setting, group)
            told.append((signed(sweep.pq(setting, group) - other.pq(other_setting, group)), between(bounds)))
        cells = [sweep.name, other.name, name, measure(sweep.pq(setting)), measure(other.pq(other_setting)), *told[0]]
        rows.append(Row((*cells, *(" ".join(one).rstrip() for one in told[1:]))))
    return rows
