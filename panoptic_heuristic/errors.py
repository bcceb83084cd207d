"""The one exception for input a user can mend, what a command does with it, and what terminals may show."""

import contextlib
import functools
import os
import signal
import sys
import threading
import unicodedata
from typing import Callable, Iterator, NoReturn


class InputError(ValueError):
    """Wrong input, told in one sentence: what was expected, what came, where, and what to do."""


def command(main: Callable[..., int]) -> Callable[..., int]:
    """Turns an :class:`InputError` from a command's ``main`` into one line on stderr and exit code 2.

    So it does with what the system refuses, such as a full disk, and with a package that the command needs and that is
    not installed, such as Detectron2. Ctrl-C and SIGTERM, by which batch systems stop jobs, end with exit code 130 and
    no traceback; so does a pipe that nobody reads any more, with 141, as shells expect. Characters that the terminal
    does not have are spelled as ``\\xe9``.
    """

    @functools.wraps(main)
    def run(*args, **kwargs) -> int:
        try:
            with _sigterm_as_ctrl_c(), _any_characters():
                code = main(*args, **kwargs)
                if sys.stdout is not None:
                    sys.stdout.flush()
                return code
        except InputError as error:
            return _failed(_sentence(error))
        except BrokenPipeError:
            _give_up_stdout()
            return 141
        except OSError as error:
            if error.strerror is None:
                raise
            _give_up_stdout()
            return _failed(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            return _failed(f"{str(error).rstrip('.')}; `panoptic-heuristic doctor` says what works without it")
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


def _failed(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 2


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Handles SIGTERM in the block unless whoever called the command does; only the main thread can."""
    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _any_characters() -> Iterator[None]:
    """Lets stdout take every text in the block: names may have characters that a terminal's encoding lacks."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is None:
        yield
        return
    errors = sys.stdout.errors
    reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        # It flushes, which a broken pipe refuses.
        with contextlib.suppress(OSError):
            reconfigure(errors=errors)


def _give_up_stdout() -> None:
    """Lets what is left for stdout go nowhere, lest Python complains at its end that it cannot be written."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: InputError) -> str:
    """The sentence alone: from a data loader's process an error comes with its traceback before it."""
    sentence = str(error).rpartition(f"{InputError.__module__}.{InputError.__qualname__}: ")[2]
    return printable(" ".join(sentence.split("\n")).strip())


def _is_ours(error: ModuleNotFoundError) -> bool:
    """True for a module of this package, whose absence is a fault of the package and no one else's."""
    return error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]
