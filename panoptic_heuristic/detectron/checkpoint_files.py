"""Checkpoints are read as data: whatever a file says, nothing in it is run.

Detectron2 unpickles its zoo's ``.pkl`` files, and old PyTorch its own, which runs what they name.
"""

import codecs
import pickle
import re
from collections import OrderedDict
from typing import Any, Dict, Mapping

import numpy as np
import torch
from detectron2.checkpoint import DetectionCheckpointer

from panoptic_heuristic.errors import InputError


def read_as_data(checkpointer: DetectionCheckpointer) -> None:
    """Makes a checkpointer read its files by :func:`read_checkpoint`."""
    checkpointer._load_file = read_checkpoint


def read_checkpoint(path: str) -> Dict[str, Any]:
    """The content of a checkpoint, as Detectron2's checkpointer takes it.

    Args:
        path: a ``.pkl`` of Detectron2's zoo or of Caffe2, a ``.pyth`` of pycls, or a file of PyTorch.

    Returns:
        ``model``, the weights by name, and whatever else the file holds.

    Raises:
        InputError: the file holds more than weights and plain values, or no weights by name.
    """
    if path.endswith(".pkl"):
        content = _weights_by_name(_unpickled(path), path)
        # Files of the zoo say who made them; those of Caffe2 are the weights alone, or have them among "blobs".
        if "model" in content and "__author__" in content:
            return content
        weights = _weights_by_name(content.get("blobs", content), path)
        return _to_match({name: one for name, one in weights.items() if not name.endswith("_momentum")}, "Caffe2")
    content = _weights_by_name(_loaded(path), path)
    if path.endswith(".pyth"):
        if "model_state" not in content:
            raise InputError(f"{path} has no model_state, so it is no checkpoint of pycls")
        weights = _weights_by_name(content["model_state"], path)
        counters = "num_batches_tracked"
        return _to_match({name: one for name, one in weights.items() if not name.endswith(counters)}, "pycls")
    return content if "model" in content else {"model": content}


def _to_match(weights: Dict[str, Any], author: str) -> Dict[str, Any]:
    """Weights that go by other names than the model's; Detectron2 matches them by these keys."""
    return {"model": weights, "__author__": author, "matching_heuristics": True}


def _weights_by_name(content: Any, path: str) -> Dict[str, Any]:
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{path} is no checkpoint: expected weights by name, got {type(content).__name__}")
    return dict(content)


def _loaded(path: str) -> Any:
    """The content of a file of PyTorch."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message advises to run what the file names.
        found = re.search(r"GLOBAL ([\w.]+)|global ([\w.]+)", str(error))
        if found is None:
            raise InputError(f"{path} is damaged or no checkpoint") from None
        raise InputError(_refused(path, found.group(1) or found.group(2))) from None


def _unpickled(path: str) -> Any:
    """The content of a pickle of arrays and plain containers; texts of Python 2 are read as Latin-1."""
    with open(path, "rb") as file:
        try:
            content = _PlainUnpickler(file, path).load()
            _check_arrays(content)
            return content
        except InputError:
            raise
        # Unpickling ends in whatever a damaged file makes of it.
        except Exception as error:
            raise InputError(f"{path} is damaged or no checkpoint: {str(error) or type(error).__name__}") from error


class _PlainUnpickler(pickle.Unpickler):
    """Knows arrays and plain containers, and nothing that could be run.

    Args:
        file: binary.
        path: of the file, for the message.
    """

    def __init__(self, file: Any, path: str):
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        # NumPy 2 has moved what NumPy 1 and 2 write.
        known = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise InputError(_refused(self._path, f"{module}.{name}"))
        return known


def _refused(path: str, name: str) -> str:
    return (
        f"{path} holds {name}, which could run code; a checkpoint is read only if it holds arrays and plain values, "
        "so save its weights alone"
    )


def _check_arrays(content: Any) -> None:
    """Raises if an array holds anything but numbers: a file can place the fields of records elsewhere in memory."""
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        for one in content:
            _check_arrays(one)
    elif isinstance(content, np.ndarray) and (content.dtype.kind not in "biuf" or content.dtype.fields):
        raise ValueError(f"an array of {content.dtype.type.__name__} holds no weights")


def _latin1(text: str, encoding: str) -> bytes:
    """The bytes of an array, as Python 3 writes them for Python 2."""
    if codecs.lookup(encoding).name != "iso8859-1":
        raise ValueError(f"bytes encoded as {encoding}")
    return text.encode("latin1")


# Where NumPy keeps the functions that make arrays differs between its versions; its arrays say which they are.
_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _latin1,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy.core.numeric", "_frombuffer"): np.zeros(1).__reduce_ex__(5)[0],
}
