"""Work on many files in several processes, in order, with a bounded number of jobs under way."""

import contextlib
import ctypes
import gc
import itertools
import os
import signal
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Iterable, Iterator, List, NoReturn, TypeVar

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import whole_number

Job = TypeVar("Job")
Result = TypeVar("Result")

# Enough that no worker waits for the parent, few enough that memory does not depend on the number of jobs.
_CHUNKS_PER_WORKER = 3

# For a worker to clean up when it is told to end.
_SECONDS_TO_END = 3

# Of Linux' prctl.h.
_PR_SET_PDEATHSIG = 1


def default_workers(most: int = 4) -> int:
    """Up to ``most`` of the cores this process may use."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # Linux only.
        cores = os.cpu_count() or 1
    return min(cores, most)


@contextlib.contextmanager
def ordered_map(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int, chunk: int = 2
) -> Iterator[Iterator[Result]]:
    """Gives an iterator over a function's results, in the order of the jobs.

    Each process works on one core. When the block ends, however it ends, no process is left.

    Args:
        function: a function of a module, or a ``functools.partial`` of one.
        jobs: its arguments; taken as they are needed.
        workers: the number of processes; 1 works in this one.
        chunk: jobs a worker takes at a time. Few, so that Ctrl-C, which waits for what is under
            way, is soon obeyed.

    Raises:
        InputError: ``workers`` is no whole number or below 1, what a job raised first, or a worker was killed.
    """
    workers = whole_number("workers", workers, 1)
    if workers == 1:
        keep_freed_memory()
        yield map(function, jobs)
        return
    # No multiprocessing.Pool: it waits for ever when a worker is killed, for want of memory say.
    executor = ProcessPoolExecutor(workers, initializer=_start, initargs=(function,))
    # Looking for garbage writes to every object, and so would give each process a copy of all that they share.
    gc.freeze()
    try:
        yield _results(executor, iter(jobs), chunk, workers * _CHUNKS_PER_WORKER)
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, perhaps for want of memory; run this again with fewer workers"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        gc.unfreeze()


def keep_freed_memory() -> None:
    """Lets the C library reuse the memory of images, instead of returning it to the system each time.

    It returns what exceeds twice the largest block it ever had to return. Without this a quarter of the time
    of scoring COCO's images went to page faults (7.0 instead of 5.2 ms per image, on a virtual machine).
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def _results(executor: ProcessPoolExecutor, jobs: Iterator, chunk: int, most: int) -> Iterator:
    under_way: deque = deque()
    while True:
        while len(under_way) < most and (some := list(itertools.islice(jobs, chunk))):
            under_way.append(executor.submit(_each, some))
        if not under_way:
            return
        yield from under_way.popleft().result()


# In a worker: what it does with each job. Handed over once, since it may hold a data set's categories.
_function: Callable


def _start(function: Callable) -> None:
    global _function
    _function = function
    keep_freed_memory()
    _work_on_one_core()
    # Ctrl-C reaches every process of the terminal; the parent ends the workers, without tracebacks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()


def _end(*_: object) -> NoReturn:
    """Unwinds, so that what is half written is removed, and makes sure that the process ends."""
    # The executor takes whatever is raised between two jobs for a result, and waits for more jobs for ever.
    signal.alarm(_SECONDS_TO_END)
    sys.exit(1)


def end_with_parent() -> None:
    """On Linux, lets this process get SIGTERM when its parent ends, however that is killed; elsewhere does nothing.

    It is the end of the parent's thread that counts.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have ended in between.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _work_on_one_core() -> None:
    """The workers share the cores already; threads of PyTorch, loaded or loaded later, would fight for them."""
    for library in ("OMP", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _each(jobs: List) -> List:
    try:
        return [_function(job) for job in jobs]
    except SystemExit:
        os._exit(1)
