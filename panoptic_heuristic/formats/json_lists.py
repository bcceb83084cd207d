"""Long lists in JSON files, such as results of COCO's form, read piece by piece."""

import json
import re
from pathlib import Path
from typing import Any, Iterator, Optional, TextIO

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_json
from panoptic_heuristic.formats.packed import Packed, packed

# In characters.
_PIECE = 2**20

_SPACE = " \t\n\r"
_skip_space = re.compile(f"[{_SPACE}]*").match
_decode = json.JSONDecoder().raw_decode


def read_json_list(path: PathLike, kind: str) -> Packed[Any]:
    """Reads a JSON file that is a list, with a few of its elements unpacked at once.

    Args:
        path: the file.
        kind: of file, for the error.

    Raises:
        InputError: the file is missing or unreadable, is not JSON (the line is named), or is no list.
    """
    # Whatever else can be opened, such as the output of a program, can be read once only.
    found = _pieces(path) if Path(path).is_file() else None
    if found is not None:
        return found
    elements = read_json(path)
    if not isinstance(elements, list):
        raise InputError(f"{path} is no {kind}: expected a list, got {type(elements).__name__}")
    try:
        return packed(elements)
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def _pieces(path: PathLike) -> Optional[Packed[Any]]:
    """The elements; None if anything is wrong, which is told best by who reads the file as a whole."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return packed(_elements(file))
    except (OSError, ValueError, RecursionError):
        return None


def _elements(file: TextIO) -> Iterator[Any]:
    """The elements of a list.

    Raises:
        ValueError: the text is not one list that has any.
    """
    text = file.read(_PIECE)
    place = _past_space(text, 0) + 1
    if text[place - 1 : place] != "[":
        raise ValueError("no list")
    mark = ","
    while mark == ",":
        try:
            element, stop = _decode(text, _past_space(text, place))
            stop = _past_space(text, stop)
            # A number may go on where the text is cut: only what follows it tells that it is whole.
            mark = text[stop]
        except (json.JSONDecodeError, IndexError):
            # As much again, so that an element of many pieces is not begun anew with each.
            more = file.read(max(_PIECE, len(text) - place))
            if not more:
                raise ValueError("no end") from None
            text, place = text[place:] + more, 0
        else:
            yield element
            place = stop + 1
    if mark != "]" or (text[place:] + file.read()).strip(_SPACE):
        raise ValueError("more than a list")


def _past_space(text: str, place: int) -> int:
    return _skip_space(text, place).end()
