"""Fusion of a semantic and an instance head into one panoptic map: ``panoptic-heuristic COMMAND``.

``python -m panoptic_heuristic COMMAND`` is the same. A command is a module of ``cli/`` that has a ``main``, or the
doctor; only the chosen one is imported.
"""

import argparse
import ast
import difflib
import importlib
import sys
from pathlib import Path
from typing import Dict, Optional, Sequence

from panoptic_heuristic import __version__
from panoptic_heuristic.errors import InputError, command

_PACKAGE = Path(__file__).resolve().parent


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command that the first argument names; see ``--help``."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    paths = command_paths()
    if args.command not in paths:
        close = difflib.get_close_matches(args.command.replace("_", "-"), paths, n=1)
        meant = f"did you mean {close[0]}?" if close else f"`{parser.prog} --help` lists them"
        raise InputError(f"there is no command {args.command!r}; {meant}")
    module = ".".join(paths[args.command].relative_to(_PACKAGE.parent).with_suffix("").parts)
    # The command's own parser takes its name from here.
    sys.argv = [f"{parser.prog} {args.command}", *args.arguments]
    return importlib.import_module(module).main(args.arguments)


def command_paths() -> Dict[str, Path]:
    """The file of each command, by its name, which is the file's with dashes."""
    paths = [path for path in (_PACKAGE / "cli").glob("*.py") if _has_main(path)]
    by_name = {path.stem.replace("_", "-"): path for path in [*paths, _PACKAGE / "doctor.py"]}
    return dict(sorted(by_name.items()))


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:28} {_first_line(path)}" for name, path in command_paths().items()]
    parser = argparse.ArgumentParser(
        prog="python -m panoptic_heuristic" if Path(sys.argv[0]).name == "__main__.py" else "panoptic-heuristic",
        description=_first_line(Path(__file__)).partition(":")[0] + ".",
        epilog="\n".join(["commands, each with a --help of its own:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="of the command")
    return parser


def _has_main(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in _tree(path).body)


def _first_line(path: Path) -> str:
    return (ast.get_docstring(_tree(path)) or "").partition("\n")[0]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
