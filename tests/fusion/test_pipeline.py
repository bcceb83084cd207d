"""The parts of a pipeline: rules by their names, and thresholds."""

import pytest

from panoptic_heuristic import fusion
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import CLAIM_REGISTRY, STAGES, ByScore, Greedy, NoSuppression, Pipeline

NAMES = {
    "suppress": {"none": "NoSuppression", "nms": "Nms", "semantic_gate": "SemanticGate"},
    "order": {"score": "ByScore", "calibrated": "Calibrated", "power": "Power"},
    "claim": {
        "greedy": "Greedy",
        "per_pixel": "PerPixel",
        "class_aware": "ClassAware",
        "reclaim": "Reclaim",
        "pixel_argmax": "PixelArgmax",
        "joint_list": "JointList",
        "logit_sum": "LogitSum",
        "adaptive": "Adaptive",
    },
    "veto": {"none": "NoVeto", "semantic_veto": "SemanticVeto"},
    "stuff": {"void": "DroppedToVoid", "next_best": "NextBest"},
    "leftover": {"void": "LeftToVoid", "best_stuff": "BestStuff", "components": "Components"},
    "border": {"none": "NoRefinement", "dense_crf": "DenseCrf", "guided_filter": "GuidedFilter"},
}


def test_the_default_is_detectron2s():
    assert Pipeline() == Pipeline(Greedy(overlap_threshold=0.5), instances_score_thresh=0.5, stuff_area_thresh=4096)
    assert (Pipeline().stuff_area_fraction, Pipeline().order, Pipeline().suppress) == (0, ByScore(), NoSuppression())


@pytest.mark.parametrize("stage", STAGES)
def test_the_rules_go_by_their_names_in_yaml(stage):
    for name, rule in NAMES[stage].items():
        assert STAGES[stage].get(name) is getattr(fusion, rule)
    assert f"{stage.capitalize()} rules" in STAGES[stage].__doc__


def test_an_unknown_rule_is_an_error():
    with pytest.raises(KeyError, match="gready"):
        CLAIM_REGISTRY.get("gready")


@pytest.mark.parametrize(
    "stage, rule, example",
    [("claim", "greedy", "Greedy"), ("order", "score", "ByScore"), ("suppress", None, "NoSuppression")],
)
def test_what_is_no_rule_is_refused_at_once(stage, rule, example):
    with pytest.raises(InputError, match=rf"{stage} must be a rule such as {example}\(\), got {rule!r}"):
        Pipeline(**{stage: rule})


def test_the_score_that_an_instance_needs_depends_on_its_category():
    pipeline = Pipeline(instances_score_thresh=0.3, instances_score_thresh_of={4: 0.2, 5: 0.9})
    assert [pipeline.instances_score_thresh_for(category_id) for category_id in (3, 4, 5)] == [0.3, 0.2, 0.9]
    assert pipeline.lowest_score_thresh == 0.2
    assert Pipeline(instances_score_thresh=0.3, instances_score_thresh_of={4: 0.4}).lowest_score_thresh == 0.3
