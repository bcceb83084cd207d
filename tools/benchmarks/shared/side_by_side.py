"""What the benchmarks against Detectron2's functions share: inputs, clocks, peaks of memory, the table and the plot.

Every clock runs in a process of its own, since the number of threads of some libraries is fixed when they are loaded;
so does each side when its memory is measured. A process is the same command with ``--work``, a JSON that says what to
do; it answers with a JSON per line.
"""

import argparse
import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from panoptic_heuristic.cli.outputs import check_results
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv
from panoptic_heuristic.formats.files import written_whole
from panoptic_heuristic.formats.workers import keep_freed_memory
from panoptic_heuristic.fusion import InstanceSet
from panoptic_heuristic.testing.scenes import make_scene

CHANNELS, THINGS, STRIDE, DIVISIBILITY = 54, 80, 4, 32
OVERLAP_THRESHOLD, STUFF_AREA_THRESH = 0.5, 4096
CLOCKS = ("1", "all", "gpu")
SIDES = ("reference", "ours")
_COMMAND = Path(__file__).resolve().parents[2] / "benchmark.py"
_COLUMNS = (
    "contest", "clock", "height", "width", "instances", "cutoff",
    "reference_ms", "ours_ms", "ratio", "reference_mb", "ours_mb", "memory_ratio",
)  # fmt: skip


class Inputs(NamedTuple):
    """What both heads said of one image, as tensors.

    Attributes:
        output_size: (H, W).
        network_size: (h, w), without padding.
        probabilities: (N, 28, 28) float32.
        boxes: (N, 4) float32 at output size.
        scores: (N,) float32.
        classes: (N,) int64, contiguous.
        labels: (H, W) int64, 0 is things.
        logits: (54, ., .) float32 at stride 4 of the network's padded input.
    """

    output_size: Tuple[int, int]
    network_size: Tuple[int, int]
    probabilities: Tensor
    boxes: Tensor
    scores: Tensor
    classes: Tensor
    labels: Tensor
    logits: Tensor


class Contest(NamedTuple):
    """One task done by both sides on the same inputs, at one cutoff.

    Attributes:
        reference: does it as Detectron2 does; gives (map, segments, other tensors that must be equal).
        ours: likewise. Segments have id, isthing and contiguous category_id.
        merged_on_cpu: what the reference merges on the CPU from the binary masks and labels that ours has on a GPU.
    """

    reference: Callable[[], Tuple]
    ours: Callable[[], Tuple]
    merged_on_cpu: Callable[[], Tuple]


Contests = Dict[str, Callable[[Inputs, float], Contest]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of these benchmarks."""
    sizes = [(480, 640), (800, 1333), (1024, 2048)]
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=sizes, help="HxW of the output (default: 480x640 800x1333 1024x2048)"
    )
    counts = [0, 10, 30, 100, 300]
    parser.add_argument("--instances", nargs="+", type=int, default=counts, help="default: 0 10 30 100 300")
    parser.add_argument("--cutoffs", nargs="+", type=float, default=[0.5, 0.05], help="of scores (default: 0.5 0.05)")
    parser.add_argument(
        "--clocks",
        nargs="+",
        choices=CLOCKS,
        default=list(CLOCKS),
        help="1: CPU time of one thread; all: elapsed time, all threads; gpu: elapsed time on a GPU (default: each)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, in turns; the best counts")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (default: %(default)s)")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peaks of memory")
    parser.add_argument("--output", type=Path, help="a folder for a CSV and a plot; made if it is missing")
    parser.add_argument("--overwrite", action="store_true", help="replace them if they are there")
    parser.add_argument("--work", type=json.loads, help=argparse.SUPPRESS)


def _size(text: str) -> Tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    if min(height, width) < 1:
        raise ValueError
    return height, width


def run(args: argparse.Namespace, name: str, contests: Contests) -> int:
    """Measures, prints tables, and writes files if asked; 1 if the two sides differ."""
    if args.work:
        return _work(args.work, contests)
    if min(args.rounds, args.seed + 1, *(count + 1 for count in args.instances)) < 1:
        raise InputError("--rounds must be at least 1, --instances and --seed at least 0")
    if not all(0 <= cutoff <= 1 for cutoff in args.cutoffs):
        raise InputError(f"--cutoffs must be in [0, 1], got {args.cutoffs}")
    if args.output is not None:
        check_results(args.output, [f"{name}.csv", f"{name}.png"], args.overwrite)
    clocks = [clock for clock in args.clocks if clock != "gpu" or torch.cuda.is_available()]
    if clocks != args.clocks:
        print("gpu: skipped, PyTorch finds no CUDA device here")
    with tempfile.TemporaryDirectory() as folder:
        digest = _write_inputs(Path(folder), args)
        print(f"inputs: seed {args.seed}, SHA-256 {digest}")
        work = {"folder": folder, "sizes": args.sizes, "instances": args.instances, "cutoffs": args.cutoffs}
        work["rounds"] = args.rounds
        rows, differences = _measure(name, list(contests), work, clocks, not args.no_memory)
    if differences:
        print("\n".join(differences))
        return 1
    print(_table(rows))
    print(_growth(rows))
    print(f"the same maps and segments on both sides in all {len(rows)} rows")
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        write_csv(args.output / f"{name}.csv", readable_rows([_COLUMNS, *([row[c] for c in _COLUMNS] for row in rows)]))
        _plot(args.output / f"{name}.png", rows)
        print(f"wrote {args.output / name}.csv and .png")
    return 0


def import_references() -> None:
    """Makes Detectron2 importable.

    Raises:
        InputError: it is not installed.
    """
    try:
        from panoptic_heuristic.detectron.compat import make_detectron2_importable

        make_detectron2_importable()
    except ImportError as error:
        raise InputError(f"this compares with Detectron2: {error}") from error


def combined(masks, scores, classes, labels, cutoff: float) -> Tuple:
    """What Detectron2 merges."""
    from detectron2.modeling.meta_arch.panoptic_fpn import combine_semantic_and_instance_outputs

    instances = SimpleNamespace(pred_masks=masks, scores=scores, pred_classes=classes)
    limits = OVERLAP_THRESHOLD, STUFF_AREA_THRESH, cutoff
    return combine_semantic_and_instance_outputs(instances, labels, *limits)


def painted(instances: InstanceSet) -> Tensor:
    """(N, H, W) bool: the masks of an :class:`InstanceSet`."""
    masks = torch.zeros(len(instances), *instances.image_size, dtype=torch.bool, device=instances.device)
    for index in range(len(instances)):
        crop = instances.crop(index)
        masks[index][crop.window] = crop.mask
    return masks


# --- inputs ---


def make_inputs(seed: int, size: Tuple[int, int], count: int) -> Dict[str, np.ndarray]:
    """The fields of :class:`Inputs` as arrays."""
    scene = make_scene(seed, image_size=size, instances=count, things=THINGS, stuff=CHANNELS - 1)
    # As Detectron2 resizes: the short side to 800 pixels, unless the long one exceeds 1333 then.
    scale = min(800 / min(size), 1333 / max(size))
    network_size = tuple(round(side * scale) for side in size)
    return {
        "output_size": np.array(size),
        "network_size": np.array(network_size),
        "probabilities": scene.probabilities,
        "boxes": scene.boxes,
        "scores": scene.scores,
        "classes": scene.category_ids // 2,  # things have even ids from 0 there
        "labels": scene.semantic_labels,
        "logits": smooth_logits(seed, scene.semantic_labels, network_size),
    }


def smooth_logits(seed: int, labels: np.ndarray, network_size: Tuple[int, int]) -> np.ndarray:
    """Logits at stride 4 that mostly win where labels are: blurred, with noise in every channel."""
    padded = [-(-side // DIVISIBILITY) * DIVISIBILITY // STRIDE for side in network_size]
    inside = [-(-side // STRIDE) for side in network_size]
    small = cv2.resize(labels.astype(np.uint8), inside[::-1], interpolation=cv2.INTER_NEAREST)
    small = np.pad(small, [(0, whole - part) for whole, part in zip(padded, inside, strict=True)], mode="edge")
    rng = np.random.default_rng([seed, 2])
    logits = 0.5 * rng.standard_normal((CHANNELS, *padded), dtype=np.float32)
    for channel, plane in enumerate(logits):
        plane += 8 * (small == channel).astype(np.float32)
        plane[:] = cv2.GaussianBlur(plane, (0, 0), 1.0)
    return logits


def _write_inputs(folder: Path, args: argparse.Namespace) -> str:
    digest = hashlib.sha256()
    cases = [(size, count) for size in args.sizes for count in args.instances]
    for (height, width), count in tqdm(cases, desc="generate", unit="image", disable=None):
        arrays = make_inputs(args.seed, (height, width), count)
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array))
        np.savez(folder / f"{height}x{width}x{count}.npz", **arrays)
    return digest.hexdigest()


def _read_inputs(folder: str, size: Sequence[int], count: int, device: str) -> Inputs:
    with np.load(f"{folder}/{size[0]}x{size[1]}x{count}.npz") as arrays:
        sizes = {name: tuple(arrays[name].tolist()) for name in ("output_size", "network_size")}
        return Inputs(**{name: sizes.get(name) or torch.from_numpy(arrays[name]).to(device) for name in Inputs._fields})


# --- measuring, in the process that the user started ---


def _measure(
    name: str, contests: List[str], work: Dict[str, Any], clocks: List[str], memory: bool
) -> Tuple[List[Dict[str, Any]], List[str]]:
    cases = len(work["sizes"]) * len(work["instances"]) * len(work["cutoffs"]) * len(contests)
    jobs = [{"clock": clock} for clock in clocks]
    places = [place for place in ("1", "gpu") if place in clocks] or ["1"]
    if memory:
        jobs += [{"clock": place, "side": side} for place in places for side in SIDES]
    rows: Dict[Tuple, Dict[str, Any]] = {}
    peaks: Dict[Tuple, Dict[str, Any]] = {}
    differences = []
    with tqdm(total=cases * len(jobs), desc="measure", unit="case", disable=None) as progress:
        for job in jobs:
            for answer in _answers(name, {**work, **job}):
                progress.update()
                case = tuple(answer[key] for key in _COLUMNS[:6])
                if "difference" in answer:
                    differences.append(f"{answer['difference']} differ in {_case_name(answer)}")
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


def _answers(name: str, work: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
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


# --- measuring, in a process of its own ---


def _work(work: Dict[str, Any], contests: Contests) -> int:
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
            inputs = _read_inputs(work["folder"], size, count, device)
            for cutoff in work["cutoffs"]:
                for name, make in contests.items():
                    case = dict(zip(_COLUMNS, (name, clock, *size, count, cutoff), strict=False))
                    with torch.no_grad():
                        contest = make(inputs, cutoff)
                        if "side" in work:
                            answer = {"peak_mb": _peak_mb(getattr(contest, work["side"]), device)}
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


def different_part(expected: Tuple, found: Tuple) -> Optional[str]:
    """What differs between two results, in a word; None if nothing does. Only what both have is compared."""
    if not torch.equal(expected[0].cpu(), found[0].cpu()):
        return "maps"
    keys = ("id", "isthing", "category_id")
    first, second = ([tuple(segment[key] for key in keys) for segment in one[1]] for one in (expected, found))
    if first != second:
        return "segments"
    same = all(torch.equal(a, b) for a, b in zip(expected[2:], found[2:], strict=False))
    return None if same else "other outputs"


def _synchronize(clock: str) -> None:
    if clock == "gpu":
        torch.cuda.synchronize()


def _warm_up(contests: Contests, side: str, device: str) -> None:
    """What libraries load and keep when they are first used is nobody's peak."""
    arrays = make_inputs(0, (32, 32), 2)
    sizes = {name: tuple(arrays[name].tolist()) for name in ("output_size", "network_size")}
    tensors = {name: torch.from_numpy(array).to(device) for name, array in arrays.items() if name not in sizes}
    for make in contests.values():
        getattr(make(Inputs(**sizes, **tensors), 0.5), side)()


def _peak_mb(work: Callable[[], Tuple], device: str) -> Optional[float]:
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


# --- what is printed and written ---


def _case_name(row: Dict[str, Any]) -> str:
    where = f"{row['height']}x{row['width']}, {row['instances']} instances, cutoff {row['cutoff']}"
    return f"{row['contest']}, clock {row['clock']}, {where}"


def _table(rows: List[Dict[str, Any]]) -> str:
    headers = ["", "clock", "output", "N", "cutoff", "Detectron2, ms", "ours, ms", "ratio"]
    headers += ["Detectron2, MB", "ours, MB", "ratio"]
    cells = [
        [
            row["contest"], row["clock"], f"{row['height']}x{row['width']}", row["instances"], row["cutoff"],
            *(f"{row[key]:.2f}" for key in ("reference_ms", "ours_ms")), f"{row['ratio']:.1f}",
            *("" if row[key] is None else f"{row[key]:.1f}" for key in ("reference_mb", "ours_mb", "memory_ratio")),
        ]
        for row in rows
    ]  # fmt: skip
    align = ["left"] * 3 + ["right"] * 8
    return tabulate(cells, headers, colalign=align, disable_numparse=True, tablefmt="github")


def _growth(rows: List[Dict[str, Any]]) -> str:
    """Exponents of time in the number of instances and of pixels, each by least squares with the other left free."""
    groups: Dict[Tuple, List[Dict[str, Any]]] = {}
    for row in rows:
        if row["instances"]:
            groups.setdefault((row["contest"], row["clock"], row["cutoff"]), []).append(row)
    cells = []
    for group, members in groups.items():
        found = [_exponents(members, f"{side}_ms") for side in SIDES]
        cells.append([*group, *(found[side][axis] for axis in range(2) for side in range(2))])
    headers = ["time grows as", "clock", "cutoff", "N^, Detectron2", "N^, ours", "pixels^, Detectron2", "pixels^, ours"]
    align = ["left"] * 2 + ["right"] * 5
    return tabulate(cells, headers, colalign=align, disable_numparse=True, tablefmt="github") if cells else ""


def _exponents(rows: List[Dict[str, Any]], key: str) -> Tuple[str, str]:
    """Of the number of instances and of pixels; a dash where that did not vary."""
    logs = np.log([[row["instances"], row["height"] * row["width"], row[key]] for row in rows])
    factors, times = logs[:, :2] - logs[:, :2].mean(axis=0), logs[:, 2] - logs[:, 2].mean()
    slopes = np.linalg.lstsq(factors, times, rcond=None)[0]
    return tuple(f"{s:.2f}" if f.any() else "-" for s, f in zip(slopes, factors.round(9).T, strict=True))


def _plot(path: Path, rows: List[Dict[str, Any]]) -> None:
    """Time by instances, a panel per contest and clock, a colour per size and cutoff, dashed for Detectron2."""
    from matplotlib.figure import Figure

    contests, clocks = (list(dict.fromkeys(row[key] for row in rows)) for key in ("contest", "clock"))
    figure = Figure(figsize=(5 * len(contests), 4 * len(clocks)), layout="constrained")
    axes = figure.subplots(len(clocks), len(contests), squeeze=False)
    kinds = list(dict.fromkeys((row["height"], row["width"], row["cutoff"]) for row in rows))
    for i, clock in enumerate(clocks):
        for j, contest in enumerate(contests):
            panel = axes[i, j]
            panel.set(title=f"{contest}, {_CLOCK_NAMES[clock]}", xlabel="instances", ylabel="ms")
            panel.set_xscale("symlog", linthresh=10)
            panel.set_yscale("log")
            for number, kind in enumerate(kinds):
                chosen = [
                    row
                    for row in rows
                    if (row["contest"], row["clock"], row["height"], row["width"], row["cutoff"])
                    == (contest, clock, *kind)
                ]
                counts = [row["instances"] for row in chosen]
                for side, style in zip(SIDES, ("--", "-"), strict=True):
                    label = f"{'ours' if side == 'ours' else 'Detectron2'}, {kind[0]}x{kind[1]}, cutoff {kind[2]}"
                    times = [row[f"{side}_ms"] for row in chosen]
                    panel.plot(counts, times, style, marker=".", color=f"C{number}", label=label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})


_CLOCK_NAMES = {"1": "CPU time, one thread", "all": "elapsed, all threads", "gpu": "elapsed, GPU"}
