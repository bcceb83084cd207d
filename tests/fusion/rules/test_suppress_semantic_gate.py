"""Masks gated by the semantic labels, drawn, and against whole bitmaps on seeded scenes."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    Calibrated,
    HeadOutputs,
    InstanceSet,
    Pipeline,
    Power,
    SemanticGate,
    SemanticMap,
    explain,
    fuse,
)
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, LABELS, SKY, assert_map, draw, fused, mask, reasons, row

SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, things=5, stuff=12, **others)
    for seed, (count, others) in enumerate([(0, {}), (1, {}), (7, {}), (40, {}), (100, {})])
]
# Cats have a label of their own; dogs have none.
BOTH = {0: None, 1: SKY, 2: GRASS, 3: CAT}


class TestWholePicture:
    CATS = [mask("..### ..### ....."), mask(".##.. .##.. .##..")]
    SCENE = draw("11100 11000 22202")

    def test_a_mask_keeps_what_the_labels_say_is_a_thing(self):
        result = fused(self.CATS, [0.9, 0.8], self.SCENE, suppress=SemanticGate())
        # The second keeps one pixel of six, and that is the first's.
        assert_map(result, "22211 22111 333.3")
        assert reasons(result) == {1: "overlap"}

    def test_too_little_is_left(self):
        result = fused(self.CATS, [0.9, 0.8], self.SCENE, suppress=SemanticGate(0.5))
        assert reasons(result) == {1: "gate"}

    def test_what_was_taken_off_is_lost_to_others(self):
        instances = InstanceSet.from_bitmaps(np.array(self.CATS), [0.9, 0.8], [CAT, CAT])
        semantics = SemanticMap(self.SCENE, LABELS)
        result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=0, suppress=SemanticGate()))
        cat = explain(result, instances, semantics)[0]
        assert (cat.kept, cat.area_before, cat.area_kept) == (True, 6, 5)
        assert [(loss.category_id, loss.pixels) for loss in cat.lost_to] == [(SKY, 1)]
        assert result.segments_info[0]["instance_id"] == 0


class TestLabels:
    MASK = row((0, 4), width=8)
    LABELS = draw("33001122")

    @pytest.mark.parametrize(
        "category_id, picture",
        [(CAT, "11..2233"), (DOG, "..112233")],
        ids=["the category's own label", "the label of all things"],
    )
    def test_which_labels_agree(self, category_id, picture):
        result = fused(
            [self.MASK], [0.9], self.LABELS,
            category_ids=[category_id], label_to_category=BOTH, suppress=SemanticGate(),
        )  # fmt: skip
        assert_map(result, picture)

    def test_a_label_that_could_mean_it_but_does_not_occur(self):
        labels = draw("00001122")
        result = fused([self.MASK], [0.9], labels, label_to_category=BOTH, suppress=SemanticGate())
        assert_map(result, "....1122")
        assert reasons(result) == {0: "gate"}

    def test_two_labels_of_one_category(self):
        result = fused([self.MASK], [0.9], draw("34001122"), label_to_category=BOTH | {4: CAT}, suppress=SemanticGate())
        assert_map(result, "11..2233")

    def test_without_semantic_labels(self):
        with pytest.raises(InputError, match="semantic_gate needs semantic labels, but there are none"):
            fused([self.MASK], [0.9], suppress=SemanticGate())
        # Nobody is gated here.
        assert_map(fused([self.MASK], [0.1], suppress=SemanticGate()), "........")
        assert_map(fused([], [], size=(1, 3), suppress=SemanticGate()), "...")


class TestKeep:
    @pytest.mark.parametrize("keep, kept", [(np.nextafter(1 / 3, 0), True), (1 / 3, True), (0.34, False)])
    def test_a_fraction_at_the_limit_is_kept(self, keep, kept):
        result = fused([row((0, 3), width=4)], [0.9], draw("0111"), suppress=SemanticGate(keep))
        assert reasons(result) == ({} if kept else {0: "gate"})

    def test_nothing_left_is_dropped_always_and_all_left_never(self):
        masks = [row((0, 2), width=4), row((2, 4), width=4)]
        for keep in (0, 1):
            assert reasons(fused(masks, [0.9, 0.8], draw("0011"), suppress=SemanticGate(keep))) == {1: "gate"}

    def test_an_empty_mask_is_left_to_the_claim_rule(self):
        assert reasons(fused([row(width=4)], [0.9], draw("0011"), suppress=SemanticGate(1))) == {0: "empty"}


class TestOrder:
    # After the gate both have one pixel, and both agree with it.
    MASKS = [row((0, 3), width=5), row((3, 5), width=5)]

    @pytest.mark.parametrize(
        "order, ranked",
        [
            (Power(0, 0, 1), [1, 0]),  # 1 of 3 and 1 of 2
            (Calibrated(default_weights=(0, 0, 0, 1, 0)), [0, 1]),  # 3 and 2 pixels
            (Calibrated(default_weights=(0, 0, 0, -1, 0)), [1, 0]),
        ],
    )
    def test_it_is_by_the_masks_the_heads_gave(self, order, ranked):
        result = fused(self.MASKS, [0.9, 0.8], draw("01101"), suppress=SemanticGate(), order=order)
        assert [segment["instance_id"] for segment in result.segments_info if segment["isthing"]] == ranked

    def test_quality_is_of_the_heads_probabilities(self):
        probabilities = torch.stack([torch.full((2, 2), 0.75), torch.full((2, 2), 1.0)])
        instances = InstanceSet.from_rois(probabilities, [[0, 0, 2, 2], [2, 0, 4, 2]], [0.9, 0.8], [CAT, CAT], (2, 4))
        semantics = SemanticMap(draw("0110 1111"), LABELS)
        result = fuse(instances, semantics, CATEGORIES, Pipeline(order=Power(1, 1), suppress=SemanticGate()))
        assert_map(result, "2..1 ....")


@pytest.mark.parametrize("keep", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scene", SCENES)
def test_what_whole_bitmaps_give(scene, keep):
    masks, semantics = np.asarray(scene.masks, dtype=bool), scene.semantics()
    agrees = np.zeros_like(masks)
    meaning = semantics.label_to_category
    for index, category_id in enumerate(scene.category_ids.tolist()):
        wanted = category_id if category_id in meaning.values() else None
        chosen = [label for label in semantics.areas if meaning[label] == wanted]
        agrees[index] = np.isin(semantics.labels.numpy(), chosen)
    left, areas = (masks & agrees).sum(axis=(1, 2)), masks.sum(axis=(1, 2))
    candidates = np.flatnonzero(scene.scores >= 0.1).tolist()
    outcome = SemanticGate(keep).suppress(HeadOutputs(scene.instances(), semantics, scene.categories), candidates)
    dropped = [k for k in candidates if areas[k] and (left[k] == 0 or left[k] / areas[k] < keep)]
    assert outcome.dropped == dict.fromkeys(dropped, "gate")
    assert list(outcome.candidates) == [k for k in candidates if k not in dropped]
    for index in outcome.candidates:
        crop = outcome.instances.crop(index)
        whole = np.zeros(masks.shape[1:], dtype=bool)
        whole[crop.window] = crop.mask.numpy()
        np.testing.assert_array_equal(whole, (masks & agrees)[index])
    # Fusing gated bitmaps without the gate gives the same map.
    gated = InstanceSet.from_bitmaps(
        (masks & agrees)[list(outcome.candidates)],
        scene.scores[list(outcome.candidates)],
        scene.category_ids[list(outcome.candidates)],
    )
    expected = fuse(gated, semantics, scene.categories, Pipeline(instances_score_thresh=0.1))
    pipeline = Pipeline(instances_score_thresh=0.1, suppress=SemanticGate(keep))
    result = fuse(scene.instances(), semantics, scene.categories, pipeline)
    assert np.array_equal(result.panoptic_seg, expected.panoptic_seg)
