import json

import pytest

from panoptic_heuristic.ablation.report.document import Table
from panoptic_heuristic.ablation.report.tuning import read_tuning
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, Pipeline
from tests.ablation.report_sweeps import GREEDY, drawn_sweep, small_store, swept


def one(pq, *gains):
    """The entry of a pipeline in the file."""
    keys = ("against", "held_out", "interval", "tuning", "overfit")
    gains = [dict(zip(keys, gain, strict=True)) for gain in gains]
    return {"pq": pq, "pq_things": pq - 1, "pq_stuff": None, "gains": gains}


DRAWN = {
    "format": 2,
    "dataset_name": "drawn",
    "predictions": {"made by": "hand"},
    "how": {"folds": 5, "seed": 0},
    "chosen": "per_class",
    "baselines": {
        "default": Pipeline().to_mapping(),
        "scaled": Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.0133).to_mapping(),
    },
    # As the file has them, in the order of the alphabet.
    "held_out": {
        "default": one(40.0),
        "global": one(41.0, ("default", 1.0, [0.5, 1.5], 1.2, 0.2), ("scaled", 0.8, None, 1.0, 0.2)),
        "per_class": one(
            42.0, ("default", 2.0, [1, 3], 2.2, 0.2), ("scaled", 1.8, [-0.5, 3], 2.5, 0.7),
            ("global", 1.0, [0, 2], 1, 0),
        ),
        "scaled": one(40.2, ("default", 0.2, [0.1, 0.3], 0.3, 0.1)),
    },
    "outcome": {
        "pipelines": {
            "per_class": Pipeline(
                Greedy(0.35, overlap_threshold_of={4: 0.1}), 0.4, 0, 0.01,
                instances_score_thresh_of={2: 0.3, 4: 0.6},
            ).to_mapping(),
        },
    },
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


def table(tuning):
    return next(block for block in tuning.blocks if isinstance(block, Table))


def test_stages_in_their_order_with_their_gains(read):
    assert [row.cells for row in table(read()).rows] == [
        ("default", "40.00", "39.00", "–", "", "", "", "", ""),
        ("scaled", "40.20", "39.20", "–", "+0.20 [+0.10, +0.30]", "", "", "", ""),
        ("global", "41.00", "40.00", "–", "+1.00 [+0.50, +1.50]", "+0.80", "", "+1.00", "+0.20"),
        ("per_class", "42.00", "41.00", "–", "+2.00 [+1.00, +3.00]", "+1.80 [−0.50, +3.00]", "+1.00 [0.00, +2.00]",
         "+2.50", "+0.70"),
    ]  # fmt: skip
    assert [row.mark for row in table(read()).rows] == ["", "", "", "best"]


def test_the_fact_and_the_values(read):
    tuning = read()
    assert (tuning.fact.value, tuning.fact.note) == ("+1.80", "per_class over scaled, [−0.50, +3.00]")
    assert tuning.blocks[-1].text == (
        "The best on held-out images, per_class, is in the end: greedy, instances_score_thresh 0.4, "
        "overlap_threshold 0.35, stuff_area_fraction 0.01; values of their own for 2 classes. "
        "Its config file is tuned.yaml."
    )


def test_without_an_interval(read):
    assert read(chosen="global", outcome={"pipelines": {"global": DRAWN["baselines"]["default"]}}).fact.note == (
        "global over scaled"
    )


def test_when_no_stage_is_better(read):
    tuning = read(chosen="scaled")
    assert (tuning.fact.value, tuning.fact.note) == ("none", "no tuned stage is better than scaled on held-out images")
    assert "scaled, is in the end: greedy, instances_score_thresh 0.5" in tuning.blocks[-1].text


@pytest.mark.parametrize(
    "how, text",
    [
        ({"folds": 5, "seed": 0}, "Each of 5 folds of the images was scored with what was tuned on the others."),
        ({"tuning_images": 1, "seed": 0}, "Tuned on 1 image and scored on the others."),
    ],
)
def test_how_images_were_held_out(read, how, text):
    assert read(how=how).blocks[1].text.startswith(text)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 7}, "is no tuning of format 2 .it says 7."),
        ({"predictions": {"made by": "others"}}, "is of other predictions than"),
        ({"dataset_name": "another"}, "is of other predictions than"),
        ({"chosen": "none"}, "is no tuning of tune-fusion: it lacks 'none'"),
    ],
)
def test_something_else_is_refused(read, changes, message):
    with pytest.raises(InputError, match=message):
        read(**changes)


def test_what_tuning_writes_is_understood(tmp_path):
    store = small_store(tmp_path)
    tune(store, stages=("global",), folds=2).write(tmp_path / "tuned")
    tuning = read_tuning(tmp_path / "tuned" / "tuning.json", swept(tmp_path / "sweep", store, GREEDY))
    assert [row.cells[0] for row in table(tuning).rows] == ["default", "scaled", "global"]
