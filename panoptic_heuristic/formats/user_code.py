"""Python of a user's own, run for what it registers: rules, data sets."""

import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from typing import Any, Iterator, Optional

from panoptic_heuristic.errors import InputError


def run_file(path: Any, what: str, prefix: str) -> None:
    """Runs a Python file as a module; one that was run before is left alone.

    Args:
        path: relative to the working directory.
        what: what it is, for messages, such as ``file of rules``.
        prefix: of the module's name. The rest is made of the path, so that files of one name are told apart.

    Raises:
        InputError: there is no such file, or it raises; names the file, what was wrong and the line.
    """
    if not isinstance(path, str) or not os.path.isfile(path):
        raise InputError(f"there is no {what} {path!r}; paths are relative to the working directory")
    # A module of its own name, so that processes that are started later find in it what was defined there.
    name = prefix + os.path.realpath(path).encode("utf-8").hex()
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"the {what} {path} must be a Python file that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _told_plainly(f"the {what} {path}", spec.origin):
            spec.loader.exec_module(module)
    except InputError:
        del sys.modules[name]
        raise


def run_file_or_module(source: str, what: str) -> None:
    """Runs a Python file, or imports a module; once per process.

    The folder of the file, or the working directory, is where it imports from first, as with ``python``.

    Args:
        source: a path that ends with .py, or the name of a module.
        what: what is in it, for messages, such as ``data sets``.

    Raises:
        InputError: there is no such file or module, or it raises; names it, what was wrong and the line.
    """
    if source.endswith(".py") or os.path.isfile(source) or os.sep in source:
        _import_first_from(os.path.dirname(os.path.abspath(source)))
        run_file(source, f"file of {what}", f"{what.replace(' ', '_')}_")
        return
    _import_first_from(os.getcwd())
    with _told_plainly(f"the module of {what} {source}", None):
        origin = _origin_of_module(source, what)
    with _told_plainly(f"the module of {what} {source}", origin):
        importlib.import_module(source)


def _import_first_from(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _origin_of_module(name: str, what: str) -> Optional[str]:
    spec = None
    try:
        if all(part.isidentifier() for part in name.split(".")):
            spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        # Else something that a package around it imports is missing.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
    # A folder without an __init__.py would be a module with nothing in it.
    if spec is None or spec.origin is None:
        raise InputError(
            f"there is no module of {what} {name!r} in the working directory or on PYTHONPATH; "
            "the name of a file ends with .py"
        )
    return spec.origin


@contextlib.contextmanager
def _told_plainly(name: str, origin: Optional[str]) -> Iterator[None]:
    """Turns whatever a user's code raises into one sentence.

    Args:
        name: of the code.
        origin: the file it is in, whose line is told.
    """
    try:
        yield
    # A script that ends the program, as one does that reads its command line, is no success.
    except (Exception, SystemExit) as error:
        line = _last_line_in(origin, error)
        if isinstance(error, InputError) and line is None:
            raise
        where = "" if line is None else f" (line {line})"
        raise InputError(f"{name} fails: {type(error).__name__}: {' '.join(str(error).split())}{where}") from error


def _last_line_in(origin: Optional[str], error: BaseException) -> Optional[int]:
    """The line of a file that was being run when the error came; None if there is none, as with wrong syntax."""
    if origin is None:
        return None
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if os.path.realpath(frame.filename) == os.path.realpath(origin)]
    return lines[-1] if lines else None
