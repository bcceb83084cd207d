"""The form of ``attribution.json``, as far as a report shows it."""

from typing import Any

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import schema

GROUPS = ("all", "things", "stuff")
"""The groups of categories that PQ is told of."""

PIXELS = {
    "void": "no segment",
    "thing_as_stuff": "thing as stuff",
    "stuff_as_thing": "stuff as thing",
    "other_category": "other category of the kind",
}
"""The kinds of wrong pixels, and what they are called."""

_COUNT = schema.whole(0)
_CAUSE = schema.fields(
    {
        "title": schema.text,
        "oracle": schema.or_null(schema.text),
        "count": _COUNT,
        "share": schema.number(0, 1),
        "categories": schema.list_of(schema.fields({"category_id": schema.whole(), "count": _COUNT})),
    }
)
_ORACLE = schema.fields(
    {
        "oracle": schema.text,
        "title": schema.text,
        "pq": schema.fields(dict.fromkeys(GROUPS, schema.or_null(schema.number(0, 100)))),
        "gain": schema.fields(dict.fromkeys(GROUPS, schema.or_null(schema.number(-100, 100)))),
    }
)
_ZONE = schema.fields(dict.fromkeys(("pixels", "errors", *PIXELS), _COUNT))
_FORM = schema.fields(
    {
        "fingerprint": schema.text,
        "described": schema.text,
        "images": _COUNT,
        "categories": schema.list_of(schema.fields({"id": schema.whole(), "name": schema.text})),
        "groups": schema.list_of(
            schema.fields({"title": schema.text, "count": _COUNT, "causes": schema.list_of(_CAUSE)})
        ),
        "oracles": schema.list_of(_ORACLE),
        "pixel_errors": schema.fields({"band_ratio": schema.number(0, 1), "band": _ZONE, "elsewhere": _ZONE}),
    }
)


def check_attribution(data: Any, where: str) -> None:
    """Checks a whole ``attribution.json``.

    Args:
        data: the parsed file.
        where: its path.

    Raises:
        InputError: it has another form, or an error has a category that is not listed.
    """
    _FORM(data, where)
    known = {category["id"] for category in data["categories"]}
    for group in data["groups"]:
        for cause in group["causes"]:
            for one in cause["categories"]:
                if one["category_id"] not in known:
                    raise InputError(
                        f"{where}: category {one['category_id']} of {cause['title']!r} is not listed; make it anew"
                    )
