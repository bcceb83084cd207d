"""The images of a page: those where there is something to see."""

import math
import random
from enum import Enum
from typing import Callable, Iterable, List, Sequence, Tuple, Union

from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.report.changes import Change, changes_of, most_changed
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import ImageId, id_order
from panoptic_heuristic.fusion import Pipeline


class Selection(Enum):
    """The ways to choose images."""

    WORST = "worst"
    CHANGED = "changed"
    RANDOM = "random"


def choose_images(
    store: RegionStore,
    how: Union[Selection, Sequence[ImageId]],
    number: int,
    *,
    default: Pipeline,
    recommended: Pipeline,
    seed: int = 0,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> List[ImageId]:
    """The ids of some images.

    Args:
        store: predictions and ground truth.
        how: the images of the lowest PQ under the default, those whose errors change most between the default and
            the recommended settings, random ones, or ids.
        number: how many; all ids that are given are taken.
        default, recommended: the settings.
        seed: decides what is random.
        progress: wraps an iterable of images, given their number; tqdm fits.

    Raises:
        InputError: there is no image of an id, nothing can change, or a file is missing or damaged.
    """
    if not isinstance(how, Selection):
        known = set(store.image_ids)
        for image_id in how:
            if image_id not in known:
                raise InputError(
                    f"{store.cache.folder} has no image {image_id!r}, which is none of worst, changed and random either"
                )
        return list(dict.fromkeys(how))
    if how is Selection.RANDOM:
        count = min(number, len(store.image_ids))
        return sorted(random.Random(seed).sample(store.image_ids, count), key=store.image_ids.index)
    if how is Selection.CHANGED and default == recommended:
        raise InputError("nothing changes, since there are no recommended settings besides the default; "
                         "give a sweep or a tuning, or choose other images")  # fmt: skip
    changes, _ = changes_of(store, default, recommended, progress)
    ranked = most_changed(changes) if how is Selection.CHANGED else sorted(changes, key=_badness)
    return [change.image_id for change in ranked[:number]]


def _badness(change: Change) -> Tuple[float, int, bool, ImageId]:
    """The order of :func:`panoptic_heuristic.quality.worst_images`, and then images without any segment."""
    default = change.default
    return math.inf if math.isnan(default.pq) else default.pq, -default.errors, *id_order(change.image_id)
