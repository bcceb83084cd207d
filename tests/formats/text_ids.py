"""Ids of images that are text: such that name no file, and files whose numbers become texts."""

import json
from pathlib import Path
from typing import Any, Callable

ODD = (
    "", " ", ".", "..", "../../outside", "/etc/passwd", "a/b", "a\\b", "C:x", "con", "NUL", "a\nb", "a\tb", "a\0b", "é",
    "e\u0301", "鱼", "🐟", "x" * 5000, "x" * 5001, "Aachen_000000", "aachen_000000", "AACHEN_000000", "ß", "ss",
    "-", "--images", "007", "1.0", "1e3", "+1", "true", "null", "text-a", "frankfurt_000000_000294", "ADE_val_00000001",
)  # fmt: skip
"""None looks like a number; some differ in capitals or in the form of an accent only."""


def text_of(image_id: int) -> str:
    """A text that sorts as its number does, from 0 to 9999, with much in it that no file name may have."""
    return f"../Aachen/{image_id:04d} é*?.x"


def with_text_ids(path: Path, text_of: Callable[[int], str] = text_of) -> None:
    """Makes the ids of images in a JSON texts: of a panoptic or an instances file, or of results."""
    path.write_text(json.dumps(_renamed(json.loads(path.read_text()), text_of)))


def _renamed(content: Any, text_of: Callable[[int], str]) -> Any:
    if isinstance(content, list):
        return [{**entry, "image_id": text_of(entry["image_id"])} for entry in content]
    images = [{**image, "id": text_of(image["id"])} for image in content.get("images", [])]
    annotations = _renamed(content.get("annotations", []), text_of)
    return {**content, "images": images, "annotations": annotations}
