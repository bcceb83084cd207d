"""All that is needed to run on more than one build of Detectron2, and nothing else.

Detectron2 publishes no package. The official way is to install 0.6 or its main branch from Git; there this file does
nothing. The package index has 0.5 without its C++ extension, which predates today's NumPy, Pillow and PyTorch; there it

- puts an empty module where ``detectron2._C`` is missing. Panoptic FPN takes NMS and RoIAlign from torchvision and
  calls nothing from it, but ``detectron2.layers`` imports it;
- restores names that NumPy and Pillow have dropped, if this Detectron2 still uses them;
- silences, one by one, the warnings that its old calls cause.

:func:`launch_on_cpu` and :func:`keep_optimizer` are here for the same reason: how a local process group is made, and
what a checkpoint holds, differ between the two.
"""

import gc
import importlib.util
import os
import pickle
import re
import sys
import tempfile
import types
import warnings
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Callable, Optional, Set, Tuple

HOW_TO_GET_DETECTRON2 = (
    "Detectron2 is not installed: install it from its Git repository "
    "(https://detectron2.readthedocs.io/tutorials/install.html), or run `make env` and use .venv/bin/python."
)

# What NumPy 1.24 removed, as far as Detectron2 0.5 uses it, with what NumPy had under these names.
NUMPY_NAMES = {"int": int, "float": float, "bool": bool, "str": str}

# (start of the message, module that the warning is blamed on), both regular expressions. Each was seen with Detectron2
# 0.5 on PyTorch 2.14, and each is about a line of theirs that works as it is.
KNOWN_WARNINGS = (
    (r"`torch\.jit\.script` is deprecated", r"torch\.jit\._script$"),  # import of fvcore.nn
    (r"pkg_resources is deprecated as an API", r"detectron2\.model_zoo\.model_zoo$"),
    (r"Creating a tensor from a list of numpy\.ndarrays is extremely slow", r"detectron2\.structures\.boxes$"),
    (r"The given NumPy array is not writable", r"detectron2\.data\.detection_utils$"),
    (r"torch\.meshgrid: in an upcoming release", r"torch\.functional$"),
    (r"`torch\.cuda\.amp\.(autocast|GradScaler)\(args\.\.\.\)` is deprecated", r"detectron2\.engine\.train_loop$"),
    (r"TypedStorage is deprecated", r"detectron2\.utils\.comm$"),  # gathering from several processes
)


def make_detectron2_importable() -> None:
    """Makes ``import detectron2`` and all of its modules that Panoptic FPN needs work. Call it before importing them.

    Raises:
        ModuleNotFoundError: when Detectron2 is not installed.
    """
    folder = _detectron2_folder()
    if not has_compiled_ops() and "detectron2._C" not in sys.modules:
        sys.modules["detectron2._C"] = _stand_in()
    _restore_dropped_names(folder)


def has_compiled_ops() -> bool:
    """True if Detectron2's C++ extension is installed, ``COCOEvaluator``'s fast implementation included.

    Nothing is imported for the answer.
    """
    return PathFinder.find_spec("detectron2._C", [str(_detectron2_folder())]) is not None


def detectron2_build() -> str:
    """The installed Detectron2 in words, as "0.6, with compiled ops" or "0.5, Python files only"."""
    import detectron2

    return f"{detectron2.__version__}, {'with compiled ops' if has_compiled_ops() else 'Python files only'}"


def quiet_known_warnings() -> None:
    """Silences the warnings of third parties that a user can do nothing about, each by its message and module."""
    for message, module in KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message=message, module=module)


def launch_on_cpu(main: Callable[..., None], num_processes: int, args: Tuple = ()) -> None:
    """Runs ``main(*args)`` in several CPU processes that Detectron2's ``comm`` knows of.

    For evaluation: each process takes its share of the images, and the evaluators gather. Detectron2's own
    ``launch`` does this for GPUs only.

    Args:
        main: a function at the top of a module. It starts in a fresh interpreter, where no data set is registered yet;
            what it returns is lost, as with Detectron2's ``launch``.
        num_processes: 1 calls ``main`` in this process.
        args: its arguments, which must be picklable.

    Raises:
        Exception: the one that a process raised first, as it was.
    """
    if num_processes == 1:
        main(*args)
        return
    import torch
    import torch.multiprocessing

    threads = max(1, torch.get_num_threads() // num_processes)
    with tempfile.TemporaryDirectory() as folder:
        try:
            torch.multiprocessing.spawn(
                _cpu_process, nprocs=num_processes, args=(num_processes, threads, folder, main, args)
            )
        except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException) as report:
            error = _load_first_error(folder)
            if error is None:
                raise
            raise error from report


def keep_optimizer(checkpointer: Any, inner_trainer: Any) -> None:
    """Lets checkpoints hold the optimizer's state, which those of Detectron2 0.5 lack: a training that is resumed would
    go on without momentum. Later builds keep it themselves.

    Args:
        checkpointer: Detectron2's, of a ``DefaultTrainer``.
        inner_trainer: the ``SimpleTrainer`` or ``AMPTrainer`` that does its steps.
    """
    from detectron2.engine import DefaultTrainer

    if "state_dict" in vars(DefaultTrainer):
        return
    for name in ("optimizer", "grad_scaler"):
        if hasattr(inner_trainer, name):
            checkpointer.add_checkpointable(name, getattr(inner_trainer, name))


def _detectron2_folder() -> Path:
    """The folder where Detectron2 is installed, found without importing it."""
    spec = importlib.util.find_spec("detectron2")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(HOW_TO_GET_DETECTRON2, name="detectron2")
    return Path(next(iter(spec.submodule_search_locations)))


def _stand_in() -> types.ModuleType:
    """An empty extension. Detectron2's report of the environment asks one that is there how it was compiled."""
    module = types.ModuleType("detectron2._C", "Stands in for the missing extension.")
    module.get_compiler_version = module.get_cuda_version = lambda: "not compiled"
    module.has_cuda = lambda: False
    return module


def _restore_dropped_names(folder: Path) -> None:
    used = _names_used(folder)
    if used & set(NUMPY_NAMES):
        import numpy

        # In vars, not hasattr: on 1.20 to 1.26 asking for the attribute is what warns.
        for name in used & set(NUMPY_NAMES):
            vars(numpy).setdefault(name, NUMPY_NAMES[name])
    if "LINEAR" in used:
        import PIL.Image

        vars(PIL.Image).setdefault("LINEAR", PIL.Image.BILINEAR)


def _names_used(folder: Path) -> Set[str]:
    """The dropped names that the installed files mention: 0.5 and the tag 0.6 do, main, which calls itself 0.6
    as well, does not. So the files are asked, not the version."""
    pattern = re.compile(rf"\bnp\.({'|'.join(NUMPY_NAMES)})\b|\bImage\.(LINEAR)\b")
    found = set()
    for path in folder.rglob("*.py"):
        for numpy_name, pillow_name in pattern.findall(path.read_text(encoding="utf-8")):
            found.add(numpy_name or pillow_name)
    return found


def _cpu_process(rank: int, world_size: int, threads: int, folder: str, main: Callable[..., None], args: Tuple) -> None:
    import torch
    import torch.distributed

    quiet_known_warnings()
    torch.set_num_threads(threads)
    # A file, not a port: no other process can take it in between.
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", world_size=world_size, rank=rank
    )
    try:
        _create_local_process_group(world_size)
        main(*args)
    except Exception as error:
        _keep_first_error(folder, error)
        raise
    finally:
        _end_process_groups()


def _create_local_process_group(world_size: int) -> None:
    """Tells ``detectron2.utils.comm`` that all processes are on one machine. 0.5 has no function for it."""
    import torch.distributed
    from detectron2.utils import comm

    if hasattr(comm, "create_local_process_group"):
        comm.create_local_process_group(world_size)
    else:
        comm._LOCAL_PROCESS_GROUP = torch.distributed.new_group(list(range(world_size)))


def _end_process_groups() -> None:
    """Ends the groups and their threads. ``comm`` keeps both groups, and a thread of gloo that still lets go of a
    tensor while the interpreter ends aborts the process."""
    import torch.distributed
    from detectron2.utils import comm

    torch.distributed.destroy_process_group()
    comm._LOCAL_PROCESS_GROUP = None
    comm._get_global_gloo_group.cache_clear()
    gc.collect()


def _keep_first_error(folder: str, error: Exception) -> None:
    """Stores an exception for the parent. The others fail next, as their partner is gone: only the first tells why."""
    try:
        stored = pickle.dumps(error)
        pickle.loads(stored)
        with open(os.path.join(folder, "error"), "xb") as file:
            file.write(stored)
    # Not every exception can be pickled; then the parent shows the traceback that it was sent.
    except Exception:
        return


def _load_first_error(folder: str) -> Optional[Exception]:
    path = Path(folder, "error")
    return pickle.loads(path.read_bytes()) if path.exists() else None
