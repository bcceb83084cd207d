"""Small operations of PyTorch on the calling thread alone."""

import contextlib
import threading
from typing import Iterator

import torch

_lock = threading.Lock()
_here = threading.local()
_blocks = 0
_threads_of_the_first = 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keeps PyTorch's operations on CPUs off its other threads while the block, or the decorated function, runs.

    An operation on an image takes less time than handing it out does, and PyTorch's threads spin until the slowest
    is done: beside one busy core, fusing three instances at 480x640 took 32 ms on two threads and 1 ms on one.

    Afterwards the calling thread has as many as before. A thread of Python's that meets PyTorch for the first time
    in its block gets, from PyTorch, the number that another block has just set; it leaves with that block's former one.
    """
    global _blocks, _threads_of_the_first
    if getattr(_here, "is_inside", False):
        yield
        return
    with _lock:
        before = torch.get_num_threads()
        if _blocks:
            before = max(before, _threads_of_the_first)
        else:
            _threads_of_the_first = before
        _blocks += 1
        # Even where nothing changes, setting takes longer than asking.
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
    _here.is_inside = True
    try:
        yield
    finally:
        _here.is_inside = False
        with _lock:
            _blocks -= 1
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
