"""Evaluators that work behind the network, and a line in the log that says what an evaluation waited for."""

import contextlib
import functools
import logging
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence

import torch
from detectron2.evaluation import DatasetEvaluator, DatasetEvaluators

from panoptic_heuristic.detectron.background import Background

_logger = logging.getLogger(__name__)


class BackgroundEvaluators(DatasetEvaluators):
    """Evaluators that get the outputs of the network, in order, in one other thread, while the network goes on.

    Two batches at most wait there. What an evaluator raises comes from the next :meth:`process` or from
    :meth:`evaluate`. Results are gathered in the calling thread, once all is processed.
    """

    def __init__(self, evaluators: Sequence[DatasetEvaluator]):
        """
        Args:
            evaluators: each gets all batches. They must not ask other processes before ``evaluate``.
        """
        super().__init__(evaluators)
        self._start()

    def reset(self) -> None:
        """Forgets what was processed."""
        self._background.close()
        super().reset()
        self._start()

    def process(self, inputs: List[Dict[str, Any]], outputs: List[Dict[str, Any]]) -> None:
        """Hands over one batch, which is not to be changed any more."""
        self._clock.ends("network")
        self._background.add(functools.partial(super().process, inputs, outputs))
        self._batches += 1
        self._clock.ends("scoring")

    def evaluate(self) -> Optional[Dict[str, Any]]:
        """Waits for what is under way, logs where the time went, and evaluates."""
        self._clock.ends("data")
        self._background.finish()
        self._clock.ends("scoring")
        seconds = self._clock.seconds
        _logger.info(
            "%d batches: %.1f s in the network, %.1f s waiting for data, %.1f s waiting for scoring, which took %.1f s "
            "beside the network",
            self._batches, seconds["network"], seconds["data"], seconds["scoring"], self._background.worked,
        )  # fmt: skip
        return super().evaluate()

    @contextlib.contextmanager
    def watching(self, model: torch.nn.Module) -> Iterator[None]:
        """Tells waiting for data from the network's time, which both end where a batch is handed over.

        When the block fails or is interrupted, batches that were not begun are given up.

        Args:
            model: gives the outputs, each batch in one call.
        """
        hook = model.register_forward_pre_hook(lambda *_: self._clock.ends("data"))
        try:
            yield
        finally:
            hook.remove()
            self._background.close()

    def _start(self) -> None:
        self._background = Background("scoring")
        self._clock = _Clock()
        self._batches = 0


class _Clock:
    """Seconds of parts that follow each other without a gap."""

    def __init__(self) -> None:
        self.seconds = {"data": 0.0, "network": 0.0, "scoring": 0.0}
        self._since = time.perf_counter()

    def ends(self, part: str) -> None:
        """All since the last part's end was of this one."""
        now = time.perf_counter()
        self.seconds[part] += now - self._since
        self._since = now
