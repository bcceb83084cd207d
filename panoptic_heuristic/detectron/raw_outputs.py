"""The raw outputs of a Panoptic FPN, brought to the size of its output: for fusing at once and for keeping.

Shape legend: N instances, RoI masks of M x M, C semantic channels, an output of H x W pixels.
"""

from dataclasses import dataclass
from typing import Tuple

from detectron2.modeling.postprocessing import detector_postprocess, sem_seg_postprocess
from detectron2.structures import Boxes, Instances
from torch import Tensor

from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.fusion import InstanceSet
from panoptic_heuristic.fusion.probabilities import largest


@dataclass(frozen=True, eq=False)
class OutputInstances:
    """The instances of an image at the size of the output.

    Attributes:
        instances: as Detectron2 returns them: those whose box has an area, with ``pred_boxes`` in output
            pixels and, if they were pasted, ``pred_masks`` (N, H, W) bool.
        probabilities: (N, M, M) float32 RoI mask probabilities.
        category_ids: N dataset category ids.
        image_size: (H, W) in pixels.
    """

    instances: Instances
    probabilities: Tensor
    category_ids: Tuple[int, ...]
    image_size: Tuple[int, int]

    @classmethod
    def of_raw(
        cls, instances: Instances, ids: ContiguousIds, output_size: Tuple[int, int], *, paste: bool
    ) -> "OutputInstances":
        """Scales and perhaps pastes what the network gave.

        Args:
            instances: at the size of the network's input, with ``pred_boxes``, ``pred_masks`` (N, 1, M, M),
                RoI probabilities, ``scores`` and contiguous ``pred_classes``. Not changed.
            ids: the category of each class.
            output_size: (H, W) in pixels.
            paste: make full-size masks.
        """
        # Detectron2 scales boxes in place, leaves out those without an area, and pastes masks if there are some.
        probabilities = instances.pred_masks.float()
        fields = {**instances.get_fields(), "pred_boxes": Boxes(instances.pred_boxes.tensor.float().clone())}
        fields["pred_masks"], fields["roi_probabilities"] = probabilities, probabilities[:, 0]
        if not paste:
            del fields["pred_masks"]
        scaled = detector_postprocess(Instances(instances.image_size, **fields), *output_size)
        kept = scaled.roi_probabilities
        scaled.remove("roi_probabilities")
        category_ids = tuple(ids.things[index] for index in scaled.pred_classes.tolist())
        return cls(scaled, kept, category_ids, output_size)

    def from_rois(self) -> InstanceSet:
        """The instances as fusing takes them; masks are made of RoI probabilities when they are asked for."""
        boxes = self.instances.pred_boxes.tensor
        return InstanceSet.from_rois(
            self.probabilities, boxes, self.instances.scores, self.category_ids, self.image_size
        )

    def from_masks(self) -> InstanceSet:
        """The same of the full-size masks that were pasted."""
        return InstanceSet.from_bitmaps(
            self.instances.pred_masks,
            self.instances.scores,
            self.category_ids,
            self.image_size,
            boxes=self.instances.pred_boxes.tensor,
            probabilities=self.probabilities,
        )


def output_logits(logits: Tensor, input_size: Tuple[int, int], output_size: Tuple[int, int]) -> Tensor:
    """(C, H, W) float32 semantic logits at the size of the output.

    Args:
        logits: (C, h, w), of the network, padding included.
        input_size: of the network's input, without padding.
        output_size: (H, W) in pixels.
    """
    return sem_seg_postprocess(logits.float(), input_size, *output_size)


def output_labels(sem_seg: Tensor) -> Tensor:
    """(H, W) integers, the channel of the largest logit of each pixel, as ``argmax(dim=0)`` gives it.

    Of equal ones the first counts, and NaN is the largest of all.

    Args:
        sem_seg: (C, H, W) floating point.
    """
    # A sum with NaN is NaN. PyTorch's argmax over the first axis jumps through memory: it takes 25 times as long.
    if sem_seg.device.type == "cpu" and not sem_seg.sum().isnan():
        return largest(sem_seg, range(len(sem_seg)))[1]
    return sem_seg.argmax(dim=0)
