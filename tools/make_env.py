#!/usr/bin/env python3
"""Builds the project's own environment: ``python3 tools/make_env.py .venv`` (or ``make env``).

Standard library only, and no syntax newer than Python 3.6: an unsupported Python must get far enough to be
refused by name. What is installed is in the three ``requirements*.lock`` files; this file only knows the order and
the flags. An environment that is up to date is left alone; one that is half built or built from other lock files
is deleted and built again; one that somebody else built is used as it is and never changed.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-detectron2.lock", "requirements-crf.lock")
SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))

# The folder inside the environment that says who built it; it holds the two stamps and the log.
STATE = "panoptic_heuristic-set-up"

CHECK_DOWNLOAD = (
    "Check the network and the free disk space (6 GB are needed, and room for the downloads), "
    "then run the command again."
)


class SetUpError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


class Step(NamedTuple):
    """One command of the set-up.

    Attributes:
        name: what the step installs or checks, as shown on screen.
        command: the command line.
        advice: one sentence for whoever sees this step fail.
        optional: whether the set-up goes on when the step fails.
    """

    name: str
    command: Tuple[str, ...]
    advice: str
    optional: bool = False


def refuse_unsupported(version: Sequence[int], executable: str) -> None:
    """Raises :class:`SetUpError` when no environment can be built with this Python.

    Args:
        version: as ``sys.version_info``.
        executable: path of that Python, for the message.
    """
    if tuple(version[:2]) in SUPPORTED:
        return
    present = [name for name in ("python3.13", "python3.12", "python3.11", "python3.10", "python3.14") if answers(name)]
    raise SetUpError(
        "Python {} at {} is not supported; supported are 3.10 to 3.14. {}".format(
            ".".join(str(part) for part in version[:3]),
            executable,
            "This machine has {0}: run `make env PYTHON={0}`.".format(present[0])
            if present
            else "Install one of them and run `make env PYTHON=/path/to/python3.11`.",
        )
    )


def answers(command: str) -> bool:
    """True if a command is there and runs; version managers put names on the path that do not."""
    try:
        return subprocess.call([command, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def third_party_steps(venv: Path) -> List[Step]:
    """The steps that make a new environment with everything the project needs."""
    pip = (str(venv / "bin" / "python"), "-m", "pip")
    install = pip + ("install", "--no-deps")
    return [
        Step(
            "empty environment",
            (sys.executable, "-m", "venv", str(venv)),
            "On Debian and Ubuntu the package python3-venv is needed; or name another Python: "
            "`make env PYTHON=/path/to/python3.11`.",
        ),
        Step(
            "pip and setuptools",
            install + ("--constraint", "requirements.lock", "pip", "setuptools", "wheel"),
            CHECK_DOWNLOAD,
        ),
        Step(
            "libraries (PyTorch is 2 GB)",
            install + ("--no-build-isolation", "--requirement", "requirements.lock"),
            CHECK_DOWNLOAD,
        ),
        Step(
            "do the libraries fit together?",
            pip + ("check",),
            "requirements.lock misses a package or has a version that another one refuses: mend it there.",
        ),
        Step(
            "Detectron2 0.5 and panopticapi",
            install + ("--use-pep517", "--no-build-isolation", "--require-hashes")
            + ("--requirement", "requirements-detectron2.lock"),
            "A hash that differs means that other bytes are published under that name: do not install them. "
            "Otherwise: " + CHECK_DOWNLOAD,
        ),
        Step(
            "dense CRF (optional; compiling it takes a minute)",
            install + ("--build-constraint", "requirements.lock", "--require-hashes")
            + ("--requirement", "requirements-crf.lock"),
            "It needs a C++ compiler and Python 3.12 or older, and only the dense CRF border rule needs it.",
            optional=True,
        ),
    ]


def package_steps(venv: Path) -> List[Step]:
    """The steps that bind an environment to this checkout."""
    python = str(venv / "bin" / "python")
    return [
        Step(
            "this package",
            (python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", "."),
            "The error is in this checkout's setup.py.",
        ),
        Step(
            "does it all work?",
            (python, "-m", "panoptic_heuristic", "doctor", "--all"),
            "The lines above say what does not work and how to get it.",
        ),
    ]


def fingerprint(paths: Sequence[Path], *, extra: str = "") -> str:
    """SHA-256 over the contents of ``paths`` and a string; what a stamp holds."""
    digest = hashlib.sha256(extra.encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(stamp: Path, content: str) -> bool:
    """True if the stamp exists and says what it should."""
    return stamp.is_file() and stamp.read_text() == content


def is_telling(line: str) -> bool:
    """True if a line of output is more than one of pip's routine remarks."""
    routine = ("WARNING:", "Looking in", "Ignoring", "Requirement already", "[notice]")
    return bool(line.strip()) and not line.startswith(routine)


def run_logged(command: Sequence[str], log: Path, label: str) -> Tuple[int, List[str]]:
    """Runs a command from the project's root with its output in ``log``.

    On a terminal the line ``label`` also shows the seconds and what pip is busy with, since a step may take minutes.

    Returns:
        The exit code and the lines it printed.
    """
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUNBUFFERED="1")
    # Packages named there would count as installed, and then be missing from the environment.
    environment.pop("PYTHONPATH", None)
    started, lines = time.monotonic(), []  # type: float, List[str]
    with log.open("a") as out:
        out.write("\n$ {}\n".format(" ".join(command)))
        out.flush()
        process = subprocess.Popen(
            command, cwd=str(ROOT), env=environment, universal_newlines=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for line in process.stdout:
            out.write(line)
            out.flush()
            lines.append(line.rstrip())
            if sys.stdout.isatty() and is_telling(line):
                busy = "{} {:.0f} s  {}".format(label, time.monotonic() - started, line.strip())
                # A terminal of unknown width says 0.
                print("\r\033[K" + busy[: (shutil.get_terminal_size().columns or 80) - 1], end="", flush=True)
    return process.wait(), lines


def run_step(step: Step, label: str, log: Path) -> None:
    """Runs one step and prints one line about it.

    Raises:
        SetUpError: when the step fails and is not optional, with the end of its output.
    """
    line = "{} {} ...".format(label, step.name)
    print(line, end="", flush=True)
    started = time.monotonic()
    code, lines = run_logged(step.command, log, line)
    seconds = time.monotonic() - started
    start_over = "\r\033[K" + line if sys.stdout.isatty() else ""
    if code == 0:
        print("{} {:.0f} s".format(start_over, seconds), flush=True)
        return
    if step.optional:
        print("{} left out. {} Log: {}".format(start_over, step.advice, log), flush=True)
        return
    print("{} failed".format(start_over), flush=True)
    tail = "".join("    {}\n".format(text) for text in [text for text in lines if is_telling(text)][-12:])
    raise SetUpError(
        "step {} ({}) failed after {:.0f} s with exit code {}; its last lines are\n\n{}\n{}\nThe whole output is in "
        "{}".format(label, step.name, seconds, code, tail, step.advice, log)
    )


def python_of(venv: Path) -> str:
    """The version an environment was made with, from its ``pyvenv.cfg``."""
    for line in (venv / "pyvenv.cfg").read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "version":
            return value.strip()
    return "of an unknown version"


def is_foreign(venv: Path) -> bool:
    """True if somebody else built the environment at ``venv``.

    Raises:
        SetUpError: when something that is no environment is in the way.
    """
    if (venv / STATE).is_dir() or not venv.exists() or (venv.is_dir() and not any(venv.iterdir())):
        return False
    if (venv / "bin" / "python").exists():
        return True
    raise SetUpError(
        "{} is there already and is no Python environment; delete it, or choose another place: "
        "`make env VENV=/another/place`.".format(venv)
    )


def build(venv: Path) -> None:
    """Brings the environment at ``venv`` up to date.

    Raises:
        SetUpError: when a step fails, the Python is not supported, or something else is in the way.
    """
    if is_foreign(venv):
        print("Using {} as it is: `make env` did not build it, and does not change it.".format(venv))
        return
    state = venv / STATE
    third_party, package, log = state / "third-party", state / "package", state / "log.txt"
    third_party_now = fingerprint([ROOT / name for name in LOCKS] + [Path(__file__)])
    # The path is part of it, so that an environment shared by two checkouts serves the one that asks.
    kernels = sorted((ROOT / "panoptic_heuristic" / "native").glob("*.[ch]"))
    package_now = fingerprint([ROOT / "setup.py"] + kernels, extra=third_party_now + str(ROOT))

    has_python = (venv / "bin" / "python").exists()
    if has_python and is_current(third_party, third_party_now):
        if is_current(package, package_now):
            print("{} is up to date (Python {}).".format(venv, python_of(venv)))
            return
        steps = package_steps(venv)
    else:
        refuse_unsupported(sys.version_info, sys.executable)
        if venv.exists():
            shutil.rmtree(str(venv))
        state.mkdir(parents=True)
        steps = third_party_steps(venv) + package_steps(venv)

    print("Setting up {} (2 to 4 minutes and 6 GB; log: {})".format(venv, log) if len(steps) > 2
          else "Binding {} to {}".format(venv, ROOT), flush=True)
    for number, step in enumerate(steps, start=1):
        run_step(step, "[{}/{}]".format(number, len(steps)), log)
    # Written last: an environment without stamps is a half-built one.
    third_party.write_text(third_party_now)
    package.write_text(package_now)


def main(argv=None) -> int:
    """Command line: ``make_env.py [FOLDER]``. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Build or update the project's environment.", epilog="Example: python3.11 tools/make_env.py .venv"
    )
    parser.add_argument("folder", nargs="?", default=".venv", help="where the environment lives (default: .venv)")
    venv = Path(parser.parse_args(argv).folder).expanduser()
    try:
        build(Path(os.path.abspath(str(venv))))
    except SetUpError as error:
        print("error: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the next run starts the environment over", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
