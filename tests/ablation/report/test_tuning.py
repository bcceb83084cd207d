import json

import pytest

from panoptic_heuristic.ablation.report.document import Code, Facts, Heading, Table, Text
from panoptic_heuristic.ablation.report.tuning import read_tuning
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Calibrated, Greedy, Pipeline
from tests.ablation.report_sweeps import GREEDY, drawn_sweep, small_store, swept


def gain(*values):
    """The entry of a gain in the file."""
    return dict(zip(("against", "held_out", "interval", "tuning", "overfit"), values, strict=True))


def one(pq, *gains, to_best=None):
    """The entry of a pipeline in the file."""
    return {"pq": pq, "pq_things": pq - 1, "pq_stuff": None, "gains": [gain(*values) for values in gains],
            "to_best": to_best and gain(*to_best)}  # fmt: skip


OWN = Pipeline(stuff_area_thresh=70)
PER_CLASS = Pipeline(Greedy(0.35, overlap_threshold_of={0: 0.1}), 0.4, 0, 0.01, instances_score_thresh_of={0: 0.3})
DRAWN = {
    "format": 5,
    "base": None,
    "caches": [{"dataset_name": "drawn", "predictions": {"made by": "hand"}}],
    "how": {"folds": 5, "seed": 0},
    "chosen": "per_class",
    "default": {"meaning": "the model's own settings"},
    "baselines": {
        "default": OWN.to_mapping(),
        "start": Pipeline().to_mapping(),
        "scaled": Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.0133).to_mapping(),
    },
    # As the file has them, in the order of the alphabet.
    "held_out": {
        "calibrated": one(42.5, ("default", 2.5, [1, 4], 2.9, 0.4), ("scaled", 2.3, [1, 3], 3.0, 0.7)),
        "default": one(40.0, to_best=("calibrated", -2.5, [-4, -1], 0, 0)),
        "global": one(
            41.0, ("default", 1.0, [0.5, 1.5], 1.2, 0.2), ("scaled", 0.8, None, 1.0, 0.2),
            to_best=("calibrated", -1.5, None, 0, 0),
        ),
        "per_class": one(
            42.0, ("default", 2.0, [1, 3], 2.2, 0.2), ("scaled", 1.8, [-0.5, 3], 2.5, 0.7),
            ("global", 1.0, [0, 2], 1, 0), to_best=("calibrated", -0.5, [-1, 0.25], 0, 0),
        ),
        "scaled": one(40.2, ("default", 0.2, [0.1, 0.3], 0.3, 0.1), ("start", 4, None, 0, 0)),
        "start": one(36.2, ("default", -3.8, [-4, -3], 0.3, 0.1)),
    },
    "splits": [{"held_out": [3, 4, 8]}, {"held_out": [1]}],
    "outcome": {"pipelines": {"per_class": PER_CLASS.to_mapping(), "global": Pipeline(Greedy(0.3)).to_mapping()}},
}  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    return drawn_sweep(tmp_path / "sweep", GREEDY, [(0.5, 0.5)] * len(GREEDY))


@pytest.fixture
def read(tmp_path, sweep):
    def read_with(**changes):
        path = tmp_path / "tuning.json"
        path.write_text(json.dumps({**DRAWN, **changes}))
        return read_tuning(path, sweep)

    return read_with


def of_kind(kind, blocks):
    return [block for block in blocks if isinstance(block, kind)]


def rows(blocks, place=0):
    return [row.cells for row in of_kind(Table, blocks)[place].rows]


def test_it_opens_with_the_gain_over_the_default(read):
    tuning = read()
    assert tuning.summary == (
        "Recommended: per_class, +2.00 [+1.00, +3.00] PQ over the default (95 % interval) on held-out images: "
        "42.00 instead of 40.00."
    )
    (facts,) = of_kind(Facts, tuning.opening)
    assert [(fact.value, fact.note) for fact in facts.facts] == [
        ("42.00", "per_class"), ("40.00", "on 4 held-out images"), ("+2.00", "95 % interval [+1.00, +3.00]")
    ]  # fmt: skip
    assert of_kind(Text, tuning.opening)[0].text == (
        "On held-out images it is surely better than the default; what is simpler is not, or is more than a standard "
        "error below the best, calibrated (−0.50 [−1.00, +0.25]). "
        "The default is greedy, instances_score_thresh 0.5, overlap_threshold 0.5, "
        "stuff_area_thresh 70 (the model's own settings)."
    )
    assert (tuning.default.pipeline, tuning.chosen, tuning.pipeline) == (OWN, "per_class", PER_CLASS)
    assert tuning.changes_something


def test_keys_are_as_detectron2_spells_them(read):
    assert rows(read().opening) == [
        ("MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH", "0.5", "0.35"),
        ("MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT", "70", "0"),
        ("MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH", "0.5", "0.4"),
        ("MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION", "0", "0.01"),
        ("MODEL.PANOPTIC_FUSION.PER_CLASS", "none", "of 1 class"),
    ]


@pytest.mark.parametrize(
    "base, predictions, command",
    [
        ("../run/config.yaml", {"config": {}, "weights": "best.pth"},
         "panoptic-heuristic train-net --eval-only --config-file {folder}/tuned.yaml MODEL.WEIGHTS best.pth"),
        (None, {"config": {}, "weights": "best.pth"}, None),
        (None, {"files_sha256": {}},
         "panoptic-heuristic fuse-predictions --images IMAGES.json --instances INSTANCES.json --semantics SEMANTICS "
         "--config-file {folder}/tuned.yaml --output fused"),
    ],
)  # fmt: skip
def test_the_command_and_the_yaml_to_paste(read, sweep, tmp_path, base, predictions, command):
    sweep.manifest["predictions"] = predictions
    opening = read(base=base, caches=[{"dataset_name": "drawn", "predictions": predictions}]).opening
    *commands, yaml = of_kind(Code, opening)
    assert [one.text for one in commands] == ([] if command is None else [command.format(folder=tmp_path)])
    assert "builds on no config" in of_kind(Text, opening)[-1].text or command
    (tmp_path / "pasted.yaml").write_text(yaml.text)
    assert Pipeline.from_file(tmp_path / "pasted.yaml", sweep.categories) == PER_CLASS
    assert "META_ARCHITECTURE: PanopticHeuristicFPN" in yaml.text and yaml.folded


def test_the_default_stays_where_nothing_is_surely_better(read):
    tuning = read(chosen="default")
    assert tuning.summary == "Recommended: the default, as it is. Nothing is surely better on held-out images."
    assert of_kind(Text, tuning.opening)[0].text.startswith("No gain on held-out images has an interval above 0. ")
    assert not tuning.changes_something and not of_kind(Code, tuning.opening) and not of_kind(Table, tuning.opening)
    (facts,) = of_kind(Facts, tuning.opening)
    assert [fact.value for fact in facts.facts] == ["40.00"]


def test_the_best_itself(read):
    held_out = {**DRAWN["held_out"], "per_class": one(42.0, ("default", 2.0, [1, 3], 2.2, 0.2))}
    text = of_kind(Text, read(held_out=held_out).opening)[0].text
    assert "or is more than a standard error below it, the best. The default is" in text


def test_stages_in_their_order_with_their_gains(read):
    assert rows(read().blocks) == [
        ("default", "40.00", "39.00", "–", "", "", "", "", "−2.50 [−4.00, −1.00]", "", ""),
        ("start", "36.20", "35.20", "–", "−3.80 [−4.00, −3.00]", "", "", "", "", "", ""),
        ("scaled", "40.20", "39.20", "–", "+0.20 [+0.10, +0.30]", "+4.00", "", "", "", "", ""),
        ("global", "41.00", "40.00", "–", "+1.00 [+0.50, +1.50]", "", "+0.80", "", "−1.50", "+1.00", "+0.20"),
        ("per_class", "42.00", "41.00", "–", "+2.00 [+1.00, +3.00]", "", "+1.80 [−0.50, +3.00]",
         "+1.00 [0.00, +2.00]", "−0.50 [−1.00, +0.25]", "+2.50", "+0.70"),
        ("calibrated", "42.50", "41.50", "–", "+2.50 [+1.00, +4.00]", "", "+2.30 [+1.00, +3.00]", "", "", "+3.00",
         "+0.70"),
    ]  # fmt: skip
    (table,) = of_kind(Table, read().blocks)
    assert [row.mark for row in table.rows] == ["", "", "", "", "recommended", ""]


def test_the_values(read):
    assert read().blocks[-1].text == (
        "The recommended settings, per_class, are in the end: greedy, instances_score_thresh 0.4, "
        "overlap_threshold 0.35, stuff_area_fraction 0.01; values of their own for 1 class. Their file is tuned.yaml."
    )


@pytest.mark.parametrize(
    "how, text",
    [
        ({"folds": 5, "seed": 0}, "Each of 5 folds of the images was scored with what was tuned on the others."),
        ({"tuning_images": 1, "seed": 0}, "Tuned on 1 image and scored on the others."),
        ({"folds": 5, "groups": 9, "seed": 0},
         "Each of 5 folds of the images was scored with what was tuned on the others. No group of images, of 9, was "
         "parted. Gains have 95 % intervals over the held-out groups."),
    ],
)  # fmt: skip
def test_how_images_were_held_out(read, how, text):
    assert read(how=how).blocks[1].text.startswith(text)


FITTED = Pipeline(
    Greedy(0.1), 0.02, 0, 0.01,
    order=Calibrated({0: (-1.5, 1.0, 0.75, 0.0, -0.5)}, {0: 0.25}, (-1.0, 1.0, 0.75, 0.0, -0.5), 0.3125),
)  # fmt: skip


@pytest.mark.parametrize(
    "form, meaning", [("shared", "All classes share its weights;"), ("per-class", "Each class with examples enough")]
)
def test_the_calibrated_probability(read, form, meaning):
    bins = [
        {"low": 0.0, "high": 0.1, "instances": 1200, "predicted": 0.031, "observed": 0.0275},
        {"low": 0.1, "high": 0.2, "instances": 0, "predicted": None, "observed": None},
    ]
    calibration = {"examples": {"0": [1500, 40]}, "expected_iou": {"0": 0.7}, "default_expected_iou": 0.8}
    outcome = {"pipelines": {"calibrated": FITTED.to_mapping()}, "calibration": calibration}
    pipelines = {**DRAWN["outcome"]["pipelines"], **outcome["pipelines"]}
    tuning = read(calibration=form, reliability=bins, outcome={**outcome, "pipelines": pipelines})
    place = tuning.blocks.index(Heading("Calibrated probability"))
    assert meaning in tuning.blocks[place + 1].text
    assert rows(tuning.blocks[place:]) == [
        ("cat", "1,500", "40", "−1.50", "+1.00", "+0.75", "0.00", "−0.50", "0.70", "0.25"),
        ("all others", "", "", "−1.00", "+1.00", "+0.75", "0.00", "−0.50", "0.80", "0.312"),
    ]
    assert rows(tuning.blocks[place:], 1) == [("0 to 0.1", "1,200", "0.03", "0.03"), ("0.1 to 0.2", "0", "–", "–")]


def test_without_the_stage_nothing_is_said_of_it(read):
    assert Heading("Calibrated probability") not in read().blocks


def test_a_sweep_of_any_of_the_caches_will_do(read):
    other = {"dataset_name": "drawn", "predictions": {"made by": "others"}}
    assert read(caches=[other, *DRAWN["caches"]]).chosen == "per_class"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 4}, "is no tuning of format 5 .it says 4.; make it anew"),
        ({"caches": [{"dataset_name": "drawn", "predictions": {}}]}, "is of other predictions than"),
        ({"caches": [{"dataset_name": "another", "predictions": {"made by": "hand"}}]}, "is of other predictions than"),
        ({"chosen": "none"}, "tuning.json, outcome, pipelines: 'none' is not among what it has; make it anew"),
    ],
)
def test_something_else_is_refused(read, changes, message):
    with pytest.raises(InputError, match=message):
        read(**changes)


def test_what_tuning_writes_is_understood(tmp_path):
    store = small_store(tmp_path)
    tune(store, stages=("global",), folds=2).write(tmp_path / "tuned")
    tuning = read_tuning(tmp_path / "tuned" / "tuning.json", swept(tmp_path / "sweep", store, GREEDY))
    assert [row[0] for row in rows(tuning.blocks)] == ["default", "scaled", "global"]
    assert tuning.default.pipeline == Pipeline()
