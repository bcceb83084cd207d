"""Ids of images. An id is a key, a whole number or a text, as COCO, Cityscapes, ADE20K and Mapillary have them.

1 and "1" are two ids. Commands, tables and names of files would show both alike, so one file may not have both.
"""

import hashlib
import json
import re
from typing import Any, Container, Iterable, Optional, Tuple, Union

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import is_integer

ImageId = Union[int, str]

# So much of a text id stands in the name of its file, for people; what follows it tells ids apart.
_READABLE = 40
# As str() writes numbers; Python refuses to read those of thousands of digits.
_NUMBER = r"0|-?[1-9][0-9]{0,99}"


def is_image_id(value: Any) -> bool:
    """True for a whole number and for a text, however long.

    Not for a bool, nor for a text with half a character, which JSON can spell and neither files nor terminals can hold.
    """
    if not isinstance(value, str):
        return is_integer(value)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def id_order(image_id: ImageId) -> Tuple[bool, ImageId]:
    """A key to sort ids by: numbers first, by size, and then texts, by their characters."""
    return isinstance(image_id, str), image_id


def id_file_stem(image_id: ImageId) -> str:
    """The name, without its ending, of a file that belongs to an image: the number itself, or one made of the text.

    No two ids have the same name, also where capitals do not count. The name of a text has lower-case letters, digits,
    ``_`` and ``-`` only and at most 80 characters; its last part is of the text's SHA-256.
    """
    if not isinstance(image_id, str):
        return str(image_id)
    readable = re.sub(r"[^a-z0-9_]+", "-", image_id.lower())[:_READABLE].strip("-")
    digest = hashlib.sha256(image_id.encode("utf-8")).hexdigest()
    return f"text-{readable}-{digest[:32]}"


def id_to_key(image_id: ImageId) -> str:
    """An id as the key of a JSON object, as JSON spells it, so that 1 and "1" stay apart."""
    return json.dumps(image_id, ensure_ascii=False)


def id_of_key(key: Any) -> ImageId:
    """The inverse of :func:`id_to_key`.

    Raises:
        ValueError: ``key`` is not what that gives for any id.
    """
    try:
        image_id = json.loads(key)
    except (ValueError, TypeError, RecursionError):
        image_id = None
    # json.loads also takes " 7" and "\u0037" in quotes, which would be two keys for one id.
    if not is_image_id(image_id) or id_to_key(image_id) != key:
        raise ValueError(f"{key!r} is no key of an image id")
    return image_id


def id_meant(text: str, known: Container[ImageId]) -> ImageId:
    """The id that a word on a command line or in a list of words means.

    Args:
        text: the word.
        known: the ids there are.

    Returns:
        The text itself if it is an id, else the number that it spells, and the text where it spells none. It need not
        be among those known.
    """
    if text in known:
        return text
    try:
        return int(text)
    except ValueError:
        return text


def twin_of(image_id: ImageId, known: Container[ImageId]) -> Optional[ImageId]:
    """The id in ``known`` that looks like this one and is not it: "1" of 1, and 1 of "1"; None without one."""
    if not isinstance(image_id, str):
        twin: ImageId = str(image_id)
    elif re.fullmatch(_NUMBER, image_id):
        twin = int(image_id)
    else:
        return None
    return twin if twin in known else None


def twin_note(image_id: ImageId, known: Container[ImageId]) -> str:
    """The end of a sentence about a missing image if there is one of the other kind; else empty."""
    twin = twin_of(image_id, known)
    if twin is None:
        return ""
    kind = "text" if isinstance(twin, str) else "a number"
    return f"; there is {twin!r}, which is {kind}: write the id alike in both files"


def check_no_twins(ids: Iterable[ImageId], others: Container[ImageId], where: str, there: str) -> None:
    """Raises if an image of one file looks like one of another and has an id of the other kind.

    Args:
        ids: of the one file.
        others: of the other.
        where, there: the files, for the message.

    Raises:
        InputError: names the first such image.
    """
    for image_id in ids:
        twin = None if image_id in others else twin_of(image_id, others)
        if twin is not None:
            raise InputError(
                f"{where} has image {image_id!r} and {there} has {twin!r}: a number and a text are different ids; "
                "write it alike in both files"
            )
