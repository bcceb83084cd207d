"""Rules of one's own: Python files that register some, named in YAML or on the command line."""

import os
import sys
from typing import Any, Iterable, List, Sequence

from panoptic_heuristic.formats.user_code import run_file

_PREFIX = "rules_"


def load_rule_files(paths: Sequence[str]) -> None:
    """Runs files that register rules; one that was run before is left alone.

    Args:
        paths: Python files, relative to the working directory.

    Raises:
        InputError: a file is missing, or raises; names the file, what was wrong and the line.
    """
    for path in paths:
        run_file(path, "file of rules", _PREFIX)


def files_of_rules(rules: Iterable[Any]) -> List[str]:
    """The files that :func:`load_rule_files` has some rules from; whole paths, each once."""
    modules = {type(rule).__module__ for rule in rules}
    return sorted(os.path.realpath(sys.modules[one].__file__) for one in modules if one.startswith(_PREFIX))
