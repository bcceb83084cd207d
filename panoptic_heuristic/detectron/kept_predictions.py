"""The predictions of one image as a cache keeps them, from the raw outputs of the network."""

import math
from typing import Any, Dict, NamedTuple

import numpy as np
import torch.nn.functional as F
from detectron2.structures import Instances
from torch import Tensor

from panoptic_heuristic.ablation.cache.predictions import ImagePredictions, SemanticRuns
from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.raw_outputs import OutputInstances, output_labels, output_logits
from panoptic_heuristic.formats.rle import Box
from panoptic_heuristic.formats.rle_encoding import counts_of_boxes
from panoptic_heuristic.fusion import InstanceSet, SemanticMap
from panoptic_heuristic.fusion.instance_measures import mask_quality, semantic_agreement
from panoptic_heuristic.fusion.instances import Crop
from panoptic_heuristic.fusion.one_thread import one_thread
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD
from panoptic_heuristic.fusion.rules.leftover_best_stuff import best_stuff

LOGITS_STRIDE = 4
"""Kept semantic logits have one value per so many output pixels, in both directions."""


class CachingSettings(NamedTuple):
    """The predictions to keep.

    Attributes:
        score_floor: the score below which no instance is kept, in [0, 1].
        stuff_probability: the floor that ``above_floor`` is about, in [0, 1].
        store_logits: keep RoI probabilities and semantic logits, too.
    """

    score_floor: float = 0.01
    stuff_probability: float = 0.25
    store_logits: bool = False


@one_thread()
def predictions_of(
    record: Dict[str, Any], instances: Instances, logits: Tensor, ids: ContiguousIds, settings: CachingSettings
) -> ImagePredictions:
    """The predictions of one image as they are kept: exactly the masks and labels that the model itself would fuse.

    Args:
        record: of the data set, with ``image_id``, ``height`` and ``width`` of the output.
        instances: of the network at its input's size. Not changed.
        logits: (C, h, w), semantic, likewise.
        ids: which category each channel means.
        settings: what to keep.
    """
    image_size = record["height"], record["width"]
    sem_seg = output_logits(logits, instances.image_size, image_size)
    # Detectron2's pasting fills whole images, which a GPU is quick at; on a CPU the pixels are the same in crops.
    in_crops = logits.device.type == "cpu"
    found = OutputInstances.of_raw(instances, ids, image_size, paste=not in_crops)
    rois, labels = found.from_rois(), output_labels(sem_seg)
    masked = _cut(rois) if in_crops else found.from_masks()
    return ImagePredictions(
        image_id=record["image_id"],
        image_size=image_size,
        scores=found.instances.scores.double().cpu().numpy(),
        category_ids=np.array(found.category_ids, dtype=np.int64),
        boxes=found.instances.pred_boxes.tensor.cpu().numpy(),
        mask_quality=mask_quality(rois),
        semantic_agreement=semantic_agreement(masked, SemanticMap(labels, ids.labels), ids.categories),
        masks=counts_of_boxes([_box(masked.crop(index)) for index in range(len(masked))], image_size),
        semantics=_semantic_runs(sem_seg, labels, ids, settings),
        roi_probabilities=found.probabilities.cpu().numpy() if settings.store_logits else None,
    )


def _cut(rois: InstanceSet) -> InstanceSet:
    """The masks of RoI probabilities that are pasted once, for their quality, too."""

    def make_crop(index: int) -> Crop:
        left, top, values = rois.pasted(index)
        return Crop(left, top, values >= MASK_THRESHOLD)

    return rois.with_masks(make_crop)


def _box(crop: Crop) -> Box:
    return Box(crop.x0, crop.y0, np.ascontiguousarray(crop.mask.cpu().numpy()))


def _semantic_runs(sem_seg: Tensor, labels: Tensor, ids: ContiguousIds, settings: CachingSettings) -> SemanticRuns:
    stuff = ids.categories.labels_of_stuff(dict(enumerate(ids.labels)))
    best, above = (one.cpu().numpy() for one in best_stuff(sem_seg, stuff, settings.stuff_probability))
    kept = None
    if settings.store_logits:
        size = [math.ceil(side / LOGITS_STRIDE) for side in labels.shape]
        kept = F.interpolate(sem_seg[None].float(), size=size, mode="area")[0].cpu().numpy()
    return SemanticRuns.of_maps(labels.cpu().numpy(), best, above, kept)
