"""Work that goes on behind the network."""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Deque

import torch

# One that is done and one that waits for it: more would only keep the outputs of more images in memory.
_UNDER_WAY = 2


class Background:
    """One thread that does jobs in their order while the caller goes on; a context manager.

    Two jobs at most are under way, so that memory stays bounded: whoever adds a third waits. After a job that fails no
    other is done, and what it raised is raised where the next is added, or at the end. When the block fails or is
    interrupted, the job that is being done is finished, and others are given up.

    Attributes:
        waited: seconds that callers waited for jobs.
        worked: seconds that jobs took.
    """

    def __init__(self, name: str):
        """
        Args:
            name: of the thread.
        """
        self.waited = self.worked = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._pending: Deque[Future] = deque()
        self._failed = False

    def add(self, job: Callable[[], None]) -> None:
        """Has a job done; it is called without gradients."""
        self._wait(at_most=_UNDER_WAY - 1)
        self._pending.append(self._thread.submit(self._do, job))

    def finish(self) -> None:
        """Waits until all is done; no job may follow."""
        try:
            self._wait(at_most=0)
        finally:
            self.close()

    def close(self) -> None:
        """Gives up the jobs that have not begun, and waits for the one that has; no job may follow."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()

    def _do(self, job: Callable[[], None]) -> None:
        if self._failed:
            return
        begin = time.perf_counter()
        # PyTorch asks each thread anew.
        with torch.no_grad():
            try:
                job()
            except BaseException:
                self._failed = True
                raise
            finally:
                self.worked += time.perf_counter() - begin

    def _wait(self, *, at_most: int) -> None:
        """Waits until no more than so many jobs are under way; raises what went wrong."""
        begin = time.perf_counter()
        try:
            while self._pending and (len(self._pending) > at_most or self._pending[0].done()):
                self._pending.popleft().result()
        finally:
            self.waited += time.perf_counter() - begin
