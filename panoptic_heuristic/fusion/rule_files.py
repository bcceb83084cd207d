"""Rules of one's own: Python files that register some, named in YAML or on the command line."""

import os
import sys
from typing import Any, Iterable, List, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.user_code import run_file
from panoptic_heuristic.fusion.stages import STAGES

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


def check_rules_are_there(rules: Iterable[Tuple[str, Any]], files: Sequence[str]) -> None:
    """Raises if rules that results were made with are missing. Files that results name are never run unasked.

    Args:
        rules: the stage and the name of each.
        files: the files that registered some of them.

    Raises:
        InputError: names the rules, the files and the flag that runs these.
    """
    missing = [f"the {stage} rule {name}" for stage, name in dict.fromkeys(rules) if name not in dict(STAGES[stage])]
    if missing and files:
        listed = " ".join(files)
        raise InputError(
            f"{' and '.join(missing)} came from {listed}, and Python that results name is run only if you name it, "
            f"too: give --rule-files {listed}"
        )


def files_of_rules(rules: Iterable[Any]) -> List[str]:
    """The files that :func:`load_rule_files` has some rules from; whole paths, each once."""
    modules = {type(rule).__module__ for rule in rules}
    return sorted(os.path.realpath(sys.modules[one].__file__) for one in modules if one.startswith(_PREFIX))
