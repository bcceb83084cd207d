"""Clocks and peaks of memory, each in a process of its own.

The number of threads of some libraries is fixed when they are loaded, and memory that one side has freed would hide
the peak of the other. A process is the same command with ``--work``, a JSON that says what to do; it answers with a
JSON per line.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import cv2
import torch
from tqdm import tqdm

from benchmarks.side_by_side.contest import SIDES, Contest, Contests, different_part, import_references
from benchmarks.side_by_side.inputs import as_inputs, make_inputs, read_inputs
from benchmarks.side_by_side.report import COLUMNS, case_name
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import keep_freed_memory

_COMMAND = Path(__file__).resolve().parents[2] / "benchmark.py"


def measure(
    name: str, contests: List[str], work: Dict[str, Any], clocks: List[str], memory: bool
) -> Tuple[List[Dict[str, Any]], List[str]]:
    """A row per case with times, peaks and their ratios, and the cases where the sides differ, in words."""
    cases = len(work["sizes"]) * len(work["instances"]) * len(work["instances_score_thresh"]) * len(contests)
    jobs = [{"clock": clock} for clock in clocks]
    places = [place for place in ("1", "gpu") if place in clocks] or ["1"]
    if memory:
        jobs += [{"clock": place, "side": side} for place in places for side in SIDES]
    rows: Dict[Tuple, Dict[str, Any]] = {}
    peaks: Dict[Tuple, Dict[str, Any]] = {}
    differences = []
    with tqdm(total=cases * len(jobs), desc="measure", unit="case", disable=None) as progress:
        for job in jobs:
            for answer in answers(name, {**work, **job}):
                progress.update()
                case = tuple(answer[key] for key in COLUMNS[:6])
                if "difference" in answer:
                    differences.append(f"{answer['difference']} differ in {case_name(answer)}")
                elif "side" in job:
                    peaks.setdefault(case, {})[f"{job['side']}_mb"] = answer["peak_mb"]
                else:
                    rows[case] = answer
    for case, row in rows.items():
        # All threads need what one does.
        found = peaks.get(case) or peaks.get((case[0], "1", *case[2:]), {})
        row.update({f"{side}_mb": found.get(f"{side}_mb") for side in SIDES})
        row["ratio"] = row["reference_ms"] / row["ours_ms"]
        row["memory_ratio"] = row["reference_mb"] / row["ours_mb"] if row["ours_mb"] and row["reference_mb"] else None
    return list(rows.values()), differences


def answers(name: str, work: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")} if work["clock"] == "1" else {}
    path = os.pathsep.join(filter(None, [str(_COMMAND.parents[1]), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        [sys.executable, str(_COMMAND), name, "--work", json.dumps(work)],
        env={**os.environ, **threads, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise InputError(f"a measuring process ended with code {process.returncode}; its message is above")


def do_work(work: Dict[str, Any], contests: Contests) -> int:
    """Does in this process what :func:`measure` asks for, and prints an answer per line."""
    import_references()
    clock = work["clock"]
    if clock == "1":
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    device = "cuda" if clock == "gpu" else "cpu"
    for side in [work["side"]] if "side" in work else SIDES:
        _warm_up(contests, side, device)
    if "side" not in work:
        # As the project's commands do, and for the reference, too; it would hide peaks.
        keep_freed_memory()
    for size in work["sizes"]:
        for count in work["instances"]:
            inputs = read_inputs(work["folder"], size, count, device)
            for score_thresh in work["instances_score_thresh"]:
                for name, make in contests.items():
                    case = dict(zip(COLUMNS, (name, clock, *size, count, score_thresh), strict=False))
                    with torch.no_grad():
                        contest = make(inputs, score_thresh)
                        if "side" in work:
                            answer = {"peak_mb": peak_mb(getattr(contest, work["side"]), device)}
                        else:
                            answer = _timed(contest, clock, work["rounds"])
                    print(json.dumps({**case, **answer}), flush=True)
    return 0


def _timed(contest: Contest, clock: str, rounds: int) -> Dict[str, Any]:
    """The best of several rounds of both sides in turns, and what differs between their results."""
    now = time.process_time if clock == "1" else time.perf_counter
    best = dict.fromkeys(SIDES, float("inf"))
    results: Dict[str, Tuple] = {}
    for _ in range(rounds):
        for side in SIDES:
            work = getattr(contest, side)
            results.pop(side, None)
            _synchronize(clock)
            begin = now()
            results[side] = work()
            _synchronize(clock)
            best[side] = min(best[side], now() - begin)
    expected = contest.merged_on_cpu() if clock == "gpu" else results["reference"]
    difference = different_part(expected, results["ours"])
    if difference is not None:
        return {"difference": difference}
    return {f"{side}_ms": 1000 * seconds for side, seconds in best.items()}


def _synchronize(clock: str) -> None:
    if clock == "gpu":
        torch.cuda.synchronize()


def _warm_up(contests: Contests, side: str, device: str) -> None:
    """Runs a side once: what libraries load and keep when they are first used is nobody's peak."""
    inputs = as_inputs(make_inputs(0, (32, 32), 2), device)
    for make in contests.values():
        getattr(make(inputs, 0.5), side)()


def peak_mb(work: Callable[[], Tuple], device: str) -> Optional[float]:
    """The most memory above what was there before, in 10**6 bytes, its result included; None where it is not known."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    try:
        # What was freed, but not given back, would be used again unseen.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status_kb("VmRSS")
        work()
        return (_status_kb("VmHWM") - before) * 1024 / 1e6
    except (OSError, AttributeError):  # Linux with the GNU C library only.
        return None


def _status_kb(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
