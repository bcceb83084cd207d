"""Processor time and memory of a command with all its processes."""

import os
import subprocess
import threading
from pathlib import Path
from typing import Iterator, List, NamedTuple

from panoptic_heuristic.errors import InputError

# A peak between two looks is missed: images take some milliseconds each, what grows with them stays for seconds.
_SECONDS_BETWEEN_LOOKS = 0.2


class Usage(NamedTuple):
    """What a command took.

    Attributes:
        seconds: CPU time of the process and those it started.
        megabytes: the most memory all of them had at once, in 10**6 bytes. What they share counts once. The files of
            libraries are left out: how many other programs share those changes, and no number of images does that.
    """

    seconds: float
    megabytes: float


def measured(command: List[str], log: Path) -> Usage:
    """Runs a command to its end; what it prints goes to ``log``.

    Raises:
        InputError: it failed, or the system does not say how much memory a process takes.
    """
    if not _own_kb(os.getpid()):
        raise InputError("this needs Linux 5.4 or later, which says in /proc how much memory a process takes")
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
        peaks.append(sum(_own_kb(one) for one in _family(pid)))


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


def _own_kb(pid: int) -> int:
    """The memory of a process without mapped files; a page of several counts in parts. 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
