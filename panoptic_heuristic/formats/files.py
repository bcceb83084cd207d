"""Reading and writing files so that wrong input is told plainly and nothing is half written."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Iterator, Union

from panoptic_heuristic.errors import InputError

PathLike = Union[str, "os.PathLike[str]"]


def read_bytes(path: PathLike, most: int = -1) -> bytes:
    """Reads a file, or its first ``most`` bytes.

    Raises:
        InputError: the file is missing or unreadable.
    """
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def read_json(path: PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: the file is missing or unreadable, or is not JSON (the line is named).
    """
    try:
        # With or without the byte order mark that Windows' tools write.
        with open(path, encoding="utf-8-sig") as file:
            return json.load(file)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not valid JSON: it is no text in UTF-8; save it in that encoding") from error
    # A number of five thousand digits is a plain ValueError, brackets nested that deep a RecursionError.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


@contextlib.contextmanager
def writing_to(where: object) -> Iterator[None]:
    """Says what the system refuses in the block in one sentence, in which ``where`` names the folder.

    Raises:
        InputError: the block raised an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to {where}: {error.strerror}") from error


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` and renames it to ``path`` when the block succeeds.

    The temporary name keeps the suffix, since image writers choose the format by it. When the
    block fails or is interrupted, the temporary file is removed and ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def remove_leftovers(folder: PathLike) -> None:
    """Deletes what :func:`written_whole` leaves in a folder when its process is killed; nobody may be writing there."""
    for path in Path(folder).glob(".*.partial*"):
        path.unlink(missing_ok=True)


def write_json(path: PathLike, value: Any) -> None:
    """Writes JSON whole or not at all; equal values give equal bytes."""
    with written_whole(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(value, file, sort_keys=True)


def file_sha256(path: PathLike) -> str:
    """SHA-256 of a file's content, as hexadecimal digits; the file may be larger than memory.

    Raises:
        InputError: the file is missing or unreadable.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


def inside(folder: PathLike, file_name: str) -> Path:
    """The path of ``file_name`` in ``folder``.

    Raises:
        InputError: the name is absolute, leads out of the folder, or names no file.
    """
    relative = Path(file_name)
    if not relative.parts or "\0" in file_name or not _is_encodable(file_name):
        raise InputError(f"file_name {file_name!r} is no name of a file in {folder}")
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(
            f"file_name {file_name!r} leads out of its folder {folder}; expected a name relative to it"
        )
    return Path(folder) / relative


def _is_encodable(name: str) -> bool:
    """JSON can spell halves of characters, which no file system takes."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
