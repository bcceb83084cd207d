"""Programs of the project as processes of their own, as a user runs them."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Sequence, Tuple

import pytest

from tests.conftest import ROOT

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads /proc to see which processes are left"
)


def run(arguments: Sequence, *, timeout: float = 120, **options) -> subprocess.CompletedProcess:
    """Runs Python with arguments, the first of which is a script or a flag of Python's own."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


def help_of(tool: Path) -> Tuple[str, str]:
    """The help of a command, and which modules that are slow to load it loaded, such as "['torch']"."""
    code = (
        f"import runpy, sys; sys.argv = [{tool.name!r}, '--help']\n"
        f"try: runpy.run_path({str(tool)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'detectron2', 'matplotlib', 'fvcore', 'scipy'} & set(sys.modules)))"
    )
    text, loaded = run(["-c", code]).stdout.rstrip().rsplit("\n", 1)
    return text, loaded


def start(arguments: Sequence, **options) -> subprocess.Popen:
    """Starts what :func:`run` runs; it heeds Ctrl-C even if the tests, in a shell's background, do not."""
    pipe = subprocess.PIPE
    command = [sys.executable, *map(str, arguments)]
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command, env=_environment(), stdout=pipe, stderr=pipe, text=True, preexec_fn=heed, **options
    )


def interrupt_at_work(arguments: Sequence) -> Tuple[int, str, str]:
    """Presses Ctrl-C once a command has two workers; no process may be left after that.

    Returns:
        The exit code, and what came on stdout and stderr.
    """
    process = start(arguments, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while len(_processes_of_group(process.pid)) < 3:
            assert process.poll() is None and time.monotonic() < deadline, "the workers did not start"
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does: to every process of the group.
        out, err = process.communicate(timeout=60)
        assert _processes_of_group(process.pid) == []
        return process.returncode, out, err
    finally:
        if _processes_of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def _environment() -> dict:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _processes_of_group(group: int) -> List[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(state[2]) == group and state[0] != "Z":
            found.append(int(entry.name))
    return found
