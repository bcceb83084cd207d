"""The compiled kernels: the few inner loops that no library has, in C, optional.

``pip install`` builds them where a C compiler is, and goes on without where none is. Everything works without them and
gives the same results, to the last pixel and count; each caller has the same step in NumPy or PyTorch. ``function`` is
the one door: it returns None where there are no kernels. ``panoptic-heuristic doctor`` says whether they are there;
``PANOPTIC_HEURISTIC_KERNELS=off`` switches them off.
"""

import contextlib
import ctypes
import functools
import importlib.machinery
import os
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

SWITCH = "PANOPTIC_HEURISTIC_KERNELS"


def are_there() -> bool:
    """True if the kernels are built and not switched off."""
    return _library() is not None and not _switched_off


def function(name: str, argument_types: Sequence) -> Optional[Callable[..., int]]:
    """A kernel as a Python function.

    Args:
        name: of the C function; it returns an int64.
        argument_types: a tuple, one ctypes type or ``numpy.ctypeslib.ndpointer`` per argument; the latter checks the
            dtype and the layout of an array at each call, which takes some microseconds.

    Returns:
        The function, which runs without Python's lock, or None where there are no kernels.
    """
    return _function(name, argument_types) if are_there() else None


@contextlib.contextmanager
def switched_off() -> Iterator[None]:
    """Switches the kernels off in this process for a while, to compare both ways."""
    global _switched_off
    before, _switched_off = _switched_off, True
    try:
        yield
    finally:
        _switched_off = before


_switched_off = False


@functools.lru_cache(maxsize=None)
def _function(name: str, argument_types: Sequence) -> Callable[..., int]:
    kernel = getattr(_library(), name)
    kernel.argtypes, kernel.restype = list(argument_types), ctypes.c_int64
    return kernel


@functools.lru_cache(maxsize=None)
def _library() -> Optional[ctypes.CDLL]:
    """The built file, or None. One from an older checkout would lack functions: setuptools builds it again by date."""
    if os.environ.get(SWITCH, "") == "off":
        return None
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_kernels{suffix}")
        if path.is_file():
            return ctypes.CDLL(str(path))
    return None
