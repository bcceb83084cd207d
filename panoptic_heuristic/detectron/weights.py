"""Loading of checkpoints: what is missing, damaged, or of another model or order of classes, is told."""

import contextlib
import os
from typing import Any, Iterator

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode

from panoptic_heuristic.detectron.checkpoint_files import read_as_data
from panoptic_heuristic.detectron.class_names import CHECKPOINT_KEY, ClassNames
from panoptic_heuristic.errors import InputError

# What torch and Detectron2 raise on a file that is missing, cut, or something else.
_LOADING_ERRORS = (
    AssertionError,
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
)


def check_weights(cfg: CfgNode, *, resume: bool, needed: bool) -> None:
    """Raises if the checkpoint to start from is not there; for before the work.

    What is to be downloaded is not looked for.

    Args:
        cfg: with ``MODEL.WEIGHTS``.
        resume: the last checkpoint in ``OUTPUT_DIR`` is taken, if there is one.
        needed: random weights will not do.

    Raises:
        InputError: names the file, or the key that must name one.
    """
    weights = cfg.MODEL.WEIGHTS
    if resume and os.path.isfile(os.path.join(cfg.OUTPUT_DIR, "last_checkpoint")):
        return
    if not weights and needed:
        raise InputError("MODEL.WEIGHTS is empty, and random weights predict nothing; name a checkpoint")
    if weights and "://" not in weights and not os.path.isfile(weights):
        raise InputError(f"cannot read the checkpoint {weights} that MODEL.WEIGHTS names: there is no such file")


def load_weights(model: torch.nn.Module, cfg: CfgNode, *, resume: bool = False) -> None:
    """Loads ``MODEL.WEIGHTS``, or the last checkpoint when resuming, into a model that is to predict.

    Raises:
        InputError: the weights are missing or damaged, lack some of the model's, or are of classes in another order.
    """
    check_weights(cfg, resume=resume, needed=True)
    checkpointer = _WholeCheckpointer(model, save_dir=cfg.OUTPUT_DIR)
    read_as_data(checkpointer)
    with told_plainly(cfg, checkpointer, resume):
        state = checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=resume)
    path = _path(cfg, checkpointer, resume)
    if checkpointer.lacking:
        raise InputError(
            f"{path} has no fitting weights for {len(checkpointer.lacking)} parameters of the model, such as "
            f"{checkpointer.lacking[0]}; name a checkpoint of this model and of this number of classes"
        )
    names = ClassNames.of_config(cfg)
    if names is not None and CHECKPOINT_KEY in state:
        names.check(state[CHECKPOINT_KEY], path)


@contextlib.contextmanager
def told_plainly(cfg: CfgNode, checkpointer: DetectionCheckpointer, resume: bool) -> Iterator[None]:
    """Turns what loading a missing or damaged checkpoint raises into one sentence."""
    path = _path(cfg, checkpointer, resume)
    try:
        yield
    except InputError:
        raise
    except _LOADING_ERRORS as error:
        if not os.path.isfile(path):
            raise InputError(f"cannot read the checkpoint {path}: {_first_line(error)}") from error
        raise InputError(f"{path} is damaged or no checkpoint: {_first_line(error)}") from error


class _WholeCheckpointer(DetectionCheckpointer):
    """Notes the parameters that a checkpoint leaves at their random start; Detectron2 only logs them.

    Attributes:
        lacking: their names.
    """

    lacking: tuple = ()

    def _load_model(self, checkpoint: Any):
        incompatible = super()._load_model(checkpoint)
        # Those of another shape are among the missing.
        missing = set(incompatible.missing_keys)
        self.lacking = tuple(name for name, _ in self.model.named_parameters() if name in missing)
        return incompatible


def _path(cfg: CfgNode, checkpointer: DetectionCheckpointer, resume: bool) -> str:
    return checkpointer.get_checkpoint_file() if resume and checkpointer.has_checkpoint() else cfg.MODEL.WEIGHTS


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
