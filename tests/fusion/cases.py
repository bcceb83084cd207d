"""Seeded images for laws: what two heads say of one."""

import dataclasses
from dataclasses import dataclass
from typing import Dict, Optional, Sequence

import numpy as np
import torch

from panoptic_heuristic.fusion import FusionResult, HeadOutputs, InstanceSet, Pipeline, SemanticMap, fuse
from panoptic_heuristic.testing.scenes import Scene, make_scene
from tests.fusion.logit_drawings import random_semantics

SIZE = (48, 65)


@dataclass(frozen=True, eq=False)
class Case:
    """The outputs of two heads for one image.

    Attributes:
        scene: the instances, and labels of which 0 is all things.
        semantics: labels with logits, some of them negative; things may have labels of their own.
        image: see :func:`photo`.
    """

    scene: Scene
    semantics: Optional[SemanticMap]
    image: np.ndarray

    def instances(self) -> InstanceSet:
        one = self.scene
        return InstanceSet.from_rois(one.probabilities, one.boxes, one.scores, one.category_ids, one.image_size)

    def heads(self) -> HeadOutputs:
        return HeadOutputs(self.instances(), self.semantics, self.scene.categories, self.image)

    def fused(self, pipeline: Pipeline) -> FusionResult:
        return fuse(self.instances(), self.semantics, self.scene.categories, pipeline, self.image)

    def having(self, semantics: Optional[SemanticMap]) -> "Case":
        return dataclasses.replace(self, semantics=semantics)

    def of_places(self, places: Sequence[int]) -> "Case":
        """The same with some of the instances, in the order given."""
        names = ("masks", "probabilities", "boxes", "scores", "category_ids")
        values = {name: getattr(self.scene, name)[places] for name in names}
        return dataclasses.replace(self, scene=dataclasses.replace(self.scene, **values))


def make_case(seed: int, instances: int, single_things: float = 0, *, image_size=SIZE, **others) -> Case:
    """Makes one.

    Args:
        seed: equal arguments give equal cases.
        instances: how many; a tenth of them has no pixel.
        single_things: the share of thing categories that have a label of their own; the others share label 0.
        image_size: (H, W).
        others: those of :func:`make_scene`.
    """
    kinds = {"things": 4, "stuff": 7, "empty": instances // 10, **others}
    scene = make_scene(seed, image_size=image_size, instances=instances, **kinds)
    labels, meaning = scene.semantic_labels, list(scene.label_to_category)
    things = [category.id for category in scene.categories.things]
    single = things[: round(single_things * len(things))]
    if single:
        # In stripes, one of which is left to those without.
        stripes = np.arange(image_size[1]) // 9 % (len(single) + (len(single) < len(things)))
        labels = np.where((labels == 0) & (stripes < len(single)), len(meaning) + stripes, labels)
        meaning += single
    semantics = random_semantics(100 + seed, labels, dict(enumerate(meaning)), sharpness=1.5)
    # Else no category is probable on average, and rules that ask for that drop all stuff.
    surer = np.random.default_rng(seed).exponential(size=image_size).astype(np.float32)
    logits = semantics.logits.scatter_add(0, semantics.labels[None].long(), torch.from_numpy(surer)[None]).numpy()
    return Case(scene, SemanticMap(labels, dict(enumerate(meaning)), logits), photo(scene.gt_ids, seed))


def photo(ids: np.ndarray, seed: int) -> np.ndarray:
    """(H, W, 3) uint8: each segment in a colour of its own, and noise."""
    rng = np.random.default_rng([7, seed])
    present, places = np.unique(ids, return_inverse=True)
    colours = rng.integers(30, 226, (len(present), 3))[places.reshape(ids.shape)]
    return np.clip(colours + rng.normal(0, 10, colours.shape), 0, 255).astype(np.uint8)


CASES: Dict[str, Case] = {
    "one pixel": make_case(0, 3, 1, image_size=(1, 1)),
    "no instance": make_case(1, 0),
    "1 instance": make_case(20, 1, 1),
    "8 instances": make_case(3, 8, 0.5, stuff=2),
    "50 instances": make_case(5, 50, 1, stuff=12),
    "60 tied": make_case(6, 60, 0.5, tied_scores=True),
    "100 instances": make_case(7, 100),
}
