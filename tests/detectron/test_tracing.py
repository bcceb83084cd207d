"""What can be traced is the network; post-processing and fusing refuse it."""

import json
import re
from pathlib import Path

import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import InstanceSet, SemanticMap, fuse
from tests.detectron.small_models import records, small_config, small_model
from tests.fusion.drawings import CAT, CATEGORIES, SKY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"


class Wrapped(torch.nn.Module):
    """The panoptic map as a function of an image alone."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return self.model([{"image": image}])[0]["panoptic_seg"][0]


@pytest.fixture(scope="module")
def model():
    return small_model(small_config())


@pytest.fixture(scope="module")
def documented():
    """The functions that the page defines, without the lines at its end that build a model of their own."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {}
    exec(compile(code[: code.index("cfg, _ =")], "docs/deploy.md", "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record", [torch.jit.trace, torch.export.export, torch.jit.script])
def test_post_processing_is_refused_in_one_sentence(model, record):
    image = records((64, 64, 64, 64))[0]["image"].float()
    arguments = {torch.jit.trace: [image], torch.export.export: [(image,)], torch.jit.script: []}[record]
    with torch.no_grad(), pytest.raises(InputError, match=r"inference\(\.\.\., do_postprocess=False\)") as caught:
        record(Wrapped(model), *arguments)
    assert "\n" not in str(caught.value)
    # Nothing of it stays behind.
    assert model([{"image": image}])[0]["panoptic_seg"][0].shape == (64, 64)


@pytest.mark.filterwarnings("ignore")
def test_fuse_is_refused_too():
    def fused(labels):
        instances = InstanceSet.from_bitmaps(torch.ones(1, 4, 4, dtype=torch.bool), [0.9], [CAT])
        return fuse(instances, SemanticMap(labels, {0: SKY}), CATEGORIES).panoptic_seg

    labels = torch.zeros(4, 4, dtype=torch.int64)
    with pytest.raises(InputError, match="fuse depends on the values of its input, so it cannot be traced"):
        torch.jit.trace(fused, labels)
    assert fused(labels).tolist() == [[1] * 4] * 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "preset, example", [("detectron2", 0), ("jsis", 1)], ids=["traced without an instance", "traced with many"]
)
def test_the_documented_trace_gives_the_models_maps_on_other_images(documented, tmp_path, monkeypatch, preset, example):
    """``jsis`` needs logits and RoI probabilities."""
    monkeypatch.chdir(tmp_path)
    keys = {"MODEL.PANOPTIC_FUSION.PRESET": preset, "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.8}
    model = small_model(small_config(keys))
    documented["save"](model, records((64, 64, 64, 64), seed=example)[0]["image"].float())
    network, rules = torch.jit.load("network.pt"), json.loads(Path("fusion.json").read_text())
    segments, found = 0, set()
    sizes = [(64, 64, 64, 64)] * 3 + [(96, 64, 96, 64), (50, 70, 101, 33), (70, 40, 35, 20)]
    for seed, size in enumerate(sizes):
        [record] = records(size, seed=seed)
        with torch.no_grad():
            [output] = model([record])
        expected, expected_segments = output["panoptic_seg"]
        result = documented["run"](network, rules, record["image"].float(), size[2:])
        assert torch.equal(result.panoptic_seg, expected)
        assert [segment["area"] for segment in result.segments_info] == [one["area"] for one in expected_segments]
        segments += len(expected_segments)
        found.add(len(output["instances"]))
    # Numbers of instances that differ are the trap: a plain trace keeps that of its example.
    assert segments > 8 and 0 in found and len(found) > 2
