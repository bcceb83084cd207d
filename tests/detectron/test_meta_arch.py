"""PanopticHeuristicFPN beside Detectron2's PanopticFPN, with the same random weights."""

import numpy as np
import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import DefaultPredictor
from detectron2.modeling import PanopticFPN, build_model
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage

from panoptic_heuristic.detectron import PanopticHeuristicFPN, postprocess
from panoptic_heuristic.detectron.meta_arch import ids_and_divisor
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import decode_label_divisor
from panoptic_heuristic.fusion import Greedy, InstanceSet, Pipeline, SemanticMap, fuse
from tests.detectron.small_models import NUM_LABELS, NUM_THINGS, records, small_config, small_model
from tests.formats.tiny_panoptic import write_tiny_panoptic

COMBINE = "MODEL.PANOPTIC_FPN.COMBINE."
# (height, width) of the network's input, then of the output. The backbone pads to multiples of 32.
SIZES = {
    "as it is": [(64, 64, 64, 64)],
    "padded": [(50, 70, 50, 70)],
    "resized and padded": [(50, 70, 35, 49)],
    "two of different sizes": [(64, 40, 90, 61), (33, 95, 33, 95)],
}


def reference(cfg, model):
    """Detectron2's model with the weights of ours."""
    plain = cfg.clone()
    plain.MODEL.META_ARCHITECTURE = "PanopticFPN"
    built = build_model(plain).eval()
    assert type(built) is PanopticFPN
    built.load_state_dict(model.state_dict())
    return built


def run(model, batch):
    with torch.no_grad():
        return model([dict(record) for record in batch])


def without_area(segments_info):
    """Segments as Detectron2 describes them: no area of things."""
    return [{k: v for k, v in s.items() if not (s["isthing"] and k == "area")} for s in segments_info]


@pytest.fixture(scope="module")
def model():
    return small_model(small_config())


@pytest.fixture(scope="module")
def detectron2_model(model):
    return reference(small_config(), model)


class TestEqualsDetectron2:
    @pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
    def test_the_same_map_and_segments(self, model, detectron2_model, sizes):
        batch = records(*sizes)
        ours, theirs = run(model, batch), run(detectron2_model, batch)
        assert len(ours) == len(theirs) == len(sizes)
        for (_, _, height, width), our, their in zip(sizes, ours, theirs, strict=True):
            (our_map, our_segments), (their_map, their_segments) = our["panoptic_seg"], their["panoptic_seg"]
            assert tuple(our_map.shape) == (height, width)
            assert our_map.dtype == their_map.dtype
            assert torch.equal(our_map, their_map)
            assert without_area(our_segments) == their_segments
            # Else nothing was compared.
            assert {segment["isthing"] for segment in our_segments} == {True, False}

    @pytest.mark.parametrize("thresholds", [(0.0, 0.4, 100), (0.3, 0.36, 1), (0.9, 0.0, 4096)])
    def test_at_other_thresholds_too(self, model, thresholds):
        names = ("OVERLAP_THRESH", "INSTANCES_CONFIDENCE_THRESH", "STUFF_AREA_LIMIT")
        cfg = small_config({f"{COMBINE}{name}": value for name, value in zip(names, thresholds, strict=True)})
        ours = small_model(cfg)
        batch = records((64, 64, 64, 64), seed=1)
        our_map, our_segments = run(ours, batch)[0]["panoptic_seg"]
        their_map, their_segments = run(reference(cfg, ours), batch)[0]["panoptic_seg"]
        assert torch.equal(our_map, their_map)
        assert without_area(our_segments) == their_segments
        assert our_segments and our_segments != run(model, batch)[0]["panoptic_seg"][1]

    def test_the_same_keys_and_head_outputs(self, model, detectron2_model):
        batch = records((50, 70, 35, 49))
        ours, theirs = run(model, batch)[0], run(detectron2_model, batch)[0]
        assert set(ours) == set(theirs) == {"sem_seg", "instances", "panoptic_seg"}
        assert torch.equal(ours["sem_seg"], theirs["sem_seg"])
        our_fields, their_fields = ours["instances"].get_fields(), theirs["instances"].get_fields()
        assert set(our_fields) == set(their_fields)
        assert torch.equal(our_fields["pred_masks"], their_fields["pred_masks"])
        assert torch.equal(our_fields["pred_boxes"].tensor, their_fields["pred_boxes"].tensor)

    def test_without_postprocessing_the_raw_heads(self, model, detectron2_model):
        batch = records((50, 70, 35, 49), (40, 40, 40, 40))
        with torch.no_grad():
            ours = model.inference(batch, do_postprocess=False)
            theirs = detectron2_model.inference(batch, do_postprocess=False)
        assert type(ours) is type(theirs) is tuple
        for our, their in zip(ours[0], theirs[0], strict=True):
            assert our.image_size == their.image_size
            assert torch.equal(our.pred_boxes.tensor, their.pred_boxes.tensor)
        assert torch.equal(ours[1], theirs[1])

    def test_losses(self, model, detectron2_model):
        batch = records((64, 64, 64, 64))
        for record in batch:
            boxes = torch.tensor([[4.0, 4.0, 30.0, 40.0]])
            masks = torch.zeros(1, 64, 64, dtype=torch.bool)
            masks[:, 4:40, 4:30] = True
            record["instances"] = ground_truth_instances(boxes, masks)
            record["sem_seg"] = torch.randint(0, NUM_LABELS, (64, 64), generator=torch.Generator().manual_seed(0))
        losses = []
        for each in (model, detectron2_model):
            each.train()
            torch.manual_seed(0)
            with EventStorage():
                losses.append({name: float(value.detach()) for name, value in each(batch).items()})
            each.eval()
        assert losses[0] == losses[1]
        assert "loss_sem_seg" in losses[0] and "loss_mask" in losses[0]


class TestNothingLabelled:
    """A batch of void: an image nobody has labelled, or a crop beside all that is."""

    @pytest.mark.parametrize("labelled, is_zero", [(0, True), (1, False)])
    def test_its_semantic_loss_is_zero_and_connected(self, labelled, is_zero):
        trained = small_model(small_config()).train()
        batch = records((64, 64, 64, 64), (64, 64, 64, 64))
        for record in batch:
            record["sem_seg"] = torch.full((64, 64), 255)
            record["instances"] = ground_truth_instances(torch.zeros(0, 4), torch.zeros(0, 64, 64, dtype=torch.bool))
        batch[1]["sem_seg"][0, :labelled] = 2
        with EventStorage():
            losses = trained(batch)
        assert (losses["loss_sem_seg"] == 0) == is_zero
        sum(losses.values()).backward()
        gradient = trained.sem_seg_head.predictor.weight.grad
        assert gradient.isfinite().all() and bool((gradient == 0).all()) == is_zero
        # The other losses teach as before.
        assert trained.proposal_generator.rpn_head.objectness_logits.weight.grad.abs().sum() > 0

    def test_a_loss_that_is_broken_stays_so(self):
        trained = small_model(small_config()).train()
        torch.nn.init.constant_(trained.sem_seg_head.predictor.weight, float("nan"))
        [record] = records((64, 64, 64, 64))
        record["sem_seg"] = torch.ones(64, 64, dtype=torch.int64)
        record["instances"] = ground_truth_instances(torch.zeros(0, 4), torch.zeros(0, 64, 64, dtype=torch.bool))
        with EventStorage():
            assert trained([record])["loss_sem_seg"].isnan()


def ground_truth_instances(boxes, masks):
    instances = Instances((64, 64))
    instances.gt_boxes, instances.gt_masks = Boxes(boxes), BitMasks(masks)
    instances.gt_classes = torch.ones(len(boxes), dtype=torch.int64)
    return instances


class TestSegments:
    def test_contiguous_ids_plain_values_and_right_areas(self, model):
        panoptic_seg, segments_info = run(model, records((64, 64, 64, 64)))[0]["panoptic_seg"]
        for segment in segments_info:
            assert segment["area"] == int((panoptic_seg == segment["id"]).sum()) > 0
            known = range(NUM_THINGS) if segment["isthing"] else range(1, NUM_LABELS)
            assert segment["category_id"] in known
            assert type(segment["isthing"]) is bool
            assert {type(value) for value in segment.values()} <= {int, float, bool}
        assert [segment["id"] for segment in segments_info] == list(range(1, len(segments_info) + 1))

    def test_per_pixel_by_config(self):
        cfg = small_config({"MODEL.PANOPTIC_FUSION.CLAIM.NAME": "per_pixel"})
        batch = records((64, 64, 64, 64))
        per_pixel = run(small_model(cfg), batch)[0]["panoptic_seg"]
        greedy_at_1, greedy_at_0 = (
            run(small_model(small_config({f"{COMBINE}OVERLAP_THRESH": threshold})), batch)[0]["panoptic_seg"]
            for threshold in (1, 0)
        )
        # The overlap test drops nothing: the same as greedy at 1, and more segments than at 0.
        assert torch.equal(per_pixel[0], greedy_at_1[0])
        assert len(per_pixel[1]) > len(greedy_at_0[1])


    @pytest.mark.parametrize(
        "claim", [{"NAME": "pixel_argmax"}, {"NAME": "reclaim", "ON_TOP": "mean_probability"}], ids=str
    )
    def test_rules_that_need_probabilities_get_those_of_the_head(self, claim, model):
        overrides = {f"MODEL.PANOPTIC_FUSION.CLAIM.{key}": value for key, value in claim.items()}
        cfg = small_config({**overrides, "MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH": 0.0})
        other = small_model(cfg)
        with torch.no_grad():
            outputs = other(records((64, 64, 64, 64), (50, 70, 64, 64)))
            raw, _ = other.inference(records((64, 64, 64, 64), (50, 70, 64, 64)), do_postprocess=False)
        kept = 0
        for output, instances in zip(outputs, raw, strict=True):
            assert not output["instances"].has("roi_probabilities")
            height, width = output["instances"].image_size
            found = output["instances"]
            rois = InstanceSet.from_rois(
                instances.pred_masks[:, 0],
                found.pred_boxes.tensor,
                found.scores,
                [other.ids.things[index] for index in found.pred_classes.tolist()],
                (height, width),
            )
            labels = SemanticMap(output["sem_seg"].argmax(dim=0), other.ids.labels)
            expected = fuse(rois, labels, other.ids.categories, other.pipeline)
            assert torch.equal(output["panoptic_seg"][0], expected.panoptic_seg)
            kept += sum(segment["isthing"] for segment in expected.segments_info)
        assert kept > 0


class TestConfig:
    def test_the_model_fuses_by_the_configs_pipeline(self):
        cfg = small_config({f"{COMBINE}OVERLAP_THRESH": 0.25, f"{COMBINE}STUFF_AREA_LIMIT": 77})
        assert build_model(cfg).pipeline == Pipeline(Greedy(0.25), 0.35, 77)

    def test_values_of_categories_go_by_the_data_sets_names(self, tmp_path):
        per_class = [["dog", {"OVERLAP_THRESH": 0.25}], ["sky", {"STUFF_AREA_LIMIT": 7}]]
        data = write_tiny_panoptic(tmp_path)
        overrides = {"DATASETS.PANOPTIC_YAML": str(data.yaml), "MODEL.PANOPTIC_FUSION.PER_CLASS": per_class}
        pipeline = build_model(small_config(overrides)).pipeline
        # Dataset ids, not contiguous ones.
        assert pipeline.claim == Greedy(0.5, {90: 0.25})
        assert pipeline.stuff_area_thresh_of == {0: 7}

    def test_the_calibrated_order_sees_the_heads_boxes(self, monkeypatch, model):
        # Agreement with the semantic labels is counted in them, not in the tight boxes of the masks.
        seen = {}
        monkeypatch.setattr(postprocess, "fuse", lambda instances, *others: seen.setdefault("boxes", instances.boxes))
        instances = Instances((6, 8))
        instances.pred_masks = torch.zeros(1, 1, 28, 28)
        instances.pred_boxes, instances.scores = Boxes(torch.tensor([[1.0, 2.0, 5.5, 6.0]])), torch.tensor([0.9])
        instances.pred_classes = torch.tensor([1])
        model.postprocess(instances, torch.zeros(NUM_LABELS, 6, 8), (6, 8))
        assert seen["boxes"].tolist() == [[1.0, 2.0, 5.5, 6.0]]

    def test_the_calibrated_order_by_config(self):
        # By default it is the order by score; no probability reaches 1.
        batch = records((64, 64, 64, 64))
        key = "MODEL.PANOPTIC_FUSION.ORDER."
        by_score = run(small_model(small_config()), batch)[0]["panoptic_seg"]
        same = run(small_model(small_config({f"{key}NAME": "calibrated"})), batch)[0]["panoptic_seg"]
        assert torch.equal(same[0], by_score[0]) and same[1] == by_score[1]
        cut = small_config({f"{key}NAME": "calibrated", f"{key}CUT": [["thing 0", 1], ["thing 1", 1], ["thing 2", 1]]})
        without_things = run(small_model(cut), batch)[0]["panoptic_seg"][1]
        assert without_things and not any(segment["isthing"] for segment in without_things)

    def test_an_unknown_claim_rule(self):
        cfg = small_config({"MODEL.PANOPTIC_FUSION.CLAIM.NAME": "gredy"})
        with pytest.raises(InputError, match=r"CLAIM.NAME must be one of .*greedy.*per_pixel.*, got 'gredy'"):
            build_model(cfg)

    def test_a_threshold_out_of_its_interval(self):
        with pytest.raises(InputError, match=r"COMBINE.OVERLAP_THRESH must be .* in \[0, 1\], got 1.5"):
            build_model(small_config({f"{COMBINE}OVERLAP_THRESH": 1.5}))

    def test_without_masks_there_is_nothing_to_merge(self):
        with pytest.raises(InputError, match="MODEL.MASK_ON is False, .*; set it to True"):
            build_model(small_config({"MODEL.MASK_ON": False}))


class TestIds:
    def test_without_a_registered_data_set_they_are_made_up(self):
        ids = ids_and_divisor(small_config())[0]
        assert not ids.from_dataset
        assert (len(ids.things), len(ids.labels)) == (NUM_THINGS, NUM_LABELS)

    def test_a_name_that_nobody_registered_counts_as_none(self):
        assert not ids_and_divisor(small_config({"DATASETS.TEST": "('nobody_registered_this',)"}))[0].from_dataset

    def test_the_test_data_set_comes_first(self, tmp_path):
        data = write_tiny_panoptic(tmp_path)
        cfg = small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        cfg.DATASETS.TRAIN = ("coco_2017_train_panoptic_separated",)
        assert ids_and_divisor(cfg)[0].things == (7, 90)
        cfg.DATASETS.TEST = ()
        cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES = 80, 54
        assert len(ids_and_divisor(cfg)[0].things) == 80

    @pytest.mark.parametrize(
        "key, number, needed",
        [("ROI_HEADS", 3, "2 thing categories"), ("SEM_SEG_HEAD", 54, "3 semantic labels")],
    )
    def test_heads_that_do_not_fit_the_data_set(self, tmp_path, key, number, needed):
        cfg = small_config({"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)})
        cfg.MODEL[key].NUM_CLASSES = number
        message = f"MODEL.{key}.NUM_CLASSES is {number} in the config, but tiny_val has {needed}"
        with pytest.raises(InputError, match=message):
            build_model(cfg)


class TestLabelDivisor:
    def test_it_says_the_same_as_segments_in_dataset_ids(self, tmp_path):
        data = write_tiny_panoptic(tmp_path)
        data.yaml.write_text(data.yaml.read_text() + "label_divisor: 77\n")
        overrides = {"DATASETS.PANOPTIC_YAML": str(data.yaml)}
        batch = records((64, 64, 64, 64), (40, 70, 50, 61))
        segments = run(small_model(small_config(overrides)), batch)
        coded_model = small_model(small_config({**overrides, "MODEL.PANOPTIC_FUSION.MAP_FORMAT": "label_divisor"}))
        assert coded_model.label_divisor == 77
        for expected, output in zip(segments, run(coded_model, batch), strict=True):
            panoptic_seg, segments_info = expected["panoptic_seg"]
            codes, none = output["panoptic_seg"]
            assert none is None
            assert codes.dtype == torch.int32
            assert torch.equal(codes == -1, panoptic_seg == 0)
            decoded, decoded_segments = decode_label_divisor(codes.numpy(), 77, things=[7, 90])
            things, labels = (7, 90), (None, 0, 9)
            by_id = {segment["id"]: segment for segment in decoded_segments}
            for segment in segments_info:
                place = panoptic_seg.numpy() == segment["id"]
                (decoded_id,) = np.unique(decoded[place])
                assert np.array_equal(decoded == decoded_id, place)
                dataset_id = (things if segment["isthing"] else labels)[segment["category_id"]]
                assert by_id[decoded_id]["category_id"] == dataset_id
            assert len(decoded_segments) == len(segments_info) > 2

    def test_an_image_of_void(self, tmp_path):
        overrides = {
            "DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml),
            "MODEL.PANOPTIC_FUSION.MAP_FORMAT": "label_divisor",
            f"{COMBINE}INSTANCES_CONFIDENCE_THRESH": 1,
            f"{COMBINE}STUFF_AREA_LIMIT": 10000,
        }
        codes, _ = run(small_model(small_config(overrides)), records((32, 32, 20, 30)))[0]["panoptic_seg"]
        assert torch.equal(codes, torch.full((20, 30), -1, dtype=torch.int32))

    def test_without_dataset_ids_it_cannot_be_written(self):
        cfg = small_config({"MODEL.PANOPTIC_FUSION.MAP_FORMAT": "label_divisor"})
        message = "MAP_FORMAT is label_divisor, but .* not registered.*; register it or use segments"
        with pytest.raises(InputError, match=message):
            build_model(cfg)

    def test_it_may_be_another_data_set_than_the_one_without_a_divisor(self, tmp_path):
        write_tiny_panoptic(tmp_path)
        cfg = small_config({"DATASETS.TEST": "('coco_2017_val_panoptic_separated',)"})
        cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES = 80, 54
        assert build_model(cfg).label_divisor == 1000


class TestInputs:
    def test_what_the_model_is_given_is_not_changed(self, model):
        batch = records((50, 70, 35, 49))
        before = [{key: value.clone() if torch.is_tensor(value) else value for key, value in r.items()} for r in batch]
        with torch.no_grad():
            model(batch)
        assert batch[0].keys() == before[0].keys()
        assert torch.equal(batch[0]["image"], before[0]["image"])

    def test_without_height_and_width_the_output_has_the_inputs_size(self, model):
        batch = records((50, 70, 0, 0))
        del batch[0]["height"], batch[0]["width"]
        output = run(model, batch)[0]
        assert tuple(output["panoptic_seg"][0].shape) == tuple(output["sem_seg"].shape[1:]) == (50, 70)

    def test_an_image_where_nothing_is_found(self):
        model = small_model(small_config({"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 1.0}))
        output = run(model, records((32, 32, 32, 32)))[0]
        assert len(output["instances"]) == 0
        assert output["panoptic_seg"][1] and not any(s["isthing"] for s in output["panoptic_seg"][1])


def test_default_predictor(tmp_path, model):
    cfg = small_config({"MODEL.WEIGHTS": str(tmp_path / "model.pth")})
    DetectionCheckpointer(model, str(tmp_path)).save("model")
    predictor = DefaultPredictor(cfg)
    assert type(predictor.model) is PanopticHeuristicFPN
    image = np.random.default_rng(0).integers(0, 256, (45, 64, 3), dtype=np.uint8)
    panoptic_seg, segments_info = predictor(image)["panoptic_seg"]
    assert tuple(panoptic_seg.shape) == (45, 64)
    assert segments_info
    assert int(panoptic_seg.max()) == len(segments_info)


def test_the_catalogs_are_clean():
    assert "tiny_val" not in DatasetCatalog.list() and "tiny_val" not in MetadataCatalog.list()
