"""Checkpoints are there whole or not at all."""

import builtins

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer

from panoptic_heuristic.detectron.whole_checkpoints import write_whole
from panoptic_heuristic.formats.files import NotWrittenError


def test_a_kill_while_a_checkpoint_is_written_leaves_the_last_one(tmp_path):
    checkpointer = DetectionCheckpointer(torch.nn.Linear(1, 1), str(tmp_path))
    write_whole(checkpointer)
    checkpointer.save("model_0")

    class Killed:
        def state_dict(self):
            return {"a": self}

        def __reduce__(self):
            raise KeyboardInterrupt

    checkpointer.add_checkpointable("killed", Killed())
    with pytest.raises(KeyboardInterrupt):
        checkpointer.save("model_1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last_checkpoint", "model_0.pth"]
    assert checkpointer.get_checkpoint_file() == str(tmp_path / "model_0.pth")


def test_a_full_disk_while_a_checkpoint_is_written_is_told(tmp_path, monkeypatch):
    checkpointer = DetectionCheckpointer(torch.nn.Linear(1, 1), str(tmp_path))
    write_whole(checkpointer)
    real = builtins.open
    monkeypatch.setattr("builtins.open", lambda path, *more, **named: real(
        "/dev/full" if ".partial" in str(path) else path, *more, **named))  # fmt: skip
    with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / 'model_0.pth'}"):
        checkpointer.save("model_0")
    assert list(tmp_path.iterdir()) == []
