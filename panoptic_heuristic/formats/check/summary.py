"""The content of the splits of a COCO panoptic data set: images, pixels, and segments per class."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.check.image import ImageResult
from panoptic_heuristic.formats.check.split import OpenSplit
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticImage


@dataclass(frozen=True)
class ClassCount:
    """The segments and pixels of one category in a split.

    Attributes:
        category_id, name, isthing: the category.
        segments: segments that are no crowd.
        crowd_segments: segments with ``iscrowd`` 1.
        images: images with at least one segment of either sort.
        pixels: pixels of all its segments.
        median_area: median area in pixels of the segments that are no crowd; None without any.
    """

    category_id: int
    name: str
    isthing: bool
    segments: int
    crowd_segments: int
    images: int
    pixels: int
    median_area: Optional[float]


@dataclass(frozen=True)
class SplitSummary:
    """The content of a split.

    Attributes:
        split: the split's name in the YAML file.
        images: images in the JSON.
        annotated_images: images whose PNG could be read; the counts below are over these.
        classes: one entry per category, in file order; empty without readable annotations.
        pixels, void_pixels: pixels of the annotated images, and those of id 0.
        median_height, median_width: median size in pixels over all images; None without images.
    """

    split: str
    images: int
    annotated_images: int
    classes: Tuple[ClassCount, ...]
    pixels: int
    void_pixels: int
    median_height: Optional[float]
    median_width: Optional[float]


def summarize_split(split: OpenSplit, results: Sequence[ImageResult]) -> SplitSummary:
    """Adds up a split.

    Args:
        split: its images.
        results: of each of its tasks, in their order.
    """
    images = [task.image for task in split.tasks]
    read = [
        (image, result.areas)
        for image, result in zip(images, results, strict=True)
        if result.areas is not None
    ]
    return SplitSummary(
        split=split.name,
        images=len(images),
        annotated_images=len(read),
        classes=_count_classes(split.categories, read) if split.categories is not None and read else (),
        pixels=sum(image.height * image.width for image, _ in read),
        void_pixels=sum(areas.get(VOID_ID, 0) for _, areas in read),
        median_height=median(image.height for image in images) if images else None,
        median_width=median(image.width for image in images) if images else None,
    )


def _count_classes(
    categories: Categories, read: Sequence[Tuple[PanopticImage, Mapping[int, int]]]
) -> Tuple[ClassCount, ...]:
    areas_of: Dict[int, List[int]] = defaultdict(list)
    crowds_of: Dict[int, List[int]] = defaultdict(list)
    images_of: Counter = Counter()
    for image, areas in read:
        in_image = set()
        for segment in image.segments_info:
            category_id = segment.get("category_id")
            if segment["id"] not in areas or not is_integer(category_id):
                continue
            of = crowds_of if segment.get("iscrowd") == 1 else areas_of
            of[category_id].append(areas[segment["id"]])
            in_image.add(category_id)
        images_of.update(in_image)
    return tuple(
        ClassCount(
            category_id=category.id,
            name=category.name,
            isthing=category.isthing,
            segments=len(areas_of[category.id]),
            crowd_segments=len(crowds_of[category.id]),
            images=images_of[category.id],
            pixels=sum(areas_of[category.id]) + sum(crowds_of[category.id]),
            median_area=median(areas_of[category.id]) if areas_of[category.id] else None,
        )
        for category in categories.values()
    )
