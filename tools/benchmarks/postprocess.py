"""From raw outputs of both heads to the panoptic map: Postprocessor against Detectron2's functions.

Both start from RoI masks and boxes at the size of the network's input, and from 54 channels of semantic logits at
stride 4, padding included. Detectron2 enlarges all logits by 4, resizes them and takes the argmax (F.interpolate,
sem_seg_postprocess), pastes all masks (detector_postprocess) and merges (combine_semantic_and_instance_outputs).
"panoptic_seg" asks the Postprocessor for the map alone, "default" for all that Detectron2 returns; then logits and
masks are compared, too. Both sides get the same seeded inputs, take turns, and must give the same map and segments; on
a GPU, the map that Detectron2 merges on the CPU from the same masks and labels. Memory is the peak above the inputs, of
each side in a process of its own: what the operating system counts (RSS), or PyTorch on a GPU.
"""

import argparse
from typing import Tuple

import torch
import torch.nn.functional as F

from benchmarks.side_by_side import command, contest
from benchmarks.side_by_side.inputs import CHANNELS, STRIDE, THINGS, Inputs
from panoptic_heuristic.fusion import Pipeline

add_arguments = command.add_arguments


def run(args: argparse.Namespace) -> int:
    """Prints times and peaks of both sides; 1 if their results differ."""
    contest.import_references()
    return command.run(args, "postprocess", {"panoptic_seg": map_alone, "default": all_outputs})


def map_alone(inputs: Inputs, score_thresh: float):
    """The contest for the map alone."""
    return _contest(inputs, score_thresh, ("panoptic_seg",))


def all_outputs(inputs: Inputs, score_thresh: float):
    """The contest for all that Detectron2 returns."""
    from panoptic_heuristic.detectron.postprocess import OUTPUTS

    return _contest(inputs, score_thresh, OUTPUTS)


def _contest(inputs: Inputs, score_thresh: float, outputs: Tuple[str, ...]):
    from detectron2.modeling.postprocessing import detector_postprocess, sem_seg_postprocess
    from detectron2.structures import Boxes, Instances

    from panoptic_heuristic.detectron.enlarged_logits import can_be_parted
    from panoptic_heuristic.detectron.ids import ContiguousIds
    from panoptic_heuristic.detectron.postprocess import Postprocessor

    size, network_size = inputs.output_size, inputs.network_size
    ids = ContiguousIds.of_counts(THINGS, CHANNELS)
    pipeline = Pipeline(instances_score_thresh=score_thresh, stuff_area_thresh=contest.STUFF_AREA_THRESH)
    postprocess = Postprocessor(pipeline, ids, outputs)
    scale = torch.tensor([network_size[1] / size[1], network_size[0] / size[0]] * 2).to(inputs.boxes)
    boxes = inputs.boxes * scale

    def instances() -> Instances:
        # Detectron2 scales boxes in place.
        fields = {"scores": inputs.scores, "pred_classes": inputs.classes, "pred_boxes": Boxes(boxes.clone())}
        return Instances(network_size, pred_masks=inputs.probabilities[:, None], **fields)

    def enlarged() -> torch.Tensor:
        return F.interpolate(
            inputs.logits[None], scale_factor=float(STRIDE), mode="bilinear", align_corners=False
        )[0]

    # As the model does it.
    is_small = not postprocess.needs_all_logits or can_be_parted(inputs.logits[None], STRIDE, [network_size], [size])

    def reference() -> Tuple:
        # Its inference keeps them until all images of a batch are done.
        logits = enlarged()
        sem_seg = sem_seg_postprocess(logits, network_size, *size)
        found = detector_postprocess(instances(), *size)
        fields = found.pred_masks, found.scores, found.pred_classes
        return *contest.combined(*fields, sem_seg.argmax(dim=0), score_thresh), sem_seg, found.pred_masks

    def ours() -> Tuple:
        if is_small:
            found = postprocess(instances(), inputs.logits, size, stride=STRIDE)
        else:
            found = postprocess(instances(), enlarged(), size)
        others = [found["sem_seg"], found["instances"].pred_masks] if "sem_seg" in found else []
        result = found["panoptic_seg"]
        return result.panoptic_seg, ids.to_contiguous(result.segments_info), *others

    return contest.Contest(
        reference, ours, lambda: _merged_on_cpu(inputs, score_thresh, instances(), postprocess, enlarged)
    )


def _merged_on_cpu(inputs: Inputs, score_thresh: float, instances, postprocess, enlarged) -> Tuple:
    """The result that Detectron2 merges on the CPU from the masks and labels that the Postprocessor has on a GPU."""
    size = inputs.output_size
    if postprocess.needs_all_logits:
        found = postprocess(instances, enlarged(), size)
        kept, labels = found["instances"], found["sem_seg"].argmax(dim=0)
        fields = kept.pred_masks, kept.scores, kept.pred_classes, labels
    else:
        from detectron2.modeling.postprocessing import detector_postprocess

        from panoptic_heuristic.detectron.enlarged_labels import semantic_labels
        from panoptic_heuristic.fusion import InstanceSet

        roi_masks = instances.pred_masks[:, 0]
        instances.remove("pred_masks")
        instances.roi_masks = roi_masks
        kept = detector_postprocess(instances, *size)
        unknown = torch.zeros(len(kept), dtype=torch.int64)
        rois = InstanceSet.from_rois(kept.roi_masks, kept.pred_boxes.tensor, kept.scores, unknown, size)
        labels = semantic_labels(inputs.logits, stride=STRIDE, image_size=inputs.network_size, output_size=size)
        fields = contest.painted(rois), kept.scores, kept.pred_classes, labels
    return contest.combined(*(one.cpu() for one in fields), score_thresh)
