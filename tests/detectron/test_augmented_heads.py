"""TEST.AUG: what several versions of an image say together, beside Detectron2's own test-time augmentation."""

import functools

import pytest
import torch
from detectron2.modeling import GeneralizedRCNN, GeneralizedRCNNWithTTA, build_model

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.detectron.kept_predictions import CachingSettings, predictions_of
from panoptic_heuristic.detectron.model_keys import check_model_keys
from panoptic_heuristic.detectron.prediction_cache import cache_predictions
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import fuse
from tests.detectron.small_models import records, small_config, small_model
from tests.formats.tiny_panoptic import write_tiny_panoptic


def augmented(sizes=(64,), flip=True, **others):
    """The config of a small model that is tested on versions of each image."""
    keys = {"ENABLED": True, "MIN_SIZES": tuple(sizes), "FLIP": flip, "MAX_SIZE": 1000}
    return small_config({**{f"TEST.AUG.{key}": value for key, value in keys.items()}, **others})


@pytest.fixture(scope="module")
def plain():
    return small_model(small_config())


def with_augmentation(plain, *args, **kwargs):
    """The same weights, tested on versions of each image."""
    model = build_model(augmented(*args, **kwargs)).eval()
    model.load_state_dict(plain.state_dict())
    return model


def run(model, batch):
    with torch.no_grad():
        return model([dict(record) for record in batch])


def mirrored(record):
    return {**record, "image": record["image"].flip(dims=[2])}


# The input as large as the output, and larger.
@pytest.mark.parametrize("size", [(64, 64, 64, 64), (64, 96, 40, 60)], ids=str)
@pytest.mark.parametrize("sizes, flip", [((64,), True), ((48, 64, 80), True), ((48, 64), False)], ids=str)
def test_instances_are_those_of_detectron2(plain, size, sizes, flip):
    batch = records(size)
    ours = run(with_augmentation(plain, sizes, flip), batch)[0]["instances"]
    # Detectron2's knows models with one head.
    theirs_model = small_model(small_config())
    theirs_model.load_state_dict(plain.state_dict())
    theirs_model.inference = functools.partial(GeneralizedRCNN.inference, theirs_model)
    with torch.no_grad():
        theirs = GeneralizedRCNNWithTTA(augmented(sizes, flip), theirs_model, batch_size=1)(batch)[0]["instances"]
    assert len(ours) == len(theirs) > 3
    assert torch.equal(ours.pred_boxes.tensor, theirs.pred_boxes.tensor)
    assert torch.equal(ours.scores, theirs.scores) and torch.equal(ours.pred_classes, theirs.pred_classes)
    assert torch.equal(ours.pred_masks, theirs.pred_masks)


def test_logits_are_the_average_of_the_image_and_its_mirror_image(plain):
    [record] = records((64, 64, 64, 64))
    one, other = (run(plain, [each])[0]["sem_seg"] for each in (record, mirrored(record)))
    found = run(with_augmentation(plain), [record])[0]["sem_seg"]
    assert torch.equal(found, (one + other.flip(dims=[2])) / 2)
    assert not torch.equal(found, one)


def test_a_mirrored_image_gives_the_mirrored_labels(plain):
    [record] = records((64, 64, 48, 48), seed=4)
    model = with_augmentation(plain)
    one, other = (run(model, [each])[0]["sem_seg"] for each in (record, mirrored(record)))
    torch.testing.assert_close(one.flip(dims=[2]), other, rtol=0, atol=1e-5)


def test_the_image_alone_gives_what_the_model_gives_without(plain):
    batch = records((64, 64, 64, 64), seed=2)
    [one], [other] = run(plain, batch), run(with_augmentation(plain, flip=False), batch)
    assert torch.equal(one["sem_seg"], other["sem_seg"])
    assert torch.equal(one["instances"].pred_masks, other["instances"].pred_masks)
    assert torch.equal(one["panoptic_seg"][0], other["panoptic_seg"][0])
    assert one["panoptic_seg"][1] == other["panoptic_seg"][1]


def test_the_map_alone_is_the_same_map(plain):
    [record] = records((64, 64, 48, 48))
    alone = with_augmentation(plain, **{"MODEL.PANOPTIC_FUSION.OUTPUTS": ["panoptic_seg"]})
    found = run(alone, [record])[0]
    assert set(found) == {"panoptic_seg"}
    assert torch.equal(found["panoptic_seg"][0], run(with_augmentation(plain), [record])[0]["panoptic_seg"][0])


def test_without_an_instance_and_without_a_size(plain):
    [record] = records((64, 64, 64, 64))
    del record["height"], record["width"]
    model = with_augmentation(plain, **{"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 1.0})
    found = run(model, [record])[0]
    assert len(found["instances"]) == 0 and tuple(found["panoptic_seg"][0].shape) == (64, 64)


def test_what_is_kept_of_it_fuses_to_the_models_map(plain):
    [record] = records((64, 64, 50, 41))
    model = with_augmentation(plain, (48, 64))
    with torch.no_grad():
        [instances], [logits] = model.inference([record], do_postprocess=False)
    settings = CachingSettings(0.0, 0.25, True)
    predictions = predictions_of({**record, "image_id": 5}, instances, logits, model.ids, settings)
    semantics = predictions.to_semantics(dict(enumerate(model.ids.labels)))
    result = fuse(predictions.to_instances(), semantics, model.ids.categories, model.pipeline)
    assert torch.equal(torch.as_tensor(result.panoptic_seg), run(model, [record])[0]["panoptic_seg"][0])


def test_a_cache_with_it_is_another_cache(tmp_path):
    data = {"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)}
    weights = tmp_path / "weights.pth"
    torch.save({"model": small_model(small_config(data)).state_dict()}, weights)
    data["MODEL.WEIGHTS"] = str(weights)
    folder, settings = str(tmp_path / "cache"), CachingSettings(0.0)
    assert cache_predictions(augmented(**data), folder, settings).images == 3
    config = PredictionCache.open(folder).manifest.source["config"]
    assert config["TEST"]["AUG"]["MIN_SIZES"] == [64]
    for other in (small_config(data), augmented((48,), **data)):
        with pytest.raises(InputError, match="a cache of something else.*TEST"):
            cache_predictions(other, folder, settings)


class TestKeys:
    def test_without_a_size_there_is_no_version(self):
        with pytest.raises(InputError, match="TEST.AUG.MIN_SIZES is empty"):
            build_model(augmented(()))

    def test_keypoints_are_not_merged(self):
        with pytest.raises(InputError, match="MODEL.KEYPOINT_ON is True, but TEST.AUG merges no keypoints"):
            check_model_keys(augmented(**{"MODEL.KEYPOINT_ON": True}))

    @pytest.mark.parametrize("architecture", ["PanopticFPN", "GeneralizedRCNN"])
    def test_other_models_are_not_augmented(self, architecture):
        message = "TEST.AUG.ENABLED is True, but no model but PanopticHeuristicFPN .*; set it to False"
        with pytest.raises(InputError, match=message):
            check_model_keys(augmented(**{"MODEL.META_ARCHITECTURE": architecture}))
