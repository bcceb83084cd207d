"""The oracles of attribution as one would write them without regions: by masks and maps, fused and scored as always."""

import dataclasses

import numpy as np

from panoptic_heuristic.ablation.cache.predictions import NO_STUFF
from panoptic_heuristic.fusion import Greedy, InstanceSet, NoVeto, Pipeline, SemanticMap, fuse
from panoptic_heuristic.quality import PQCounts, count_image
from tests.ablation.random_images import BEST_STUFF_FLOOR, CATEGORIES, LABELS, RandomImage


class PixelOracles:
    """The counts of each oracle on one image under one pipeline, by methods of the oracles' names."""

    def __init__(self, image: RandomImage, pipeline: Pipeline):
        self.image, self.pipeline = image, pipeline
        self.scores, self.category_ids = image.predictions.scores, image.predictions.category_ids
        self.masks = np.zeros((len(self.scores), *image.gt_ids.shape), dtype=bool)
        instances = image.predictions.to_instances()
        for index, mask in enumerate(self.masks):
            crop = instances.crop(index)
            mask[crop.window] = crop.mask.numpy()
        # Of two segments with one id the last one counts.
        by_id = {segment["id"]: segment for segment in image.gt_segments}
        self.gt = [(segment, image.gt_ids == segment_id) for segment_id, segment in by_id.items()]

    def none(self) -> PQCounts:
        return self._count(self._fused())

    def acceptance(self) -> PQCounts:
        finite = np.flatnonzero(np.isfinite(self.scores))
        right, taken = [], set()
        for index in self._by_iou(finite):
            iou, place = self._best(index)
            if iou > 0.5 and place not in taken:
                taken.add(place)
                right.append(index)
        changed = {"claim": Greedy(1.0), "instances_score_thresh": -1e9, "instances_score_thresh_of": {}}
        pipeline = dataclasses.replace(self.pipeline, **changed)
        return self._count(self._fused(self._instances(sorted(right)), pipeline=pipeline))

    def order(self) -> PQCounts:
        thresholds = np.array(list(map(self.pipeline.instances_score_thresh_for, self.category_ids.tolist())))
        passing = np.flatnonzero(np.isfinite(self.scores) & (self.scores >= thresholds))
        return self._count(self._fused(self._instances(self._by_iou(passing), ranked=True)))

    def category(self) -> PQCounts:
        result = self._fused()
        for segment in result.segments_info:
            for gt, pixels in self.gt if segment["isthing"] else ():
                is_thing = CATEGORIES[gt["category_id"]].isthing and not gt["iscrowd"]
                if is_thing and self._iou(self.masks[segment["instance_id"]], pixels) > 0.5:
                    segment["category_id"] = gt["category_id"]
        return self._count(result)

    def perfect_masks(self) -> PQCounts:
        result = self._fused()
        exact = {}
        for index, mine in self._things(result).items():
            for place, (gt, pixels) in enumerate(self.gt):
                if self._fits(index, gt) and self._iou(mine, pixels) > 0.5:
                    exact[index] = self.gt[place][1]
        taken = np.any([*exact.values(), np.zeros(self.image.gt_ids.shape, dtype=bool)], axis=0)
        # Things that went after they had claimed may go again, or not.
        all_stay = dataclasses.replace(self.pipeline, veto=NoVeto(), thing_area_thresh=0)
        claimed = self._things(self._fused(pipeline=all_stay))
        things = {index: exact.get(index, mine & ~taken) for index, mine in claimed.items()}
        # No mask overlaps another now, so that each gets its pixels and stuff the rest.
        there = [index for index, mine in things.items() if mine.any()]
        self.masks[there] = [things[index] for index in there] if there else self.masks[there]
        return self._count(self._fused(self._instances(there, ranked=True)))

    def semantics(self) -> PQCounts:
        labels = np.zeros(self.image.gt_ids.shape, dtype=np.int64)
        for segment, pixels in self.gt:
            if not CATEGORIES[segment["category_id"]].isthing:
                labels[pixels] = 1 + segment["category_id"]
        meaning = {0: None, **{1 + category.id: category.id for category in CATEGORIES.stuff}}
        no_second = (np.full_like(labels, NO_STUFF), np.zeros(labels.shape, dtype=bool))
        semantics = SemanticMap(labels, meaning, best_stuff=no_second, best_stuff_floor=BEST_STUFF_FLOOR)
        return self._count(self._fused(semantics=semantics))

    def _things(self, result):
        things = [one for one in result.segments_info if one["isthing"]]
        return {one["instance_id"]: result.panoptic_seg == one["id"] for one in things}

    def _fused(self, instances=None, semantics=None, pipeline=None):
        return fuse(
            # No instances are false.
            self.image.predictions.to_instances() if instances is None else instances,
            semantics or self.image.predictions.to_semantics(LABELS, best_stuff_floor=BEST_STUFF_FLOOR),
            CATEGORIES,
            pipeline or self.pipeline,
        )

    def _count(self, result) -> PQCounts:
        return count_image(
            self.image.gt_ids,
            self.image.gt_segments,
            result.panoptic_seg,
            result.segments_info,
            CATEGORIES,
        )

    def _instances(self, chosen, ranked=False) -> InstanceSet:
        """Some of the instances; if they are ranked, with scores that say so and that pass every threshold."""
        chosen = np.array(chosen, dtype=int)
        scores = 1e6 - np.arange(len(chosen)) if ranked else self.scores[chosen]
        return InstanceSet.from_bitmaps(self.masks[chosen], scores, self.category_ids[chosen])

    def _by_iou(self, indices):
        by_score = sorted(indices.tolist(), key=lambda index: -self.scores[index])
        return sorted(by_score, key=lambda index: -self._best(index)[0])

    def _best(self, index):
        """IoU and place of the segment of its category that an instance fits best."""
        return max(
            (
                (self._iou(self.masks[index], pixels), place)
                for place, (gt, pixels) in enumerate(self.gt)
                if self._fits(index, gt)
            ),
            default=(0.0, -1),
        )

    def _fits(self, index, gt) -> bool:
        return gt["category_id"] == self.category_ids[index] and not gt["iscrowd"]

    def _iou(self, mask, pixels) -> float:
        union = (mask & (self.image.gt_ids != 0)) | pixels
        return (mask & pixels).sum() / max(union.sum(), 1)
