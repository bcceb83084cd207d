"""One task that Detectron2 and this project do side by side, and what must be the same in the end."""

from types import SimpleNamespace
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from benchmarks.side_by_side.inputs import Inputs
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import InstanceSet

OVERLAP_THRESHOLD, STUFF_AREA_THRESH = 0.5, 4096
SIDES = ("reference", "ours")


class Contest(NamedTuple):
    """One task done by both sides on the same inputs, at one ``instances_score_thresh``.

    Attributes:
        reference: does it as Detectron2 does; gives (map, segments, other tensors that must be equal).
        ours: likewise. Segments have id, isthing and contiguous category_id.
        merged_on_cpu: what the reference merges on the CPU from the binary masks and labels that ours has on a GPU.
    """

    reference: Callable[[], Tuple]
    ours: Callable[[], Tuple]
    merged_on_cpu: Callable[[], Tuple]


Contests = Dict[str, Callable[[Inputs, float], Contest]]


def import_references() -> None:
    """Makes Detectron2 importable.

    Raises:
        InputError: it is not installed.
    """
    try:
        from panoptic_heuristic.detectron.compat import make_detectron2_importable

        make_detectron2_importable()
    except ImportError as error:
        raise InputError(f"this compares with Detectron2: {error}") from error


def combined(masks, scores, classes, labels, score_thresh: float) -> Tuple:
    """The map and the segments that Detectron2 merges."""
    from detectron2.modeling.meta_arch.panoptic_fpn import combine_semantic_and_instance_outputs

    instances = SimpleNamespace(pred_masks=masks, scores=scores, pred_classes=classes)
    limits = OVERLAP_THRESHOLD, STUFF_AREA_THRESH, score_thresh
    return combine_semantic_and_instance_outputs(instances, labels, *limits)


def painted(instances: InstanceSet) -> Tensor:
    """(N, H, W) bool: the masks of an :class:`InstanceSet`."""
    masks = torch.zeros(len(instances), *instances.image_size, dtype=torch.bool, device=instances.device)
    for index in range(len(instances)):
        crop = instances.crop(index)
        masks[index][crop.window] = crop.mask
    return masks


def different_part(expected: Tuple, found: Tuple) -> Optional[str]:
    """The part that differs between two results, in a word; None if nothing does. Only what both have is compared."""
    if not torch.equal(expected[0].cpu(), found[0].cpu()):
        return "maps"
    keys = ("id", "isthing", "category_id")
    first, second = ([tuple(segment[key] for key in keys) for segment in one[1]] for one in (expected, found))
    if first != second:
        return "segments"
    same = all(torch.equal(a, b) for a, b in zip(expected[2:], found[2:], strict=False))
    return None if same else "other outputs"
