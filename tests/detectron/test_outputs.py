"""What the model returns under MODEL.PANOPTIC_FUSION.OUTPUTS, every preset, half precision and inference mode."""

import copy
import itertools

import pytest
import torch
from detectron2.modeling import SEM_SEG_HEADS_REGISTRY
from detectron2.modeling.meta_arch.semantic_seg import SemSegFPNHead
from detectron2.structures import Boxes, Instances

from panoptic_heuristic.detectron import load_config, postprocess, raw_outputs
from panoptic_heuristic.detectron.enlarged_logits import Upsampling
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import PRESETS
from tests.detectron.small_models import NUM_LABELS, SHAPES_CONFIG, records, small_config, small_model

OUTPUTS, PRESET = "MODEL.PANOPTIC_FUSION.OUTPUTS", "MODEL.PANOPTIC_FUSION.PRESET"
ALL = ("sem_seg", "instances", "panoptic_seg")
# (height, width) of the network's input, then of the output.
SIZES = [(64, 64, 64, 64), (50, 70, 35, 49), (64, 40, 190, 161), (33, 95, 33, 95), (64, 64, 480, 640)]
# What presets need that differs from those that are used with a threshold on scores of a random network.
EASY = {"MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH": 0.3}


@SEM_SEG_HEADS_REGISTRY.register()
class HeadOfOnesOwn(SemSegFPNHead):
    """A head that does something else after its layers."""

    def forward(self, features, targets=None):
        logits, losses = super().forward(features, targets)
        return -logits, losses


@SEM_SEG_HEADS_REGISTRY.register()
class SameHead(SemSegFPNHead):
    """Detectron2's, but no longer known to be: the model takes its logits as they come, enlarged at once."""


def run(model, batch):
    with torch.no_grad():
        return model([dict(record) for record in batch])


def assert_valid(panoptic_seg, segments_info):
    """Ids are 1 to n, and areas are those of the map."""
    assert panoptic_seg.dtype == torch.int32
    areas = torch.bincount(panoptic_seg.flatten(), minlength=1)[1:].tolist()
    assert [segment["id"] for segment in segments_info] == list(range(1, len(areas) + 1))
    assert [segment["area"] for segment in segments_info] == areas
    assert all(areas)


@pytest.mark.parametrize("head", ["SemSegFPNHead", "HeadOfOnesOwn"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_panoptic_map_alone_is_the_same_map(size, head):
    cfg = small_config({"MODEL.SEM_SEG_HEAD.NAME": head})
    model, batch = small_model(cfg), records(size)
    full = run(model, batch)[0]
    alone = small_model(small_config({"MODEL.SEM_SEG_HEAD.NAME": head, OUTPUTS: ["panoptic_seg"]}))
    assert set(full) == set(ALL)
    [found] = run(alone, batch)
    assert set(found) == {"panoptic_seg"}
    assert torch.equal(found["panoptic_seg"][0], full["panoptic_seg"][0])
    assert found["panoptic_seg"][1] == full["panoptic_seg"][1]
    assert {segment["isthing"] for segment in full["panoptic_seg"][1]} == {True, False}


@pytest.mark.parametrize("names", [c for n in (1, 2, 3) for c in itertools.combinations(ALL, n)], ids=str)
def test_what_is_asked_for_is_returned_and_equal(names):
    batch = records((50, 70, 35, 49))
    full = run(small_model(small_config()), batch)[0]
    found = run(small_model(small_config({OUTPUTS: list(names)})), batch)[0]
    assert tuple(found) == names
    if "sem_seg" in names:
        assert torch.equal(found["sem_seg"], full["sem_seg"])
    if "instances" in names:
        assert torch.equal(found["instances"].pred_masks, full["instances"].pred_masks)
        assert set(found["instances"].get_fields()) == {"pred_masks", "pred_boxes", "scores", "pred_classes"}
    if "panoptic_seg" in names:
        assert torch.equal(found["panoptic_seg"][0], full["panoptic_seg"][0])


@pytest.mark.parametrize("preset, threads", [("detectron2", 1), ("detectron2", 2), ("kmax", 1)])
def test_large_logits_are_enlarged_in_parts_with_the_same_bits(preset, threads, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    in_turn, parted = Upsampling.planes_in_turn, []
    monkeypatch.setattr(
        Upsampling, "planes_in_turn", lambda self, logits: parted.append(logits.shape) or in_turn(self, logits)
    )
    try:
        batch = records((140, 190, 210, 150), (160, 150, 160, 150))
        settings = {**EASY, PRESET: preset}
        found = run(small_model(small_config(settings)), batch)
        assert len(parted) == 2
        expected = run(small_model(small_config({**settings, "MODEL.SEM_SEG_HEAD.NAME": "SameHead"})), batch)
        assert len(parted) == 2
    finally:
        torch.set_num_threads(before)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one["sem_seg"], other["sem_seg"]) and one["sem_seg"].is_contiguous()
        assert torch.equal(one["panoptic_seg"][0], other["panoptic_seg"][0])
        assert one["panoptic_seg"][1] == other["panoptic_seg"][1]


@pytest.mark.parametrize("name", ["half precision", "channels last", "a small image among large ones"])
def test_logits_are_enlarged_at_once_where_parts_might_differ(name, monkeypatch):
    batch = records((140, 190, 210, 150), (160, 150, 100 if name.startswith("a small") else 160, 150))
    models = [small_model(small_config({"MODEL.SEM_SEG_HEAD.NAME": head})) for head in ("SemSegFPNHead", "SameHead")]
    for model in models:
        layers = model.sem_seg_head.layers
        if name == "half precision":
            monkeypatch.setattr(model.sem_seg_head, "layers", lambda features, layers=layers: layers(features).half())
        elif name == "channels last":
            monkeypatch.setattr(
                model.sem_seg_head,
                "layers",
                lambda features, layers=layers: layers(features).to(memory_format=torch.channels_last),
            )
    found, expected = (run(model, batch) for model in models)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one["sem_seg"], other["sem_seg"])
        assert torch.equal(one["panoptic_seg"][0], other["panoptic_seg"][0])


def test_masks_below_the_threshold_are_not_pasted_for_the_map_alone(monkeypatch):
    pasted = []
    real = raw_outputs.InstanceSet.from_rois.__func__

    def from_rois(cls, *arguments, **keywords):
        made = real(cls, *arguments, **keywords)
        crops = made.crops
        made.crops = lambda indices: (pasted.extend(indices), crops(indices))[1]
        return made

    monkeypatch.setattr(raw_outputs.InstanceSet, "from_rois", classmethod(from_rois))
    model = small_model(small_config({OUTPUTS: ["panoptic_seg"]}))
    batch = records((64, 64, 64, 64))
    with torch.no_grad():
        [raw], _ = model.inference(batch, do_postprocess=False)
    run(model, batch)
    above = int((raw.scores.double() >= model.pipeline.instances_score_thresh).sum())
    assert 0 < above < len(raw)
    assert len(set(pasted)) == above


@pytest.mark.parametrize("names", [ALL, ALL[2:]])
def test_what_the_network_gave_is_not_changed(names):
    model = small_model(small_config({**EASY, OUTPUTS: names}))
    with torch.no_grad():
        [raw], [logits] = model.inference(records((64, 64, 64, 64)), do_postprocess=False)
    before = {name: copy.deepcopy(value) for name, value in raw.get_fields().items()}
    # Twice as large, so that boxes that are scaled in place would differ.
    first, second = (model.postprocess(raw, logits, (128, 128)) for _ in range(2))
    assert len(raw) and raw.get_fields().keys() == before.keys()
    assert torch.equal(raw.pred_boxes.tensor, before["pred_boxes"].tensor)
    assert torch.equal(raw.pred_masks, before["pred_masks"])
    assert torch.equal(first["panoptic_seg"].panoptic_seg, second["panoptic_seg"].panoptic_seg)


@pytest.mark.parametrize("value", [[], ["panoptic"], [3], ("panoptic_seg", "masks")], ids=str)
def test_wrong_names_are_refused(value):
    with pytest.raises(InputError, match=f"{OUTPUTS} must be a list of one or more of sem_seg, instances, pan"):
        load_config(str(SHAPES_CONFIG), [OUTPUTS, value])


@pytest.fixture(scope="module", params=list(PRESETS))
def of_preset(request):
    """Two models of a preset: all outputs, and the map alone."""
    return [small_model(small_config({**EASY, PRESET: request.param, OUTPUTS: names})) for names in (ALL, ALL[2:])]


class TestEveryPreset:
    def test_a_batch_of_any_size_on_the_cpu(self, of_preset):
        batch = records((64, 64, 64, 64), (50, 70, 35, 49), (33, 95, 60, 180))
        results = [[run(model, batch[:count]) for count in (0, 1, 3)] for model in of_preset]
        for full, alone in zip(*results, strict=True):
            assert len(full) == len(alone)
            for one, other in zip(full, alone, strict=True):
                assert_valid(*one["panoptic_seg"])
                assert torch.equal(one["panoptic_seg"][0], other["panoptic_seg"][0])
        assert [segment for one in results[0][2] for segment in one["panoptic_seg"][1]]

    def test_in_inference_mode(self, of_preset):
        batch = records((50, 70, 35, 49))
        for model in of_preset:
            expected = run(model, batch)[0]["panoptic_seg"]
            with torch.inference_mode():
                found = model([dict(record) for record in batch])[0]["panoptic_seg"]
            assert torch.equal(found[0], expected[0]) and found[1] == expected[1]

    def test_in_mixed_precision(self, of_preset):
        for model in of_preset:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                outputs = model([dict(record) for record in records((50, 70, 35, 49), (64, 64, 64, 64))])
            for output in outputs:
                assert_valid(*output["panoptic_seg"])

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_heads_in_half_precision_are_cast_up(self, of_preset, dtype):
        for model in of_preset:
            for stride in (None,) if model.postprocess.needs_all_logits else (None, 4):
                instances, logits = head_outputs(dtype)
                image = torch.zeros(35, 49, 3, dtype=torch.uint8)
                result = model.postprocess(
                    instances, logits[:, ::4, ::4] if stride else logits, (35, 49), stride=stride, image=image
                )["panoptic_seg"]
                assert_valid(result.panoptic_seg, result.segments_info)

    @pytest.mark.parametrize("empty", ["no instances", "no stuff", "nothing"])
    def test_empty_heads(self, of_preset, empty):
        instances, logits = head_outputs(torch.float32)
        if empty != "no stuff":
            instances = instances[torch.zeros(len(instances), dtype=torch.bool)]
        if empty != "no instances":
            # The first label is the one of things.
            logits = logits - 100 * (torch.arange(NUM_LABELS) > 0).float()[:, None, None]
        for model in of_preset:
            result = model.postprocess(instances, logits, (35, 49))["panoptic_seg"]
            assert_valid(result.panoptic_seg, result.segments_info)
            kinds = {segment["isthing"] for segment in result.segments_info}
            assert kinds <= {"no instances": {False}, "no stuff": {True, False}, "nothing": {False}}[empty]


def head_outputs(dtype):
    """Instances and logits of a network's input of 50x70 pixels, padded to 64x96."""
    generator = torch.Generator().manual_seed(5)
    instances = Instances((50, 70))
    corners = torch.rand(12, 2, generator=generator) * 30
    instances.pred_boxes = Boxes(
        torch.cat([corners, corners + 10 + torch.rand(12, 2, generator=generator) * 30], dim=1)
    )
    instances.pred_masks = torch.rand(12, 1, 28, 28, generator=generator).to(dtype)
    instances.scores = torch.linspace(1.0, 0.3, 12).to(dtype)
    instances.pred_classes = torch.arange(12) % 3
    logits = 4 * torch.randn(NUM_LABELS, 64, 96, generator=generator)
    return instances, logits.to(dtype)


def test_the_image_comes_at_output_size_as_rgb(monkeypatch):
    seen = []
    monkeypatch.setattr(postprocess, "fuse", lambda *inputs: seen.append(inputs[-1]) or FUSE(*inputs))
    model = small_model(small_config({"MODEL.PANOPTIC_FUSION.BORDER.NAME": "guided_filter"}))
    [record] = records((64, 64, 90, 61))
    record["image"] = torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None, None].expand(3, 64, 64)
    run(model, [record])
    assert (model.input_format, seen[0].shape, seen[0].dtype) == ("BGR", (90, 61, 3), torch.uint8)
    assert seen[0][0, 0].tolist() == [30, 20, 10]


FUSE = postprocess.fuse
