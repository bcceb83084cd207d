"""From what the two heads say at the size of the network's input to what the model returns."""

from dataclasses import dataclass
from typing import Any, Collection, Dict, Optional, Tuple

import torch
from detectron2.structures import Instances
from torch import Tensor

from panoptic_heuristic.detectron.enlarged_labels import semantic_labels
from panoptic_heuristic.detectron.enlarged_logits import Upsampling
from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.raw_outputs import OutputInstances, output_labels, output_logits
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Need, Pipeline, SemanticMap, fuse

OUTPUTS = ("sem_seg", "instances", "panoptic_seg")
"""The keys of the outputs of Detectron2's model."""


@dataclass(frozen=True)
class Postprocessor:
    """Detectron2's post-processing of one image, with configurable fusion.

    Attributes:
        pipeline: how the heads are merged.
        ids: which category each output channel means.
        outputs: which of :data:`OUTPUTS` are asked for. Of the others nothing is made that fusing
            can do without: no logits at output size unless a rule needs them, and no full-size
            masks; those below ``instances_score_thresh`` are not pasted at all.

    Raises:
        InputError: an output is asked for that there is not, or none is.
    """

    pipeline: Pipeline
    ids: ContiguousIds
    outputs: Collection[str] = OUTPUTS

    def __post_init__(self):
        if not self.outputs or not set(self.outputs) <= set(OUTPUTS):
            raise InputError(f"outputs must be one or more of {', '.join(OUTPUTS)}, got {sorted(self.outputs)}")

    @property
    def needs_all_logits(self) -> bool:
        """True if the logits are needed at output size."""
        return "sem_seg" in self.outputs or bool(self.pipeline.needs & {Need.LOGITS, Need.BEST_STUFF})

    @torch.no_grad()
    def __call__(
        self,
        instances: Instances,
        logits: Tensor,
        output_size: Tuple[int, int],
        *,
        stride: Optional[int] = None,
        image: Optional[Tensor] = None,
    ) -> Dict[str, Any]:
        """Post-processes one image.

        Args:
            instances: at the size (h, w) of the network's input, with ``pred_boxes``, ``pred_masks``
                (N, 1, M, M), RoI probabilities, ``scores`` and contiguous ``pred_classes``. Not
                changed.
            logits: (C, h', w') at the size of the network's input, h' >= h and w' >= w by padding, or
                as they were before the head enlarged them by ``stride``. Any floating point.
            output_size: (H, W) in pixels.
            stride: None if the logits are enlarged already, as they must be where
                :attr:`needs_all_logits` says so and :func:`.enlarged_logits.can_be_parted` does not hold.
            image: (H, W, 3) uint8 RGB, for the rules that need it.

        Returns:
            What ``outputs`` names; ``panoptic_seg`` is a :class:`FusionResult` with dataset ids.
        """
        found: Dict[str, Any] = {}
        # The logits first: enlarging them takes the most memory, and should not find full-size masks there.
        if stride is None:
            found["sem_seg"] = output_logits(logits, instances.image_size, output_size)
        elif self.needs_all_logits:
            cells = logits.shape[1], logits.shape[2]
            upsampling = Upsampling(cells, stride, instances.image_size, output_size)
            found["sem_seg"] = upsampling.planes_in_turn(logits.float())
        paste = "instances" in self.outputs
        at_output = OutputInstances.of_raw(instances, self.ids, output_size, paste=paste)
        candidates = at_output.from_masks() if paste else at_output.from_rois()
        found["instances"] = at_output.instances
        if "panoptic_seg" in self.outputs:
            if stride is None:
                labels = output_labels(found["sem_seg"])
            else:
                labels = semantic_labels(
                    logits.float(), stride=stride, image_size=instances.image_size, output_size=output_size
                )
            semantics = SemanticMap(labels, self.ids.labels, found.get("sem_seg"))
            found["panoptic_seg"] = fuse(candidates, semantics, self.ids.categories, self.pipeline, image)
        return {name: found[name] for name in OUTPUTS if name in self.outputs}
