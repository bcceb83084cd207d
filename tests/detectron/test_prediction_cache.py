import numpy as np
import pytest
import torch
from PIL import Image

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, Default, default_of
from panoptic_heuristic.detectron.kept_predictions import CachingSettings, predictions_of
from panoptic_heuristic.detectron.prediction_cache import cache_predictions, with_floor
from panoptic_heuristic.detectron.raw_outputs import output_labels
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import NotWrittenError
from panoptic_heuristic.fusion import Pipeline, fuse
from tests.detectron.small_models import NUM_LABELS, NUM_THINGS, records, small_config, small_model

from detectron2.data import DatasetCatalog, MetadataCatalog  # isort: skip  after small_models, which makes it importable

EVERYTHING = CachingSettings(0.0, 0.25, True)


@pytest.fixture(scope="module")
def model():
    return small_model(small_config())


def kept(model, record, settings=EVERYTHING):
    with torch.no_grad():
        [instances], [logits] = model.inference([record], do_postprocess=False)
    return predictions_of({**record, "image_id": 5}, instances, logits, model.ids, settings)


# The network's input larger than, smaller than, and as large as the output; an output of one pixel.
@pytest.mark.parametrize("size", [(64, 96, 32, 48), (64, 64, 101, 77), (64, 64, 64, 64), (64, 64, 1, 1)], ids=str)
def test_fusing_what_is_kept_gives_the_models_map(model, size):
    [record] = records(size, seed=3)
    predictions = kept(model, record)
    with torch.no_grad():
        [output] = model([record])
    semantics = predictions.to_semantics(dict(enumerate(model.ids.labels)))
    result = fuse(predictions.to_instances(), semantics, model.ids.categories, model.pipeline)
    expected, segments = output["panoptic_seg"]
    assert np.array_equal(np.asarray(result.panoptic_seg), expected.numpy())
    assert model.ids.to_contiguous(result.segments_info) == segments


def test_what_the_network_returned_is_not_changed(model):
    [record] = records((64, 64, 32, 32))
    with torch.no_grad():
        [instances], [logits] = model.inference([record], do_postprocess=False)
    boxes, fields = instances.pred_boxes.tensor.clone(), set(instances.get_fields())
    for _ in range(2):
        predictions_of({**record, "image_id": 5}, instances, logits, model.ids, EVERYTHING)
        assert torch.equal(instances.pred_boxes.tensor, boxes) and set(instances.get_fields()) == fields


def test_an_image_without_an_instance_is_kept(model):
    [record] = records((64, 64, 30, 40))
    with torch.no_grad():
        [instances], [logits] = model.inference([record], do_postprocess=False)
    predictions = predictions_of({**record, "image_id": 5}, instances[:0], logits, model.ids, EVERYTHING)
    assert (predictions.scores.shape, predictions.masks, predictions.boxes.shape) == ((0,), (), (0, 4))
    assert predictions.roi_probabilities.shape == (0, 28, 28)
    assert fuse(predictions.to_instances(), None, model.ids.categories).segments_info == []


def test_logits_are_kept_when_asked_for_at_a_quarter_of_the_size(model):
    [record] = records((64, 64, 30, 41))
    without, with_logits = kept(model, record, CachingSettings(0.0, 0.25, False)), kept(model, record)
    assert without.roi_probabilities is None and without.semantics.logits is None
    assert (with_logits.semantics.logits.shape, with_logits.semantics.logits.dtype) == ((NUM_LABELS, 8, 11), np.float16)
    assert with_logits.roi_probabilities.shape == (len(with_logits.scores), 28, 28)
    assert with_logits.masks == without.masks


@pytest.mark.parametrize("configured, floor, threshold", [(0.05, 0.01, 0.01), (0.0, 0.01, 0.0), (0.01, 0.01, 0.01)])
def test_the_detector_cuts_at_the_floor_or_below(configured, floor, threshold):
    cfg = small_config({"MODEL.ROI_HEADS.SCORE_THRESH_TEST": configured})
    assert with_floor(cfg, CachingSettings(floor)).MODEL.ROI_HEADS.SCORE_THRESH_TEST == threshold
    assert cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST == configured


def test_a_lower_floor_changes_nothing_above_the_other(model):
    [record] = records((64, 64, 64, 64), seed=1)
    predictor = model.roi_heads.box_predictor
    found = []
    for threshold in (0.0, 0.9):
        predictor.test_score_thresh = threshold
        try:
            found.append(kept(model, record))
        finally:
            predictor.test_score_thresh = 0.0
    low, high = found
    count = len(high.scores)
    assert 0 < count < len(low.scores)
    # A convolution over fewer instances may round otherwise.
    np.testing.assert_allclose(low.scores[:count], high.scores, rtol=0, atol=1e-6)
    assert low.category_ids[:count].tolist() == high.category_ids.tolist()
    assert low.masks[:count] == high.masks


def register(name, dicts):
    DatasetCatalog.register(name, dicts)
    things = [f"thing {i}" for i in range(NUM_THINGS)]
    stuff = ["things", *(f"stuff {i}" for i in range(1, NUM_LABELS))]
    MetadataCatalog.get(name).set(
        thing_classes=things,
        stuff_classes=stuff,
        thing_dataset_id_to_contiguous_id={10 + i: i for i in range(NUM_THINGS)},
        stuff_dataset_id_to_contiguous_id={-1: 0, **{20 + i: i for i in range(1, NUM_LABELS)}},
    )


def record(image_id, name="a/1.jpg"):
    return {"file_name": name, "image_id": image_id, "height": 8, "width": 8}


def unreadable():
    raise FileNotFoundError(2, "No such file or directory", "none.json")


@pytest.mark.parametrize(
    "dicts, words",
    [
        (lambda: [record(1.5)], "image_id 1.5 of a/1.jpg is no integer and no text"),
        (lambda: [record(1), record("1")], "image_id '1' of a/1.jpg looks like 1, another image's; a number and a"),
        (lambda: [record(1), record(1, "2.jpg")], "image_id 1 of 2.jpg occurs twice"),
        (unreadable, "cannot read the data set wrong: none.json: No such file or directory"),
    ],
)
def test_a_wrong_data_set_is_told(tmp_path, dicts, words):
    register("wrong", dicts)
    cfg = small_config({"DATASETS.TEST": ("wrong",)})
    with pytest.raises(InputError) as caught:
        cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING)
    assert words in str(caught.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"DATASETS.TEST": ("none",)}, "names 'none', which is not registered"),
        ({"DATASETS.TEST": ("some", "some")}, "must name one data set"),
        ({"MODEL.ROI_HEADS.NUM_CLASSES": NUM_THINGS + 1}, "MODEL.ROI_HEADS.NUM_CLASSES is 4 in the config"),
        ({"MODEL.META_ARCHITECTURE": "GeneralizedRCNN"}, "take PanopticHeuristicFPN with masks"),
        ({"MODEL.META_ARCHITECTURE": "PanopticFPN", "MODEL.MASK_ON": False}, "take PanopticHeuristicFPN with masks"),
    ],
)
def test_a_wrong_config_is_told(tmp_path, change, words):
    register("some", lambda: [record(1)])
    cfg = small_config({"DATASETS.TEST": ("some",), **change})
    with pytest.raises(InputError) as caught:
        cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING)
    assert words in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_data_set_without_panoptic_categories_is_told(tmp_path):
    DatasetCatalog.register("plain", lambda: [record(1)])
    with pytest.raises(InputError, match="the data set plain has no panoptic categories"):
        cache_predictions(small_config({"DATASETS.TEST": ("plain",)}), str(tmp_path / "cache"), EVERYTHING)


def test_detectron2s_own_architecture_and_data_sets_without_an_image_folder_do(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "1.png")
    register("own", lambda: [record(1, str(tmp_path / "1.png"))])
    torch.save(small_model(small_config()).state_dict(), tmp_path / "weights.pth")
    weights = {"MODEL.META_ARCHITECTURE": "PanopticFPN", "MODEL.WEIGHTS": str(tmp_path / "weights.pth")}
    cfg = small_config({"DATASETS.TEST": ("own",), **weights})
    assert cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING).images == 1
    manifest = PredictionCache.open(tmp_path / "cache").manifest
    assert manifest.images[0].file_name == "1.png"
    assert manifest.source["weights"] == "weights.pth"
    assert cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING).images == 0


def test_ids_that_are_text_keep_the_same_predictions(tmp_path):
    rng = np.random.default_rng(0)
    for number in (1, 2):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    torch.save(small_model(small_config()).state_dict(), tmp_path / "weights.pth")
    kept = {}
    for name, ids in (("numbers", (1, 2)), ("texts", ("../b", "A/a"))):
        records = [record(image_id, str(tmp_path / f"{place}.png")) for place, image_id in enumerate(ids, start=1)]
        register(name, lambda records=records: records)
        cfg = small_config({"DATASETS.TEST": (name,), "MODEL.WEIGHTS": str(tmp_path / "weights.pth")})
        assert cache_predictions(cfg, str(tmp_path / name), EVERYTHING).images == 2
        assert cache_predictions(cfg, str(tmp_path / name), EVERYTHING).images == 0
        cache = PredictionCache.open(tmp_path / name)
        assert [image.image_id for image in cache.manifest.images] == list(ids)
        kept[name] = [cache.read(image_id).to_arrays() for image_id in ids]
    for one, other in zip(kept["numbers"], kept["texts"], strict=True):
        del one["image"], other["image"], other["image_id"]
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key], equal_nan=True) for key in one)


def three_images(tmp_path, name):
    """The config of a registered data set of three images."""
    rng = np.random.default_rng(0)
    for number in (1, 2, 3):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    torch.save(small_model(small_config()).state_dict(), tmp_path / "weights.pth")
    register(name, lambda: [record(number, str(tmp_path / f"{number}.png")) for number in (1, 2, 3)])
    return small_config({"DATASETS.TEST": (name,), "MODEL.WEIGHTS": str(tmp_path / "weights.pth")})


def kept_files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("predictions/*"))}


def check_that_it_goes_on(cfg, tmp_path):
    """The images that are there are whole and left alone, and those that are not are made as without a stop."""
    there = kept_files(tmp_path / "cache")
    assert cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING).images == 3 - len(there)
    cache_predictions(cfg, str(tmp_path / "other"), EVERYTHING)
    assert kept_files(tmp_path / "cache") == kept_files(tmp_path / "other")
    assert there.items() <= kept_files(tmp_path / "other").items()


def test_a_disk_that_is_full_behind_the_network_ends_the_work_and_leaves_whole_files(tmp_path, monkeypatch):
    cfg = three_images(tmp_path, "full_disk")
    write = PredictionCache.write

    def full(cache, predictions):
        if predictions.image_id == 2:
            raise NotWrittenError("cannot write to cache: No space left on device")
        write(cache, predictions)

    monkeypatch.setattr(PredictionCache, "write", full)
    with pytest.raises(NotWrittenError, match="^cannot write to cache: No space left on device$"):
        cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING)
    monkeypatch.undo()
    # Neither the one that failed nor one after it.
    assert list(kept_files(tmp_path / "cache")) == ["1.arrays"]
    check_that_it_goes_on(cfg, tmp_path)


def test_an_interruption_of_the_network_leaves_whole_files(tmp_path):
    cfg = three_images(tmp_path, "interrupted")

    def interrupted(batches, total):
        for number, batch in enumerate(batches):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING, interrupted)
    # Those that were not begun are given up.
    assert list(kept_files(tmp_path / "cache")) in ([], ["1.arrays"], ["1.arrays", "2.arrays"])
    check_that_it_goes_on(cfg, tmp_path)


def test_labels_are_those_of_argmax_for_equal_logits_and_nan():
    rng = np.random.default_rng(0)
    sem_seg = torch.from_numpy(rng.integers(0, 3, (5, 20, 30)).astype(np.float32))
    assert torch.equal(output_labels(sem_seg).long(), sem_seg.argmax(dim=0))
    sem_seg[3, 4, 5] = sem_seg[1, 6, 7] = float("nan")
    sem_seg[2, 8, 9] = float("inf")
    assert torch.equal(output_labels(sem_seg).long(), sem_seg.argmax(dim=0))
    assert output_labels(torch.zeros(300, 2, 2)).max() == 0
    assert output_labels(torch.eye(300)[:, None]).tolist() == [list(range(300))]


@pytest.mark.parametrize("of_detector, of_fusion, effective", [(0.3, 0.1, 0.3), (0.05, 0.4, 0.4)])
def test_the_models_own_settings_are_kept_with_the_cutoff_that_is_in_force(tmp_path, of_detector, of_fusion, effective):
    """The detector's own cutoff hides from fusion what the cache, with its lower one, holds."""
    name = f"own_settings_{of_detector}"
    register(name, lambda: [record(1, str(tmp_path / "1.png"))])
    torch.save(small_model(small_config()).state_dict(), tmp_path / "weights.pth")
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "1.png")
    cfg = small_config({
        "DATASETS.TEST": (name,), "MODEL.WEIGHTS": str(tmp_path / "weights.pth"),
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST": of_detector,
        "MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH": of_fusion,
        "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT": 7,
    })  # fmt: skip
    cache_predictions(cfg, str(tmp_path / "cache"), EVERYTHING)
    default = default_of(PredictionCache.open(tmp_path / "cache"))
    assert default == Default(Pipeline(instances_score_thresh=effective, stuff_area_thresh=7), MODELS_OWN)
