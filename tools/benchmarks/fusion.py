"""Merging instances and semantic labels: fuse() against Detectron2's combine_semantic_and_instance_outputs.

"bitmaps" starts from full-size binary masks, and cropping them is timed. "rois" starts from RoI mask probabilities and
boxes: Detectron2's paste_masks_in_image pastes all of them first. Both sides get the same seeded scenes and the
semantic labels at output size, take turns, and must give the same map and segments; on a GPU, the map that Detectron2
merges on the CPU from the same masks. Memory is the peak above the inputs, of each side in a process of its own: what
the operating system counts (RSS), or PyTorch on a GPU.
"""

import argparse
from typing import Callable, Tuple

from benchmarks.side_by_side import command, contest
from benchmarks.side_by_side.inputs import CHANNELS, THINGS, Inputs
from panoptic_heuristic.fusion import InstanceSet, Pipeline, SemanticMap, fuse

add_arguments = command.add_arguments


def run(args: argparse.Namespace) -> int:
    """Prints times and peaks of both sides; 1 if their results differ."""
    contest.import_references()
    return command.run(args, "fusion", {"bitmaps": from_bitmaps, "rois": from_rois})


def from_bitmaps(inputs: Inputs, score_thresh: float):
    """The contest from full-size masks."""
    from detectron2.layers.mask_ops import paste_masks_in_image

    masks = paste_masks_in_image(inputs.probabilities, inputs.boxes, inputs.output_size).bool()

    def instances(category_ids) -> InstanceSet:
        return InstanceSet.from_bitmaps(masks, inputs.scores, category_ids)

    return _contest(inputs, score_thresh, lambda: masks, instances)


def from_rois(inputs: Inputs, score_thresh: float):
    """The contest from RoI probabilities."""
    from detectron2.layers.mask_ops import paste_masks_in_image

    def instances(category_ids) -> InstanceSet:
        return InstanceSet.from_rois(
            inputs.probabilities, inputs.boxes, inputs.scores, category_ids, inputs.output_size
        )

    return _contest(
        inputs,
        score_thresh,
        lambda: paste_masks_in_image(inputs.probabilities, inputs.boxes, inputs.output_size),
        instances,
    )


def _contest(inputs: Inputs, score_thresh: float, masks: Callable, instances: Callable):
    from panoptic_heuristic.detectron.ids import ContiguousIds

    ids = ContiguousIds.of_counts(THINGS, CHANNELS)
    pipeline = Pipeline(instances_score_thresh=score_thresh, stuff_area_thresh=contest.STUFF_AREA_THRESH)
    category_ids = [ids.things[index] for index in inputs.classes.tolist()]

    def reference() -> Tuple:
        return contest.combined(masks(), inputs.scores, inputs.classes, inputs.labels, score_thresh)

    def ours() -> Tuple:
        result = fuse(instances(category_ids), SemanticMap(inputs.labels, ids.labels), ids.categories, pipeline)
        return result.panoptic_seg, ids.to_contiguous(result.segments_info)

    def merged_on_cpu() -> Tuple:
        found = contest.painted(instances(category_ids))
        on_cpu = (one.cpu() for one in (found, inputs.scores, inputs.classes, inputs.labels))
        return contest.combined(*on_cpu, score_thresh)

    return contest.Contest(reference, ours, merged_on_cpu)
