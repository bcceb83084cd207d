"""The results of two heads for one image, on disk and as values that fuse."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.bad_annotations import telling_the_remedy
from panoptic_heuristic.formats.coco_results import InstanceEntry, MaskEntry, map_of_masks
from panoptic_heuristic.formats.label_png import read_semantic_png
from panoptic_heuristic.formats.logits import read_logits
from panoptic_heuristic.fusion import InstanceSet, SemanticMap
from panoptic_heuristic.head_results.labels import LabelMeaning

Semantics = Union[None, Path, Sequence[MaskEntry]]
"""The semantic results of an image: masks, a label PNG or an .npz file of logits; None without any."""


@dataclass(frozen=True)
class ImageResults:
    """One image and the results of the heads for it.

    Attributes:
        image: the image; ``png_name`` is the PNG to write.
        instances: those to rank. The ones below ``instances_score_thresh`` may be left out.
        semantics: masks, a label PNG or an .npz file of logits; None without any.
    """

    image: PanopticImage
    instances: Sequence[InstanceEntry]
    semantics: Semantics

    def read(self, categories: Categories, meaning: LabelMeaning) -> Tuple[InstanceSet, Optional[SemanticMap]]:
        """Both heads' results, as :func:`panoptic_heuristic.fusion.fuse` takes them.

        Args:
            categories: the data set's categories.
            meaning: the meaning of the semantic labels.

        Raises:
            InputError: an RLE cannot be read, stuff masks overlap, or a label map is wrong.
        """
        return self._instances(), self._semantics(categories, meaning)

    def _instances(self) -> InstanceSet:
        image, entries = self.image, tuple(self.instances)
        with telling_the_remedy():
            return InstanceSet.from_rle(
                [entry.segmentation for entry in entries],
                [entry.score for entry in entries],
                np.array([entry.category_id for entry in entries], dtype=int),
                (image.height, image.width),
                where=lambda index: f"image {image.image_id}, entry {entries[index].place} of the instance results",
            )

    def _semantics(self, categories: Categories, meaning: LabelMeaning) -> Optional[SemanticMap]:
        image, semantics = self.image, self.semantics
        if semantics is None:
            return None
        if not isinstance(semantics, Path):
            means_stuff = set(categories.labels_of_stuff(meaning))
            stuff = [mask for mask in semantics if mask.label in means_stuff]
            labels = map_of_masks(stuff, image.height, image.width, where=f"image {image.image_id}")
            return SemanticMap(labels, [None, *(meaning[mask.label] for mask in stuff)])
        logits = None
        if semantics.suffix == ".npz":
            logits, labels = read_logits(semantics, channels=len(meaning), height=image.height, width=image.width)
        else:
            labels, _ = read_semantic_png(semantics, size=(image.height, image.width))
        try:
            return SemanticMap(labels, meaning, logits)
        except InputError as error:
            raise InputError(f"{semantics}: {error} (with --label-to-category or --no-label)") from error
