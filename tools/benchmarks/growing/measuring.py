"""Processor time and memory of a command with all its processes."""

import os
import subprocess
import threading
from pathlib import Path
from typing import Iterator, List, NamedTuple

from panoptic_heuristic.errors import InputError

# A peak between two looks is missed: images take some milliseconds each, what grows with them stays for seconds.
_SECONDS_BETWEEN_LOOKS = 0.1


class Usage(NamedTuple):
    """What a command took.

    Attributes:
        seconds: CPU time of the process and those it started.
        megabytes: the most memory all of them had at once, in 10**6 bytes; what they share counts once.
    """

    seconds: float
    megabytes: float


def measured(command: List[str], log: Path) -> Usage:
    """Runs a command to its end; what it prints goes to ``log``.

    Raises:
        InputError: it failed, or the system does not say how much memory a process takes.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise InputError("this needs Linux, which says in /proc how much memory a process takes")
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        ended, peaks = threading.Event(), [0]
        watch = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
        watch.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            ended.set()
            watch.join()
    if process.returncode:
        last = (log.read_text().strip().splitlines() or [""])[-1]
        raise InputError(f"{' '.join(command)} ended with code {process.returncode}: {last}")
    return Usage(used.ru_utime + used.ru_stime, max(peaks) * 1024 / 1e6)


def _watch(pid: int, ended: threading.Event, peaks: List[int]) -> None:
    while not ended.wait(_SECONDS_BETWEEN_LOOKS):
        peaks.append(sum(_proportional_kb(one) for one in _family(pid)))


def _family(pid: int) -> Iterator[int]:
    """A process and those it started, and so on."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            started = children.read_text().split()
        except OSError:  # It has ended.
            continue
        for child in started:
            yield from _family(int(child))


def _proportional_kb(pid: int) -> int:
    """The memory of a process, pages that several have shared out among them; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
