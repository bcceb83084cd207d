"""Reading and writing files so that wrong input is told plainly and nothing is half written."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Optional, Union

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.temporary_names import temporary_beside

PathLike = Union[str, "os.PathLike[str]"]


def open_regular(path: PathLike) -> BinaryIO:
    """Opens a file to read its bytes. A pipe would be waited for without end, and a device has none.

    Raises:
        OSError: the file is missing or unreadable, or no regular file.
    """
    _size_of_regular(path)
    return open(path, "rb")


def read_bytes(path: PathLike, most: Optional[int] = None) -> bytes:
    """Reads a file, or its first ``most`` bytes.

    Raises:
        InputError: the file is missing or unreadable, or a pipe or a device.
    """
    try:
        size = _size_of_regular(path)
        # Python's own files take four times as long to open and close as this one to be read.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return _read(descriptor, size if most is None else min(size, most))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _read(descriptor: int, size: int) -> bytes:
    parts = []
    while size and (part := os.read(descriptor, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _size_of_regular(path: PathLike) -> int:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file but a pipe, a socket or a device", str(path))
    return status.st_size


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


class NotWrittenError(InputError):
    """A file or a folder could not be written: the disk is full or read-only, or something is in the way."""


@contextlib.contextmanager
def writing_to(where: object) -> Iterator[None]:
    """Says what the system refuses in the block in one sentence, in which ``where`` names the file or folder.

    Raises:
        NotWrittenError: the block raised an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise NotWrittenError(f"cannot write to {where}: {error.strerror or error}") from error


def check_writable(folder: PathLike) -> None:
    """Tries whether files can be written to a folder, before hours of work; leaves no trace.

    Args:
        folder: if it is not there, the folder above it is tried in which it would be made.

    Raises:
        NotWrittenError: they cannot.
    """
    folder = Path(os.path.abspath(folder))
    with writing_to(folder):
        # By lstat, which raises where a name is too long, and sees links that lead nowhere.
        there = next(one for one in (folder, *folder.parents) if _is_there(one))
        if there.is_file():
            raise NotWrittenError(f"cannot write to {folder}: it is a file; expected a folder")
        probe = temporary_beside(there / "probe")
        try:
            with open(probe, "wb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        finally:
            with contextlib.suppress(OSError):
                os.remove(probe)


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` and renames it to ``path`` when the block succeeds.

    When the block fails or is interrupted, the temporary file is removed and ``path`` is as it was. Of two processes
    that write one path at a time, both succeed, and the file is that of the last.

    Raises:
        NotWrittenError: the system refuses.
    """
    path = Path(path)
    with writing_to(path):
        _make_folder(path.parent)
        temporary = temporary_beside(path)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                os.remove(temporary)


@contextlib.contextmanager
def folder_written_whole(path: PathLike, *, replace: bool) -> Iterator[Path]:
    """Gives a temporary folder beside ``path``, which takes its place when the block succeeds.

    When the block fails or is interrupted, the temporary folder is removed and ``path`` is as it was.

    Args:
        path: a folder to be.
        replace: whether a folder that is there by then is replaced.

    Raises:
        NotWrittenError: the system refuses, or there is a folder with files in it that is not to be replaced.
    """
    path = Path(path)
    with writing_to(path):
        _make_folder(path.parent)
        temporary = temporary_beside(path)
        try:
            temporary.mkdir()
            yield temporary
            _take_place(temporary, path, replace)
        except NotWrittenError as error:
            raise NotWrittenError(str(error).replace(str(temporary), str(path))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        # The plainer reason for a file in its place.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _take_place(temporary: Path, path: Path, replace: bool) -> None:
    old = temporary.with_name(f"{temporary.name}.old")
    # Another process may do the same at the same time.
    for is_last in (False, False, True):
        try:
            if replace:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(path, old)
            os.rename(temporary, path)
            return
        except OSError:
            if is_last or not replace:
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def write_text(path: PathLike, text: str) -> None:
    """Writes UTF-8 whole or not at all; halves of characters, which UTF-8 has not, are spelled as ``\\ud800``."""
    with written_whole(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_json(path: PathLike, value: Any) -> None:
    """Writes JSON whole or not at all; equal values give equal bytes.

    Raises:
        NotWrittenError: the system refuses.
    """
    # `json.dump` encodes in Python, ten times as slowly.
    write_text(path, json.dumps(value, sort_keys=True))


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
    # Told from the text: making a Path of it takes twice the time of all the rest.
    parts = file_name.split("/")
    if not any(part not in ("", ".") for part in parts) or "\0" in file_name or not is_encodable(file_name):
        raise InputError(f"file_name {file_name!r} is no name of a file in {folder}")
    if file_name.startswith("/") or ".." in parts:
        raise InputError(
            f"file_name {file_name!r} leads out of its folder {folder}; expected a name relative to it"
        )
    return Path(folder) / file_name


def is_encodable(name: str) -> bool:
    """True for a name without halves of characters, which JSON can spell and no file system takes."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
