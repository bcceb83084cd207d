"""Packs the parts of the page and its data into one HTML file that needs no other.

The modules of ``parts/`` import each other by names such as ``explorer/fusing.js``; an import map leads these to their
text, so that a browser runs the very files. A policy in the page lets it load nothing else, from nowhere.
"""

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

PARTS = Path(__file__).resolve().parent / "parts"
_MAIN = "explorer/main.js"


def pack_page(title: str, page: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> str:
    """The text of the HTML file.

    Args:
        title: of the page.
        page: JSON values that are not of a single image, see ``parts/page.js``.
        images: JSON values of each image, see ``parts/image.js``.
    """
    style = _part("style.css")
    import_map = _in_script({"imports": {f"explorer/{name}": _module(name) for name in _modules()}})
    start = f'import "{_MAIN}";'
    data = [f'<script type="application/json" id="page">{_in_script(page)}</script>']
    data += [f'<script type="application/json" class="image">{_in_script(one)}</script>' for one in images]
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src {_hash(style)}; "
        f"script-src data: {_hash(import_map)} {_hash(start)}; base-uri 'none'; form-action 'none'"
    )
    values: Dict[str, str] = {
        "title": html.escape(title),
        "policy": html.escape(policy),
        "style": style,
        "import_map": import_map,
        "data": "\n".join(data),
        "start": start,
    }
    text = _part("page.html")
    # Not one after the other: a value may hold what looks like a place.
    pieces = text.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [values[name], rest]
    return "".join(filled)


def _modules() -> Sequence[str]:
    return sorted(path.name for path in PARTS.glob("*.js"))


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _module(name: str) -> str:
    """A module as a URL. Its name is what a browser's console calls it."""
    text = f"{_part(name)}\n//# sourceURL=explorer/{name}\n"
    return f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode('ascii')}"


def _in_script(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends that, and nothing of it is a line break in old
    scripts.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
