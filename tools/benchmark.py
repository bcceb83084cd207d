#!/usr/bin/env python
"""Measures speed against the references, on this machine and in one run.

Each sub-command is a file of tools/benchmarks/: its docstring is the help, ``add_arguments(parser)`` adds flags,
and ``run(args) -> int`` does the work. Only the chosen file is loaded.
"""

import ast
import importlib
import sys
from pathlib import Path
from typing import Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.errors import command

_FOLDER = Path(__file__).resolve().parent / "benchmarks"
_EXAMPLES = """\
example:
  python tools/benchmark.py quality --images 200

exit code: 0; 1 if two programs that must agree do not; 2 for wrong input.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = CommandParser(__doc__, _EXAMPLES)
    choices = parser.add_subparsers(dest="benchmark", required=True)
    for path in sorted(_FOLDER.glob("*.py")):
        name = path.stem.replace("_", "-")
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        sub = choices.add_parser(name, help=text.splitlines()[0].replace("%", "%%"), description=text)
        if argv[:1] == [name]:
            module = importlib.import_module(f"benchmarks.{path.stem}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
