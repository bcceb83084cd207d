"""A note in a cache of where the ground truth of its images lies; the predictions do not depend on it."""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import schema
from panoptic_heuristic.formats.files import PathLike, read_json, write_json

_FILE = "ground_truth.json"

# The paths as they are, whatever the working folder; and seen from the cache, for when both have moved together.
_ABSOLUTE, _FROM_CACHE = ("panoptic_json", "panoptic_root"), ("panoptic_json_from_cache", "panoptic_root_from_cache")

_FORM = schema.fields(dict.fromkeys(_ABSOLUTE, schema.file_name), dict.fromkeys(_FROM_CACHE, schema.file_name))


def remember_gt(folder: PathLike, panoptic_json: PathLike, panoptic_root: PathLike) -> None:
    """Notes the ground truth in the folder of a cache.

    Args:
        folder: of the cache.
        panoptic_json: a COCO panoptic JSON.
        panoptic_root: the folder of its PNGs.
    """
    paths = [os.path.abspath(path) for path in (panoptic_json, panoptic_root)]
    note: Dict[str, Any] = dict(zip(_ABSOLUTE, paths, strict=True))
    note.update(zip(_FROM_CACHE, (os.path.relpath(path, folder) for path in paths), strict=True))
    write_json(Path(folder) / _FILE, note)


def find_gt(folder: PathLike) -> Tuple[Path, Path]:
    """The JSON and the folder of PNGs that :func:`remember_gt` noted, where they were or moved with the cache.

    Raises:
        InputError: the cache does not say where its ground truth is, or it is not there any more.
    """
    path = Path(folder) / _FILE
    if not path.exists():
        raise InputError(f"{folder} does not say where its ground truth is; give --gt-json and --gt-folder")
    note = read_json(path)
    _FORM(note, str(path))
    places = list(_places(Path(folder), note))
    for panoptic_json, panoptic_root in places:
        if panoptic_json.is_file() and panoptic_root.is_dir():
            return panoptic_json, panoptic_root
    # Both are one place as long as nothing has moved.
    listed = ", nor at ".join(dict.fromkeys(f"{gt_json} with {gt_folder}" for gt_json, gt_folder in places))
    raise InputError(f"the ground truth of {folder} is not at {listed}; give --gt-json and --gt-folder")


def _places(folder: Path, note: Mapping[str, Any]) -> Iterator[Tuple[Path, Path]]:
    yield Path(note[_ABSOLUTE[0]]), Path(note[_ABSOLUTE[1]])
    # Caches of former versions have paths as they were typed, and these alone.
    if all(key in note for key in _FROM_CACHE):
        # As text, as relpath did it: a symbolic link on the way must not lead elsewhere.
        seen_from = [os.path.normpath(os.path.join(os.path.abspath(folder), note[key])) for key in _FROM_CACHE]
        yield Path(seen_from[0]), Path(seen_from[1])
