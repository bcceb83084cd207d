"""The one exception for input a user can mend, what a command does with it, and what terminals may show."""

import functools
import sys
import unicodedata
from typing import Callable


class InputError(ValueError):
    """Wrong input, told in one sentence: what was expected, what came, where, and what to do."""


def command(main: Callable[..., int]) -> Callable[..., int]:
    """Turns an :class:`InputError` from a command's ``main`` into one line on stderr and exit code 2.

    So it does with a package that the command needs and that is not installed, such as Detectron2. Ctrl-C ends with
    exit code 130 and no traceback, as shells expect.
    """

    @functools.wraps(main)
    def run(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs)
        except InputError as error:
            print(f"error: {_sentence(error)}", file=sys.stderr)
            return 2
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            advice = "`panoptic-heuristic doctor` says what works without it"
            print(f"error: {str(error).rstrip('.')}; {advice}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130

    return run


def printable(text: str) -> str:
    """A text from a user's file as terminals may show it, on one line.

    Control characters, line breaks, lone surrogates and signs that turn the direction of writing become escapes such as
    ``\\x1b`` and ``\\n``: the first could command the terminal, the others break or forge lines of output.
    """
    return "".join(one.encode("unicode_escape").decode() if is_control(one) else one for one in text)


def is_control(character: str) -> bool:
    """True for a character that is no writing but does something, to a terminal, a line or the direction of writing."""
    turns = unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return turns or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _sentence(error: InputError) -> str:
    """The sentence alone: from a data loader's process an error comes with its traceback before it."""
    sentence = str(error).rpartition(f"{InputError.__module__}.{InputError.__qualname__}: ")[2]
    return printable(" ".join(sentence.split("\n")).strip())


def _is_ours(error: ModuleNotFoundError) -> bool:
    """True for a module of this package, whose absence is a fault of the package and no one else's."""
    return error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]
