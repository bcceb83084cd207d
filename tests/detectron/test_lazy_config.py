"""PanopticHeuristicFPN made of explicit arguments, directly and by LazyConfig."""

from pathlib import Path

import pytest
import torch

from panoptic_heuristic.detectron import ContiguousIds, PanopticHeuristicFPN
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.fusion import Components, Greedy, Pipeline
from tests.detectron.small_models import records, small_config, small_model

from detectron2.data import MetadataCatalog  # isort: skip  after small_models, which makes it importable

try:
    from detectron2.config import LazyConfig, instantiate

    from tests.detectron.lazy_models import lazy_panoptic_fpn
except ImportError as error:
    _WITHOUT_LAZY_CONFIG = f"this Detectron2 has no LazyConfig that works: {error}"
else:
    _WITHOUT_LAZY_CONFIG = ""

needs_lazy_config = pytest.mark.skipif(bool(_WITHOUT_LAZY_CONFIG), reason=_WITHOUT_LAZY_CONFIG)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_project.md"
DATASET = "pets_val_separated"


def explicit(model, **changes):
    """The arguments of a model, as a LazyConfig gives them."""
    arguments = {
        "backbone": model.backbone,
        "proposal_generator": model.proposal_generator,
        "roi_heads": model.roi_heads,
        "sem_seg_head": model.sem_seg_head,
        "pixel_mean": model.pixel_mean.flatten().tolist(),
        "pixel_std": model.pixel_std.flatten().tolist(),
        "input_format": "BGR",
        "pipeline": model.pipeline,
        "ids": model.ids,
    }
    return {**arguments, **changes}


@pytest.fixture(scope="module")
def model():
    return small_model(small_config())


def register_pets():
    MetadataCatalog.get(DATASET).set(
        thing_classes=["cat", "dog"],
        stuff_classes=["things", "sky", "grass"],
        thing_dataset_id_to_contiguous_id={1: 0, 2: 1},
        stuff_dataset_id_to_contiguous_id={1: 0, 2: 0, 3: 1, 4: 2},
    )


def test_explicit_arguments_give_the_map_of_a_config(model):
    made = PanopticHeuristicFPN(**explicit(model)).eval()
    batch = records((64, 64, 64, 64), (50, 70, 35, 49))
    with torch.no_grad():
        for ours, expected in zip(made(batch), model(batch), strict=True):
            assert torch.equal(ours["panoptic_seg"][0], expected["panoptic_seg"][0])
            assert ours["panoptic_seg"][1] == expected["panoptic_seg"][1] != []


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"map_format": "coco"}, "map_format must be one of segments, label_divisor, got 'coco'"),
        ({"outputs": ["panoptic"]}, "outputs must be one or more of sem_seg, instances, panoptic_seg, got "),
        ({"outputs": []}, "outputs must be one or more of"),
        ({"ids": ContiguousIds.of_counts(4, 5)}, "roi_heads has 3 classes, but the data set of the argument ids needs"),
        ({"ids": ContiguousIds.of_counts(3, 6)}, "sem_seg_head has 5 classes, but the data set of the argument ids"),
        ({"pipeline": Pipeline(Greedy(0.5, {99: 0.25}))}, "category 99"),
        (
            {"pipeline": Pipeline(leftover=Components())},
            "needs semantic labels of single things, but the semantic head has one label for all things",
        ),
        ({"combine_overlap_thresh": 0.7}, "combine_overlap_thresh means nothing to PanopticHeuristicFPN"),
    ],
)
def test_what_does_not_fit_is_refused(model, changes, words):
    with pytest.raises(InputError) as caught:
        PanopticHeuristicFPN(**explicit(model, **changes))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_ids_of_a_data_set():
    with pytest.raises(InputError, match=f"the data set {DATASET} has no panoptic metadata; register it before"):
        ContiguousIds.of_dataset(DATASET)
    register_pets()
    ids = ContiguousIds.of_dataset(DATASET)
    assert (ids.things, ids.labels) == ((1, 2), (None, 3, 4))
    expected = Categories.from_lists(things=["cat", "dog"], stuff=["sky", "grass"])
    assert [(one.id, one.name, one.isthing) for one in ids.categories.values()] == [
        (one.id, one.name, one.isthing) for one in expected.values()
    ]


@needs_lazy_config
def test_the_documented_lines_make_a_model(monkeypatch, tmp_path):
    """Also of the file in which Detectron2 saves a config."""
    section = PAGE.read_text(encoding="utf-8").partition("## LazyConfig")[2]
    code = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    names = {}
    zoo = type("Zoo", (), {"model": lazy_panoptic_fpn(things=2, labels=3)})
    monkeypatch.setattr("detectron2.model_zoo.get_config", {"common/models/panoptic_fpn.py": zoo}.__getitem__)
    exec(compile(code, "docs/own_project.md", "exec"), names)
    register_pets()
    LazyConfig.save(LazyConfig.apply_overrides(names["model"], []), str(tmp_path / "config.yaml"))
    saved = LazyConfig.load(str(tmp_path / "config.yaml"))
    for made in map(instantiate, (names["model"], saved)):
        assert type(made) is PanopticHeuristicFPN
        assert made.pipeline == Pipeline.preset("rap") and made.ids == ContiguousIds.of_dataset(DATASET)
        with torch.no_grad():
            [output] = made.eval()(records((64, 64, 40, 50)))
        panoptic_seg, segments_info = output["panoptic_seg"]
        assert panoptic_seg.shape == (40, 50) and set(output) == {"sem_seg", "instances", "panoptic_seg"}
        assert {segment["category_id"] for segment in segments_info} <= {0, 1, 2}
