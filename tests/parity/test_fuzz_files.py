"""Damaged files end in one sentence, whatever is damaged: never in a traceback, never in half a file.

``PARITY=full`` damages 2,000 files; otherwise a sample runs. ``FUZZ_FIRST`` names another first seed.
"""

import json
import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, Tuple

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats.arrays import is_sound
from panoptic_heuristic.formats.temporary_names import is_temporary
from tests.parity.fuzzed_commands import COMMANDS, OUTPUT, FuzzedCommand, link_tree, run_quietly, write_inputs
from tests.parity.mutations import mutate

CASES = 2000 if os.environ.get("PARITY") == "full" else 400
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
_SECONDS = 60

# A cache keeps regions beside its predictions.
_OWN = re.compile(rf"{OUTPUT}(/|$)|sweep/|cache/regions")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz")
    write_inputs(root)
    return root


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.name} of {one.inputs}")
def test_the_inputs_are_sound(inputs, tmp_path, command):
    link_tree(inputs / command.inputs, tmp_path / "in")
    run_quietly(command, tmp_path / "in")


def test_damaged_files_are_one_sentence(inputs, tmp_path, capfd):
    codes: Counter = Counter()
    faults = []
    for seed in range(FIRST, FIRST + CASES):
        rng = np.random.default_rng([15, seed])
        weights = np.array([command.weight for command in COMMANDS])
        command = COMMANDS[int(rng.choice(len(COMMANDS), p=weights / weights.sum()))]
        code, fault = _run(command, rng, inputs, tmp_path / "in", capfd)
        codes[command.name.split()[0], code] += 1
        if fault:
            faults.append(f"seed {seed}, {command.name}, {fault}")
    with capfd.disabled():
        for (name, code), number in sorted(codes.items()):
            print(f"{name}: {number} with exit code {code}")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults)


def _run(
    command: FuzzedCommand, rng: np.random.Generator, inputs: Path, folder: Path, capfd: pytest.CaptureFixture
) -> Tuple[int, str]:
    """The exit code (-1 for an exception), and what is wrong with how it ended."""
    link_tree(inputs / command.inputs, folder)
    # Not every form has a JSON.
    groups = [files for files in (sorted(folder.glob(pattern)) for pattern in command.targets) if files]
    files = groups[int(rng.integers(len(groups)))]
    target = files[int(rng.integers(len(files)))]
    what = f"{target.relative_to(folder)} ({mutate(rng, target)})"
    before = _state(folder)
    capfd.readouterr()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_SECONDS)
    try:
        code = command.main(command.argv(folder))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        place = error.__traceback__
        while place.tb_next:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
        return -1, f"{what}: {type(error).__name__} at {where}: {error!s:.150}"
    finally:
        signal.alarm(0)
        err = capfd.readouterr().err
        faults = [*_said(err), *_left(folder, before)]
        shutil.rmtree(folder)
    allowed = (0, 1, 2) if command.name == "check-dataset" else (0, 2)
    sentences = [line for line in err.splitlines() if line.startswith("error: ")]
    if code not in allowed or len(sentences) != (code == 2):
        faults.append(f"exit code {code} and {sentences}")
    return code, f"{what}: {'; '.join(faults)}" if faults else ""


def _too_long(*_: object) -> None:
    raise TimeoutError(f"it took more than {_SECONDS} s")


def _said(err: str) -> Iterator[str]:
    for word in ("Traceback", "libpng", "Warning", "OpenCV"):
        if word in err:
            yield f"stderr: {err[max(err.index(word) - 100, 0) :]!r:.300}"


def _state(folder: Path) -> Dict[str, Tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def _left(folder: Path, before: Dict[str, Tuple[int, int]]) -> Iterator[str]:
    after = _state(folder)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        path = folder / name
        if not _OWN.match(name):
            yield f"{name} was changed"
        elif is_temporary(path.name) or (path.exists() and not _is_whole(path)):
            yield f"{name} is half written"


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        return path.suffix != ".arrays" or is_sound(path)
    except (OSError, ValueError, SyntaxError):
        return False
