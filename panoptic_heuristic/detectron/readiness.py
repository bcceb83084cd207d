"""The things that a run needs and may lack: looked for before any work."""

import contextlib
import os
from typing import Iterable, Iterator

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from panoptic_heuristic.detectron.near_names import near_names
from panoptic_heuristic.errors import InputError

_PATHS = ("json_file", "panoptic_json", "panoptic_root", "sem_seg_root", "image_root")
"""The entries of Detectron2's metadata that name files and folders."""


def check_device(cfg: CfgNode) -> None:
    """Raises if the config asks for a GPU that is not there.

    Raises:
        InputError: says what to add.
    """
    if cfg.MODEL.DEVICE.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"MODEL.DEVICE is {cfg.MODEL.DEVICE}, but there is no GPU here; add MODEL.DEVICE cpu")


def check_gpus(num_gpus: int) -> None:
    """Raises if more processes are asked for than there are GPUs on this machine.

    Raises:
        InputError: names both numbers.
    """
    there = torch.cuda.device_count()
    if num_gpus > there:
        advice = f"--num-gpus {there} takes all" if there else "leave it out, and add MODEL.DEVICE cpu"
        raise InputError(f"--num-gpus is {num_gpus}, but the number of GPUs here is {there}; {advice}")


def check_data_sets(key: str, names: Iterable[str]) -> None:
    """Raises if a data set is not registered, or a file or a folder that its metadata name is not there.

    Args:
        key: the config key that names the data sets.
        names: of data sets.

    Raises:
        InputError: names the data set, and the nearest one or the path.
    """
    known = DatasetCatalog.list()
    for name in names:
        if name not in known:
            raise InputError(
                f"{key} names {name!r}, which is not registered; name the file that does with --register, or a data "
                f"set with DATASETS.PANOPTIC_YAML; {near_names(name, known)}"
            )
        metadata = MetadataCatalog.get(name)
        for entry in _PATHS:
            path = getattr(metadata, entry, None)
            # Others are downloaded when they are opened.
            if path and "://" not in path and not os.path.exists(path):
                raise InputError(
                    f"the data set {name} of {key} is not there: there is no {path} ({entry} of its metadata); "
                    "Detectron2's own data sets lie in $DETECTRON2_DATASETS, or in ./datasets without it"
                )


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what a data set's own function raises on a missing file into one sentence.

    Raises:
        InputError: names the data set and the file.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read the data set {name}: {error.filename}: {error.strerror}") from error
