from pathlib import Path

from panoptic_heuristic.ablation.tuning.usage import ChangedKey, changed_keys, evaluating_command
from panoptic_heuristic.fusion import Greedy, GuidedFilter, PerPixel, Pipeline
from tests.ablation.random_images import CATEGORIES

COMBINE = "MODEL.PANOPTIC_FPN.COMBINE."


def test_nothing_changes():
    assert changed_keys(Pipeline(Greedy(0.4)), Pipeline(Greedy(0.4)), CATEGORIES) == []


def test_thresholds_and_values_of_classes():
    after = Pipeline(Greedy(0.4), 0.25, 81, instances_score_thresh_of={0: 0.3, 5: 0.2})
    assert changed_keys(Pipeline(), after, CATEGORIES) == [
        (f"{COMBINE}OVERLAP_THRESH", "0.5", "0.4"),
        (f"{COMBINE}STUFF_AREA_LIMIT", "4096", "81"),
        (f"{COMBINE}INSTANCES_CONFIDENCE_THRESH", "0.5", "0.25"),
        ("MODEL.PANOPTIC_FUSION.PER_CLASS", "none", "of 2 classes"),
    ]


def test_another_rule_has_other_keys():
    assert changed_keys(Pipeline(), Pipeline(PerPixel()), CATEGORIES) == [
        ChangedKey(f"{COMBINE}OVERLAP_THRESH", "0.5", None),
        ChangedKey("MODEL.PANOPTIC_FUSION.CLAIM.NAME", "greedy", "per_pixel"),
    ]


def test_the_command_is_that_of_what_made_the_predictions():
    path, model = Path("a folder/tuned.yaml"), {"config": {}, "weights": "model_best.pth"}
    assert evaluating_command(path, Pipeline(), has_base=True, predictions=model) == (
        "panoptic-heuristic train-net --eval-only --config-file 'a folder/tuned.yaml' MODEL.WEIGHTS model_best.pth"
    )
    assert evaluating_command(path, Pipeline(), has_base=False, predictions=model) is None
    files = evaluating_command(path, Pipeline(), has_base=False, predictions={"files_sha256": {}})
    assert files.startswith("panoptic-heuristic fuse-predictions ") and "--config-file 'a folder/tuned.yaml'" in files
    assert "--image-root" not in files


def test_rules_that_look_at_images_need_their_folder():
    files = evaluating_command(Path("t.yaml"), Pipeline(border=GuidedFilter()), has_base=False, predictions={})
    assert files.endswith(" --semantics SEMANTICS --image-root IMAGES --config-file t.yaml --output fused")
