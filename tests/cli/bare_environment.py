"""The package, really installed, in an environment like this one but for Detectron2 and panopticapi."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple, Sequence

from tests.conftest import ROOT

LEFT_OUT = ("detectron2", "panopticapi", "panoptic_heuristic", "__editable__", "__pycache__")
PACKAGED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "panoptic_heuristic", "configs")


class BareEnvironment(NamedTuple):
    """An environment, and a folder outside of the clone where its programs are run."""

    folder: Path
    work: Path

    def program(self, name: str) -> Path:
        """The path of a program that is installed there."""
        return self.folder / "bin" / name

    def run(self, *command) -> subprocess.CompletedProcess:
        """Runs one of its programs, by its name, with arguments."""
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        name, *arguments = map(str, command)
        return subprocess.run(
            [str(self.program(name)), *arguments],
            cwd=self.work, env=variables, capture_output=True, text=True, timeout=120,
        )  # fmt: skip


def make_bare_environment(folder: Path) -> BareEnvironment:
    """Links every library of this environment into a new one, and installs the package there with pip."""
    environment = BareEnvironment(folder / "environment", folder / "work")
    environment.work.mkdir()
    venv.create(environment.folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = environment.folder / "lib" / version / "site-packages"
    for here in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(here).iterdir():
            if not path.name.startswith(LEFT_OUT) and not (site / path.name).exists():
                (site / path.name).symlink_to(path)
    # Building leaves files beside the sources.
    source = folder / "source"
    copy_sources(source, PACKAGED)
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = environment.run("python", "-m", "pip", "install", *options, source)
    assert done.returncode == 0, done.stderr
    return environment


def copy_sources(folder: Path, names: Sequence[str]) -> None:
    """Copies files and folders of the clone."""
    folder.mkdir()
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
