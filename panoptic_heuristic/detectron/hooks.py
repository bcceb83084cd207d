"""Keeping the best checkpoint; Detectron2 0.5 has no hook for it."""

import logging
import math
import os
from typing import Optional

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase

_logger = logging.getLogger(__name__)

BEST_CHECKPOINT = "model_best"


class BestCheckpoint(HookBase):
    """Saves ``model_best.pth`` whenever an evaluation during training beats all before.

    The best value so far is saved with each checkpoint of the training, so a resumed training
    does not replace a better model by a worse one. Register it after the evaluation hook.
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
        """Takes the best value of a resumed training."""
        self._best = state_dict["best"]

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
            _logger.info("best %s so far: %.3f, saved as %s.pth", self._metric, value, BEST_CHECKPOINT)

    def _save(self, iteration: int) -> None:
        last = self._checkpointer.get_checkpoint_file()
        partial = f"{BEST_CHECKPOINT}.partial"
        self._checkpointer.save(partial, iteration=iteration)
        folder = self._checkpointer.save_dir
        os.replace(os.path.join(folder, f"{partial}.pth"), os.path.join(folder, f"{BEST_CHECKPOINT}.pth"))
        # Saving marks the file as the one to resume from, but a training resumes from its last state.
        self._checkpointer.tag_last_checkpoint(os.path.basename(last) if last else f"{BEST_CHECKPOINT}.pth")
