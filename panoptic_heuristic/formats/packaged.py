"""The configs, presets and grids that come with the package, nameable from any folder."""

import os
from pathlib import Path

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike

_PACKAGE = Path(__file__).resolve().parents[1]
# Installed they lie in the package; in a clone, beside it.
CONFIGS = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())


def config_path(name: PathLike) -> Path:
    """The file that a config, preset or grid is named by.

    Args:
        name: a path that exists; else one below the packaged ``configs/``, such as ``presets/rap.yaml`` or
            ``configs/presets/rap.yaml``.

    Raises:
        InputError: there is no such file in either place.
    """
    path = Path(name)
    if path.is_file():
        return path
    packaged = CONFIGS / (path.relative_to("configs") if path.parts[:1] == ("configs",) else path)
    if packaged.is_file():
        return packaged
    raise InputError(f"there is no file {os.fspath(name)!r} here, and none of that name in {CONFIGS}")
