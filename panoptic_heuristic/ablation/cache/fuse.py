"""Fusing one cached image by any number of pipelines."""

from typing import Dict, Optional

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.fusion import FusionResult, InstanceSet, Pipeline, SemanticMap, fuse


class CachedHeads:
    """The outputs of the two heads on one image, read once and fused by any number of pipelines.

    Args:
        cache: holds the image.
        image_id: its id.

    Attributes:
        instances: of the instance head.

    Raises:
        InputError: the file of the image is missing or damaged.
    """

    def __init__(self, cache: PredictionCache, image_id: int):
        self._manifest = cache.manifest
        self._predictions = cache.read(image_id)
        self._semantics: Dict[bool, Optional[SemanticMap]] = {}
        self.instances: InstanceSet = self._predictions.to_instances()

    def semantics(self, pipeline: Pipeline) -> Optional[SemanticMap]:
        """The semantic labels, with what a pipeline needs of all that was kept with them; not what others need."""
        with_logits = self._manifest.hands_over_logits(pipeline)
        if with_logits not in self._semantics:
            self._semantics[with_logits] = self._manifest.semantics_of(self._predictions, pipeline)
        return self._semantics[with_logits]

    def fuse(self, pipeline: Pipeline) -> FusionResult:
        """The map of the image.

        Raises:
            InputError: a rule needs what is not known of the image.
        """
        return fuse(self.instances, self.semantics(pipeline), self._manifest.categories, pipeline)
