"""Test-time augmentation, Detectron2's ``TEST.AUG``: both heads are asked about several versions of an image.

Instances are found as by Detectron2's ``GeneralizedRCNNWithTTA``, which knows no semantic head: the boxes of all
versions go through one suppression of duplicates, and the masks inside the boxes that are left are averages over all
versions. Semantic logits are averages, too, at the size of the output.

Shape legend: N instances, RoI masks of M x M, C semantic channels, an output of H x W pixels.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import torch
from detectron2.config import CfgNode
from detectron2.modeling import DatasetMapperTTA, GeneralizedRCNN, PanopticFPN
from detectron2.modeling.roi_heads.fast_rcnn import fast_rcnn_inference
from detectron2.structures import Boxes, Instances
from fvcore.transforms import HFlipTransform, TransformList
from torch import Tensor

from panoptic_heuristic.detectron.raw_outputs import output_logits
from panoptic_heuristic.errors import InputError

# As in Detectron2: the detector has cut already.
_ANY_SCORE = 1e-8


@dataclass(frozen=True)
class AugmentedHeads:
    """The raw outputs of both heads, merged over versions of each image.

    Attributes:
        versions: makes them of a record.
        num_classes: of the instance head.
        nms_thresh: IoU above which the worse of two instances of a class is a duplicate.
        detections_per_image: so many of the best instances are kept; all if it is negative.
    """

    versions: DatasetMapperTTA
    num_classes: int
    nms_thresh: float
    detections_per_image: int

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "AugmentedHeads":
        """Reads ``TEST.AUG``.

        Raises:
            InputError: it names no version.
        """
        if not cfg.TEST.AUG.MIN_SIZES:
            raise InputError("TEST.AUG.MIN_SIZES is empty; name sizes to test at, or disable TEST.AUG")
        return cls(
            DatasetMapperTTA(cfg),
            cfg.MODEL.ROI_HEADS.NUM_CLASSES,
            cfg.MODEL.ROI_HEADS.NMS_THRESH_TEST,
            cfg.TEST.DETECTIONS_PER_IMAGE,
        )

    @torch.no_grad()
    def __call__(self, model: PanopticFPN, batch: List[Dict[str, Any]]) -> Tuple[List[Instances], List[Tensor]]:
        """Runs a model on all versions of each image of a batch.

        Returns:
            Instances at the size of the output, with RoI masks (N, 1, M, M), and (C, H, W) logits of each image.
        """
        merged = [self._of_image(model, record) for record in batch]
        return [instances for instances, _ in merged], [logits for _, logits in merged]

    def _of_image(self, model: PanopticFPN, record: Dict[str, Any]) -> Tuple[Instances, Tensor]:
        height, width = record["image"].shape[1:]
        size = record.get("height", height), record.get("width", width)
        versions = self.versions({"image": record["image"].cpu(), "height": size[0], "width": size[1]})
        found: List[Instances] = []
        logits = torch.zeros(())
        for version in versions:
            # Their masks are of no use yet, but Detectron2 has no public way to leave them out.
            [instances], [sem_seg] = PanopticFPN.inference(model, [version], do_postprocess=False)
            sem_seg = output_logits(sem_seg, instances.image_size, size)
            logits = logits + (sem_seg.flip(dims=[2]) if _is_mirrored(version["transforms"]) else sem_seg)
            found.append(_moved(instances, version["transforms"].inverse(), size))
        instances = self._without_duplicates(Instances.cat(found), size)
        instances.pred_masks = _average_masks(model, instances, versions)
        return instances, logits / len(versions)

    def _without_duplicates(self, instances: Instances, size: Tuple[int, int]) -> Instances:
        one_of_each = torch.nn.functional.one_hot(instances.pred_classes, self.num_classes + 1)
        scores = one_of_each * instances.scores.float()[:, None]
        [kept], _ = fast_rcnn_inference(
            [instances.pred_boxes.tensor], [scores], [size], _ANY_SCORE, self.nms_thresh, self.detections_per_image
        )
        return kept


def _average_masks(model: PanopticFPN, instances: Instances, versions: List[Dict[str, Any]]) -> Tensor:
    """(N, 1, M, M) probabilities inside the boxes of the instances, the average over all versions."""
    masks = []
    for version in versions:
        moved = _moved(instances, version["transforms"], tuple(version["image"].shape[1:]))
        [of_version] = GeneralizedRCNN.inference(model, [version], [moved], do_postprocess=False)
        mirrored = _is_mirrored(version["transforms"])
        masks.append(of_version.pred_masks.flip(dims=[3]) if mirrored else of_version.pred_masks)
    return torch.stack(masks).mean(dim=0)


def _moved(instances: Instances, transforms: TransformList, size: Tuple[int, int]) -> Instances:
    """The boxes, scores and classes of instances in another version of the image."""
    boxes = instances.pred_boxes.tensor
    moved = torch.from_numpy(transforms.apply_box(boxes.float().cpu().numpy())).to(boxes.device)
    return Instances(size, pred_boxes=Boxes(moved), scores=instances.scores, pred_classes=instances.pred_classes)


def _is_mirrored(transforms: TransformList) -> bool:
    return any(isinstance(one, HFlipTransform) for one in transforms.transforms)
