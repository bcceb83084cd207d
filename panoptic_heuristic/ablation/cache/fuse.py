"""Fusing one cached image by any number of pipelines."""

from pathlib import Path
from typing import Dict, Optional

import numpy as np

from panoptic_heuristic.ablation.cache.folder import CachedImage, PredictionCache
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import FusionResult, InstanceSet, Need, Pipeline, SemanticMap, fuse
from panoptic_heuristic.visual.photo import read_photo


def read_cached_photo(image_root: Path, image: CachedImage) -> np.ndarray:
    """The photo that predictions are of, (H, W, 3) uint8 RGB.

    Raises:
        InputError: it is missing, damaged, or of another size than the cache says.
    """
    return read_photo(image_root, image.file_name, (image.height, image.width), "the cache")


class CachedHeads:
    """The outputs of the two heads on one image, read once and fused by any number of pipelines.

    Args:
        cache: holds the image's predictions.
        image_id: its id.
        image_root: the folder of the images, for the rules that look at them; or None.

    Attributes:
        instances: of the instance head.

    Raises:
        InputError: the file of the image is missing or damaged.
    """

    def __init__(self, cache: PredictionCache, image_id: ImageId, image_root: Optional[Path] = None):
        self._manifest, self._image_root = cache.manifest, image_root
        self._predictions = cache.read(image_id)
        self._semantics: Dict[bool, Optional[SemanticMap]] = {}
        self._photo: Optional[np.ndarray] = None
        self.instances: InstanceSet = self._predictions.to_instances()

    def semantics(self, pipeline: Pipeline) -> Optional[SemanticMap]:
        """The semantic labels, with what a pipeline needs of all that was kept with them; not what others need."""
        with_logits = self._manifest.hands_over_logits(pipeline)
        if with_logits not in self._semantics:
            self._semantics[with_logits] = self._manifest.semantics_of(self._predictions, pipeline)
        return self._semantics[with_logits]

    def photo(self, pipeline: Pipeline) -> Optional[np.ndarray]:
        """The image as (H, W, 3) uint8 RGB for a pipeline that looks at it; None for others, and if there is none.

        Raises:
            InputError: the image is missing, damaged or of another size.
        """
        if self._image_root is None or Need.IMAGE not in pipeline.needs:
            return None
        if self._photo is None:
            self._photo = read_cached_photo(self._image_root, self._manifest.image(self._predictions.image_id))
        return self._photo

    def fuse(self, pipeline: Pipeline) -> FusionResult:
        """The map of the image.

        Raises:
            InputError: a rule needs what is not known of the image.
        """
        return fuse(
            self.instances, self.semantics(pipeline), self._manifest.categories, pipeline, self.photo(pipeline)
        )
