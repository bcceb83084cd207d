"""The images that PQ is worst on."""

from dataclasses import dataclass
from typing import Optional, Tuple

from panoptic_heuristic.formats.image_ids import ImageId, id_order
from panoptic_heuristic.quality.result import Result
from panoptic_heuristic.quality.summary import category_quality


@dataclass(frozen=True)
class ImageQuality:
    """One image alone.

    Attributes:
        image_id: the image.
        pq: 0 to 1; the mean over the categories that occur in it.
        errors: its misses and false positives.
    """

    image_id: ImageId
    pq: float
    errors: int


def worst_images(result: Result, n: Optional[int] = None, *, measure: str = "pq") -> Tuple[ImageQuality, ...]:
    """The images of the lowest PQ, worst first; one where nothing is counted is not among them.

    Equals, such as the many of PQ 0, are in the order of their errors, most first, and then of
    their ids.

    Args:
        result: with the counts of each image.
        n: how many; None for all.
        measure: a measure's name, see :attr:`MeasureSettings.names`.

    Raises:
        InputError: the result does not keep ``measure`` per image.
    """
    images = []
    for image_id, counts in result.per_image(measure).items():
        each = [quality.pq for quality in map(category_quality, counts.values()) if quality is not None]
        if each:
            errors = sum(value.fp + value.fn for value in counts.values())
            images.append(ImageQuality(image_id, sum(each) / len(each), errors))
    ranked = sorted(images, key=lambda image: (image.pq, -image.errors, *id_order(image.image_id)))
    return tuple(ranked[:n])
