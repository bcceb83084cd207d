"""Names of categories as pictures write them."""

from typing import Dict

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.visual.text import is_drawable, one_line


def drawn_names(categories: Categories) -> Dict[int, str]:
    """The names by category id; ``category <id>`` for one with a character that no font of the system has."""
    return {
        one.id: one_line(one.name) if is_drawable(one.name) else f"category {one.id}" for one in categories.values()
    }


def names_note(categories: Categories) -> str:
    """A sentence on names that pictures cannot write; empty if they can write all."""
    lost = [one.id for one in categories.values() if not is_drawable(one.name)]
    if not lost:
        return ""
    return (
        f"no font of this system can write {len(lost)} of the {len(categories)} class names, such as that of category "
        f"{lost[0]}; pictures have the id in its place, until a font is installed that can, such as Noto Sans CJK"
    )
