"""The best checkpoint of a training that is played with one number as its model."""

import json
import logging

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import TrainerBase
from detectron2.engine.hooks import EvalHook, PeriodicCheckpointer

from panoptic_heuristic.detectron.hooks import BEST_CHECKPOINT, BestCheckpoint

PQ = "panoptic_seg/PQ"


class Played(TrainerBase):
    """A training whose model counts its steps; after every second one, and the last, it is evaluated."""

    def __init__(self, folder, values, *, stop_after=None, checkpoint_period=2):
        super().__init__()
        folder.mkdir(exist_ok=True)
        self.model = torch.nn.Linear(1, 1, bias=False)
        self.model.weight.data.fill_(0)
        self.stop_after = stop_after
        self.checkpointer = DetectionCheckpointer(self.model, str(folder), trainer=self)
        periodic = PeriodicCheckpointer(self.checkpointer, checkpoint_period)
        evaluation = EvalHook(2, lambda: {"panoptic_seg": {"PQ": values[(self.iter + 1) // 2 - 1]}})
        self.register_hooks([periodic, evaluation, BestCheckpoint(self.checkpointer, PQ)])

    def run_step(self):
        if self.iter == self.stop_after:
            raise InterruptedError
        self.model.weight.data += 1

    def run(self, steps, *, resume=False):
        start = 0
        self.checkpointer.resume_or_load("", resume=resume)
        if resume:
            start = self.iter + 1
        logging.getLogger("detectron2.engine.train_loop").disabled = True
        try:
            self.train(start, steps)
        except InterruptedError:
            pass
        finally:
            logging.getLogger("detectron2.engine.train_loop").disabled = False


def best_step(folder):
    """After how many steps the best model was saved."""
    return int(torch.load(folder / f"{BEST_CHECKPOINT}.pth")["model"]["weight"].item())


def last_checkpoint(folder):
    return (folder / "last_checkpoint").read_text()


@pytest.mark.parametrize(
    "values, step",
    [([30.0, 40.0, 35.0], 4), ([40.0, 30.0, 35.0], 2), ([30.0, 35.0, 40.0], 6), ([30.0, 30.0, 30.0], 2)],
    ids=["middle", "first", "last", "ties keep the first"],
)
def test_the_best_evaluation_decides(tmp_path, values, step):
    Played(tmp_path, values).run(6)
    assert best_step(tmp_path) == step
    said = json.loads((tmp_path / f"{BEST_CHECKPOINT}.json").read_text())
    assert (said["metric"], said["value"]) == (PQ, max(values))


def test_the_last_evaluation_counts_even_between_periods(tmp_path):
    # Five steps: evaluated after 2, 4 and at the end.
    Played(tmp_path, [30.0, 35.0, 40.0]).run(5)
    assert best_step(tmp_path) == 5
    Played(tmp_path / "other", [40.0, 35.0, 30.0]).run(5)
    assert best_step(tmp_path / "other") == 2


def test_nan_is_never_the_best(tmp_path):
    Played(tmp_path, [float("nan"), 10.0, float("nan")]).run(6)
    assert best_step(tmp_path) == 4


def test_without_an_evaluation_nothing_is_saved(tmp_path):
    Played(tmp_path, [1.0], stop_after=1).run(6)
    assert not list(tmp_path.glob(f"{BEST_CHECKPOINT}*"))


def test_resuming_starts_from_the_last_periodic_checkpoint(tmp_path):
    Played(tmp_path, [30.0, 40.0, 50.0], stop_after=4).run(6)
    assert best_step(tmp_path) == 4
    assert last_checkpoint(tmp_path) == "model_0000003.pth"
    assert not list(tmp_path.glob("*.partial*"))


def test_before_the_first_periodic_checkpoint_the_best_is_better_than_nothing(tmp_path):
    Played(tmp_path, [30.0, 40.0], stop_after=3, checkpoint_period=4).run(6)
    assert last_checkpoint(tmp_path) == "model_best.pth"
    resumed = Played(tmp_path, [30.0, 20.0, 10.0], checkpoint_period=4)
    resumed.run(6, resume=True)
    assert int(resumed.model.weight.item()) == 6
    assert best_step(tmp_path) == 2


@pytest.mark.parametrize("stop_after", [2, 3, 4])
def test_a_resumed_training_keeps_a_better_model(tmp_path, stop_after):
    # Stopped at 2 or 3, the only checkpoint was written before the evaluation that gave 40.
    Played(tmp_path, [40.0, 20.0, 30.0], stop_after=stop_after).run(6)
    Played(tmp_path, [40.0, 20.0, 30.0]).run(6, resume=True)
    assert best_step(tmp_path) == 2
    Played(tmp_path / "better", [40.0, 20.0, 30.0], stop_after=stop_after).run(6)
    Played(tmp_path / "better", [40.0, 20.0, 41.0]).run(6, resume=True)
    assert best_step(tmp_path / "better") == 6


def test_a_new_training_in_the_same_folder_starts_anew(tmp_path):
    Played(tmp_path, [90.0, 80.0, 70.0]).run(6)
    Played(tmp_path, [10.0, 20.0, 15.0]).run(6)
    assert best_step(tmp_path) == 4
    assert json.loads((tmp_path / f"{BEST_CHECKPOINT}.json").read_text())["value"] == 20


def test_state_dict_there_and_back(tmp_path):
    checkpointer = DetectionCheckpointer(torch.nn.Linear(1, 1), str(tmp_path))
    hook = BestCheckpoint(checkpointer, PQ)
    hook.load_state_dict({"best": 12.5})
    assert hook.state_dict() == {"best": 12.5}
