"""Keeping the best checkpoint; Detectron2 0.5 has no hook for it."""

import logging
import math
import os
from typing import Optional

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase

from panoptic_heuristic.formats.files import read_json, write_json

_logger = logging.getLogger(__name__)

BEST_CHECKPOINT = "model_best"


class BestCheckpoint(HookBase):
    """Saves ``model_best.pth`` whenever an evaluation during training beats all before.

    ``model_best.json`` beside it says what its value is. The best value so far is also saved with
    each checkpoint of the training, so a resumed training does not replace a better model by a
    worse one. Register it after the evaluation hook.
    """

    def __init__(self, checkpointer: DetectionCheckpointer, metric: str):
        """
        Args:
            checkpointer: of the trainer.
            metric: the name an evaluation gives it, such as ``panoptic_seg/PQ``; larger is better.
        """
        self._checkpointer = checkpointer
        self._metric = metric
        self._best = -math.inf
        self._seen_iteration: Optional[int] = None

    def state_dict(self) -> dict:
        """The best value so far, for the checkpoints of the training."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes the best value of a resumed training.

        Training checkpoints are written before the evaluation of the same iteration, so the last
        one may not know yet what ``model_best.json`` says.
        """
        self._best = state_dict["best"]
        if os.path.isfile(self._path("json")):
            self._best = max(self._best, read_json(self._path("json"))["value"])

    def after_step(self) -> None:
        """Looks for a new evaluation."""
        self._save_if_best()

    def after_train(self) -> None:
        """Looks at the evaluation after the last iteration."""
        self._save_if_best()

    def _save_if_best(self) -> None:
        value, iteration = self.trainer.storage.latest().get(self._metric, (None, None))
        if value is None or iteration == self._seen_iteration:
            return
        self._seen_iteration = iteration
        if math.isfinite(value) and value > self._best:
            self._best = value
            self._save(iteration)
            write_json(self._path("json"), {"metric": self._metric, "value": value, "iteration": iteration})
            _logger.info("best %s so far: %.3f, saved as %s.pth", self._metric, value, BEST_CHECKPOINT)

    def _save(self, iteration: int) -> None:
        last = self._checkpointer.get_checkpoint_file()
        self._checkpointer.save(BEST_CHECKPOINT, iteration=iteration)
        # Saving marks the file as the one to resume from, but a training resumes from its last state.
        if last:
            self._checkpointer.tag_last_checkpoint(os.path.basename(last))

    def _path(self, suffix: str) -> str:
        return os.path.join(self._checkpointer.save_dir, f"{BEST_CHECKPOINT}.{suffix}")
