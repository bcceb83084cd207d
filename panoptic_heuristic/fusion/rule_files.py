"""Rules of one's own: Python files that register some, named in YAML or on the command line."""

import importlib.util
import os
import sys
from typing import Any, Iterable, List, Sequence

from panoptic_heuristic.errors import InputError

_PREFIX = "rules_"


def load_rule_files(paths: Sequence[str]) -> None:
    """Runs files that register rules; one that was run before is left alone.

    Args:
        paths: Python files, relative to the working directory.

    Raises:
        InputError: a file is missing, or raises; names the file, and what was wrong.
    """
    for path in paths:
        if not isinstance(path, str) or not os.path.isfile(path):
            raise InputError(f"there is no file of rules {path!r}; paths are relative to the working directory")
        # A module of its own name, so that processes that are started later find the rules in it.
        name = _PREFIX + os.path.realpath(path).encode("utf-8").hex()
        if name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InputError(f"the file of rules {path} must be a Python file that ends with .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise InputError(f"the file of rules {path} fails: {type(error).__name__}: {_one_line(error)}") from error


def files_of_rules(rules: Iterable[Any]) -> List[str]:
    """The files that :func:`load_rule_files` has some rules from; whole paths, each once."""
    modules = {type(rule).__module__ for rule in rules}
    return sorted(os.path.realpath(sys.modules[one].__file__) for one in modules if one.startswith(_PREFIX))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
