"""The tables and the plot of a benchmark."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from tabulate import tabulate

from benchmarks.side_by_side.contest import SIDES
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv
from panoptic_heuristic.formats.files import written_whole

COLUMNS = (
    "contest", "clock", "height", "width", "instances", "instances_score_thresh",
    "reference_ms", "ours_ms", "ratio", "reference_mb", "ours_mb", "memory_ratio",
)  # fmt: skip
_CLOCK_NAMES = {"1": "CPU time, one thread", "all": "elapsed, all threads", "gpu": "elapsed, GPU"}


def case_name(row: Dict[str, Any]) -> str:
    """The case of a row, in words."""
    inputs = f"{row['height']}x{row['width']}, {row['instances']} instances"
    return f"{row['contest']}, clock {row['clock']}, {inputs}, score threshold {row['instances_score_thresh']}"


def table(rows: List[Dict[str, Any]]) -> str:
    """Times and peaks of both sides, for people."""
    headers = ["", "clock", "output", "N", "score threshold", "Detectron2, ms", "ours, ms", "ratio"]
    headers += ["Detectron2, MB", "ours, MB", "ratio"]
    cells = [
        [
            row["contest"], row["clock"], f"{row['height']}x{row['width']}",
            row["instances"], row["instances_score_thresh"],
            *(f"{row[key]:.2f}" for key in ("reference_ms", "ours_ms")), f"{row['ratio']:.1f}",
            *("" if row[key] is None else f"{row[key]:.1f}" for key in ("reference_mb", "ours_mb", "memory_ratio")),
        ]
        for row in rows
    ]  # fmt: skip
    align = ["left"] * 3 + ["right"] * 8
    return tabulate(cells, headers, colalign=align, disable_numparse=True, tablefmt="github")


def growth(rows: List[Dict[str, Any]]) -> str:
    """Exponents of time in the number of instances and of pixels, each by least squares with the other left free."""
    groups: Dict[Tuple, List[Dict[str, Any]]] = {}
    for row in rows:
        if row["instances"]:
            groups.setdefault((row["contest"], row["clock"], row["instances_score_thresh"]), []).append(row)
    cells = []
    for group, members in groups.items():
        found = [exponents(members, f"{side}_ms") for side in SIDES]
        cells.append([*group, *(found[side][axis] for axis in range(2) for side in range(2))])
    headers = ["time grows as", "clock", "score threshold", "N^, Detectron2", "N^, ours"]
    headers += ["pixels^, Detectron2", "pixels^, ours"]
    align = ["left"] * 2 + ["right"] * 5
    return tabulate(cells, headers, colalign=align, disable_numparse=True, tablefmt="github") if cells else ""


def exponents(rows: List[Dict[str, Any]], key: str) -> Tuple[str, str]:
    """Of the number of instances and of pixels; a dash where that did not vary."""
    logs = np.log([[row["instances"], row["height"] * row["width"], row[key]] for row in rows])
    factors, times = logs[:, :2] - logs[:, :2].mean(axis=0), logs[:, 2] - logs[:, 2].mean()
    slopes = np.linalg.lstsq(factors, times, rcond=None)[0]
    return tuple(f"{s:.2f}" if f.any() else "-" for s, f in zip(slopes, factors.round(9).T, strict=True))


def write_rows(path: Path, rows: List[Dict[str, Any]]) -> None:
    """Writes all rows as a CSV."""
    write_csv(path, readable_rows([COLUMNS, *([row[column] for column in COLUMNS] for row in rows)]))


def plot(path: Path, rows: List[Dict[str, Any]]) -> None:
    """Time by instances, a panel per contest and clock, a colour per size and threshold, dashed for Detectron2."""
    from matplotlib.figure import Figure

    contests, clocks = (list(dict.fromkeys(row[key] for row in rows)) for key in ("contest", "clock"))
    figure = Figure(figsize=(5 * len(contests), 4 * len(clocks)), layout="constrained")
    axes = figure.subplots(len(clocks), len(contests), squeeze=False)
    kinds = list(dict.fromkeys((row["height"], row["width"], row["instances_score_thresh"]) for row in rows))
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
                    if (row["contest"], row["clock"], row["height"], row["width"], row["instances_score_thresh"])
                    == (contest, clock, *kind)
                ]
                counts = [row["instances"] for row in chosen]
                for side, style in zip(SIDES, ("--", "-"), strict=True):
                    name = "ours" if side == "ours" else "Detectron2"
                    label = f"{name}, {kind[0]}x{kind[1]}, score threshold {kind[2]}"
                    times = [row[f"{side}_ms"] for row in chosen]
                    panel.plot(counts, times, style, marker=".", color=f"C{number}", label=label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})
