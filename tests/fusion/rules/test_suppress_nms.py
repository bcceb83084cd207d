"""Non-maximum suppression, drawn, and against whole bitmaps on seeded scenes."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, HeadOutputs, InstanceSet, Nms, Pipeline, explain, fuse
from panoptic_heuristic.fusion.rules.suppress_nms import box_ious, iou_of_areas
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, CATEGORIES, DOG, assert_map, fused, instances_in, mask, reasons, row

SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, tied_scores=tied, things=5, stuff=12)
    for seed, (count, tied) in enumerate([(0, False), (1, False), (7, False), (40, False), (100, False), (60, True)])
]


class TestMasks:
    # The second has 2 of 6 pixels in common with the first, the third 3 of 5 with the second.
    MASKS = [row((0, 4), width=9), row((2, 6), width=9), row((3, 7), width=9)]

    def test_a_worse_one_that_overlaps_goes_whole(self):
        result = fused(self.MASKS, [0.7, 0.9, 0.8], suppress=Nms())
        assert_map(result, "221111...")
        assert reasons(result) == {2: "nms"}

    def test_without_it_the_worse_one_stays(self):
        assert_map(fused(self.MASKS, [0.7, 0.9, 0.8], claim=Greedy(1.0)), "3311112..")

    @pytest.mark.parametrize("threshold, kept", [(np.nextafter(0.6, 0), False), (0.6, True), (0.61, True)])
    def test_an_iou_at_the_threshold_is_kept(self, threshold, kept):
        result = fused(self.MASKS[1:], [0.9, 0.8], suppress=Nms(threshold), claim=Greedy(1.0))
        assert reasons(result) == ({} if kept else {1: "nms"})

    def test_what_is_gone_suppresses_nothing(self):
        masks = [row((0, 4), width=9), row((1, 5), width=9), row((2, 6), width=9)]
        result = fused(masks, [0.9, 0.8, 0.7], suppress=Nms(), claim=Greedy(1.0))
        # The third overlaps the second by 3 of 5, the first by 2 of 6.
        assert_map(result, "111122...")
        assert reasons(result) == {1: "nms"}

    def test_categories_do_not_matter(self):
        assert reasons(fused(self.MASKS[1:], [0.8, 0.9], category_ids=[CAT, DOG], suppress=Nms())) == {0: "nms"}

    def test_of_equal_scores_the_first_stays(self):
        assert reasons(fused(self.MASKS[1:], [0.9, 0.9], suppress=Nms())) == {1: "nms"}
        assert reasons(fused([self.MASKS[1]] * 3, [0.8, 0.9, 0.9], suppress=Nms())) == {0: "nms", 2: "nms"}

    def test_only_candidates_suppress(self):
        result = fused(self.MASKS[1:], [0.9, 0.5], suppress=Nms(), instances_score_thresh_of={CAT: 0.5})
        assert reasons(result) == {1: "nms"}
        ids = [DOG, CAT]
        result = fused(
            self.MASKS[1:], [0.9, 0.5], category_ids=ids, suppress=Nms(), instances_score_thresh_of={DOG: 0.95}
        )
        assert reasons(result) == {0: "score"}

    def test_empty_masks_are_left_to_the_claim_rule(self):
        result = fused([row(width=4)] * 2 + [row((0, 2), width=4)], [0.9, 0.8, 0.7], suppress=Nms(0))
        assert reasons(result) == {0: "empty", 1: "empty"}

    def test_equal_boxes_of_masks_that_do_not_meet(self):
        crossing = [mask("#.# .#. #.#"), mask(".#. #.# .#.")]
        assert instances_in(fused(crossing, [0.9, 0.8], suppress=Nms(0))) == [0, 1]

    def test_what_is_dropped_is_explained(self):
        instances = InstanceSet.from_bitmaps(np.array(self.MASKS[1:]), [0.9, 0.8], [CAT, CAT])
        result = fuse(instances, None, CATEGORIES, Pipeline(suppress=Nms()))
        dropped = explain(result, instances, None)[1]
        assert (dropped.reason, dropped.area_before) == ("nms", 4)
        assert [(loss.instance_id, loss.pixels) for loss in dropped.lost_to] == [(0, 3), (None, 1)]


class TestBoxes:
    MASKS = [row((0, 2), width=9), row((7, 9), width=9)]

    def suppressed(self, boxes, rule):
        instances = InstanceSet.from_bitmaps(np.array(self.MASKS), [0.9, 0.8], [CAT, CAT], boxes=boxes)
        return reasons(fuse(instances, None, CATEGORIES, Pipeline(suppress=rule)))

    @pytest.mark.parametrize(
        "threshold, kept", [(np.nextafter(1 / 3, 0), False), (1 / 3, True), (np.nextafter(1 / 3, 1), True)]
    )
    def test_the_heads_boxes_count_and_not_the_masks(self, threshold, kept):
        boxes = [[0, 0, 4, 1.5], [2, 0, 6, 1.5]]
        assert self.suppressed(boxes, Nms(threshold, "box")) == ({} if kept else {1: "nms"})
        assert self.suppressed(boxes, Nms(0)) == {}

    def test_boxes_without_an_area_overlap_nothing(self):
        assert self.suppressed([[1, 0, 1, 1]] * 2, Nms(0, "box")) == {}
        assert self.suppressed([[3, 0, 1, 1]] * 2, Nms(0, "box")) == {}

    def test_instances_without_boxes(self):
        with pytest.raises(InputError, match="nms of kind 'box' needs the boxes of the instance head"):
            self.suppressed(None, Nms(kind="box"))

    def test_no_boxes(self):
        assert box_ious(np.zeros((0, 4))).shape == (0, 0)

    def test_by_hand(self):
        ious = box_ious([[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2]])
        np.testing.assert_array_equal(ious, [[1, 1 / 7, 0], [1 / 7, 1, 1 / 7], [0, 1 / 7, 1]])

    @pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7])
    def test_as_torchvision_has_it(self, threshold):
        torchvision = pytest.importorskip("torchvision")
        rng = np.random.default_rng(5)
        corners, sizes = rng.random((80, 2)) * 30, rng.random((80, 2)) * 30
        boxes, scores = np.concatenate([corners, corners + sizes], axis=1).astype(np.float32), rng.permutation(80) / 80
        instances = InstanceSet.from_bitmaps(np.ones((80, 1, 1), bool), scores, [CAT] * 80, boxes=boxes)
        kept = Nms(threshold, "box").suppress(HeadOutputs(instances, None, CATEGORIES), range(80)).candidates
        expected = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores).float(), threshold)
        assert list(kept) == sorted(expected.tolist())


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("scene", SCENES)
def test_what_whole_bitmaps_give(scene, threshold):
    scores, masks = scene.scores.astype(np.float64), np.asarray(scene.masks, dtype=bool)
    candidates = np.flatnonzero(scores >= 0.1).tolist()
    kept = []
    for index in sorted(candidates, key=lambda index: -scores[index]):
        overlaps = [
            iou_of_areas(int((masks[index] & masks[k]).sum()), int(masks[index].sum() + masks[k].sum())) for k in kept
        ]
        if not any(value > threshold for value in overlaps):
            kept.append(index)
    instances = scene.instances()
    outcome = Nms(threshold).suppress(HeadOutputs(instances, None, scene.categories), candidates)
    assert list(outcome.candidates) == sorted(kept)
    assert outcome.dropped == dict.fromkeys((k for k in candidates if k not in kept), "nms")
    assert outcome.instances is instances
    if len(scores) >= 40 and 0 < threshold < 1:
        assert 1 < len(kept) < len(candidates)
