"""PQ-dagger: stuff without the all-or-nothing of a match.

Porzi et al., "Seamless Scene Segmentation", CVPR 2019: of things, PQ; of a stuff
category, the sum of the IoUs over all images, whether above 0.5 or not, divided by the number of
images that have it. A prediction in an image without the category costs nothing, by that formula.
Later work on point clouds means the category's IoU over the data set by the same name; this is not that.
"""

from collections import defaultdict
from typing import Dict, Iterable

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.comparison import Comparison
from panoptic_heuristic.quality.counts import CategoryCounts, Outcome, PQCounts, in_units, total_of


def dagger_counts(comparison: Comparison, outcomes: Iterable[Outcome], categories: Categories) -> PQCounts:
    """Counts whose PQ is PQ-dagger.

    A stuff category that the image has is one match, be its IoU 0; so its RQ is 1 and says nothing.
    The formula has one segment per image on either side: several of a category count as one.

    Args:
        comparison: one image.
        outcomes: its matches, misses and false positives; those of things are taken over.
        categories: the data set's categories.
    """

    def is_stuff(category_id: int) -> bool:
        return category_id in categories and not categories[category_id].isthing

    counts = total_of(outcome for outcome in outcomes if not is_stuff(outcome.category_id))
    union: Dict[int, int] = defaultdict(int)
    intersection: Dict[int, int] = defaultdict(int)
    for predicted in comparison.predictions:
        union[predicted.category_id] += predicted.area - predicted.on_void
    for pair in comparison.pairs:
        category_id = comparison.gt_segments[pair.gt].category_id
        intersection[category_id] += pair.intersection
        union[category_id] -= pair.intersection
    present = [gt for gt in comparison.gt_segments if is_stuff(gt.category_id) and not gt.iscrowd]
    for gt in present:
        union[gt.category_id] += gt.area
    for category_id in dict.fromkeys(gt.category_id for gt in present):
        # A segment that is listed but has no pixel is a miss: its union may be empty.
        iou_sum = in_units(intersection[category_id], max(union[category_id], 1))
        counts[category_id] = CategoryCounts(iou_sum, 1)
    return counts
