"""Shared by the tests of the prepare commands."""

import os
from pathlib import Path
from typing import Callable, Dict

import numpy as np
from PIL import Image

from tests.conftest import ROOT

DATASETS = ROOT / "datasets"

_KEPT = {"empty": 0, "head": 30, "cut": -30, "end": -1}


def blocks(values, dtype=int) -> np.ndarray:
    """A drawing in which each value is 2x2 pixels."""
    return np.array(values, dtype=dtype).repeat(2, axis=0).repeat(2, axis=1)


def contents(folder: Path) -> Dict[Path, bytes]:
    """Every file of a folder by its path in it."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def truncate(path: Path, damage: str) -> None:
    """Leaves nothing of a file (``empty``), its head, or all but some bytes of its end (``cut``, ``end``)."""
    path.write_bytes(path.read_bytes()[: _KEPT[damage]])


def written_by_any_number_of_processes(main: Callable, folder: Path) -> int:
    """The number of files a script writes into a folder; with one process and with two they have the same bytes."""
    for workers in ("1", "2"):
        assert main(["--workers", workers, "--output", str(folder / workers)]) == 0
    files = contents(folder / "1")
    assert files == contents(folder / "2")
    return len(files)


def assert_mended(main: Callable, root: Path, broken: Path, kept: Path, damage: str, strange: Image.Image) -> None:
    """A second run writes a val PNG that is missing or damaged as it was, and leaves another that is whole.

    Args:
        main: of the command.
        root: its folder.
        broken: the PNG that is damaged, of 8x4 pixels.
        kept: another one.
        damage: one of ``delete`` (with the JSON), ``size``, ``strange id`` and those of :func:`truncate`.
        strange: the picture with an id that cannot be.
    """
    arguments = ["--splits", "val", "--workers", "1"]
    assert main(arguments) == 0
    before = contents(root)
    if damage == "delete":
        broken.unlink()
        (root / "panoptic_val.json").unlink()
    elif damage == "size":
        Image.new("RGB", (4, 4)).save(broken)
    elif damage == "strange id":
        strange.save(broken)
    else:
        truncate(broken, damage)
    os.utime(kept, (1, 1))
    assert main(arguments) == 0
    assert contents(root) == before
    assert kept.stat().st_mtime == 1


def refusal(main: Callable, root: Path, capsys) -> str:
    """The one sentence that a script says of a wrong val split, of which it writes no JSON."""
    assert main(["--splits", "val", "--workers", "1"]) == 2
    printed = capsys.readouterr().err
    (error,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in printed
    assert not (root / "panoptic_val.json").exists()
    return error
