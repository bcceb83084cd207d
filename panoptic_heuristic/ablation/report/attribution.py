"""The part of a report that shows ``attribution.json`` of attribute-errors."""

from typing import Any, Dict, List, Mapping

from panoptic_heuristic.ablation.report.attribution_form import GROUPS, PIXELS, check_attribution
from panoptic_heuristic.ablation.report.document import Block, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.words import count, measure, plural, signed
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_json

_FORMAT = 2
_CLASSES_NAMED = 3


def attribution_blocks(path: PathLike, sweep: SweepResult) -> List[Block]:
    """Tables of causes, oracles and pixels.

    Args:
        path: the file.
        sweep: of the same predictions and ground truth.

    Raises:
        InputError: the file is missing, something else, or of other predictions or another ground truth.
    """
    data = read_json(path)
    found = data.get("format") if isinstance(data, Mapping) else None
    if found != _FORMAT:
        raise InputError(f"{path} is no attribution of format {_FORMAT} (it says {found!r}); make it anew")
    check_attribution(data, str(path))
    if data["fingerprint"] != sweep.manifest["fingerprint"]:
        raise InputError(
            f"{path} is of other predictions or another ground truth than {sweep.folder}; make both from one cache"
        )
    return _blocks(data)


def _blocks(data: Mapping[str, Any]) -> List[Block]:
    name_of = {category["id"]: category["name"] for category in data["categories"]}
    blocks: List[Block] = [
        Heading("Where errors come from"),
        Text(
            f"Errors of {data['described']} in {plural(data['images'], 'image')}. Each has one cause, the first that "
            "applies."
        ),
        _causes(data["groups"], name_of),
        Text(
            "What PQ would be if one thing were perfect and all else as it is: about the most that mending it can "
            "bring. The gains do not add up."
        ),
        _oracles(data["oracles"]),
        _pixels(data["pixel_errors"]),
    ]
    return blocks


def _causes(groups: List[Mapping[str, Any]], name_of: Mapping[int, str]) -> Table:
    rows = []
    for group in groups:
        rows.append(Row((group["title"], "", "", count(group["count"]), ""), "total"))
        for cause in sorted(group["causes"], key=lambda cause: -cause["count"]):
            if not cause["count"]:
                continue
            classes = ", ".join(
                f"{name_of[one['category_id']]} {count(one['count'])}" for one in cause["categories"][:_CLASSES_NAMED]
            )
            share = f"{100 * cause['share']:.1f} %"
            rows.append(Row((cause["title"], cause["oracle"] or "", classes, count(cause["count"]), share)))
    return Table(("cause", "mended by", "mostly of", "errors", "share"), tuple(rows), words=3)


def _oracles(oracles: List[Mapping[str, Any]]) -> Table:
    rows = []
    for one in oracles:
        known: Dict[str, Any] = {group: one["pq"][group] for group in GROUPS}
        is_oracle = one["oracle"] != "none"
        gains = [signed(one["gain"][group]) if is_oracle else "" for group in GROUPS]
        name = one["oracle"] if is_oracle else ""
        rows.append(Row((name, one["title"], *(measure(known[group]) for group in GROUPS), *gains)))
    header = ("oracle", "what is perfect", "PQ", "PQ things", "PQ stuff", "gain", "gain things", "gain stuff")
    return Table(header, tuple(rows), words=2)


def _pixels(zones: Mapping[str, Any]) -> Table:
    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %" if whole else measure(None)

    rows = []
    for zone, name in (("band", "near borders of things and stuff"), ("elsewhere", "elsewhere")):
        one = zones[zone]
        kinds = (share(one[kind], one["pixels"]) for kind in PIXELS)
        rows.append(Row((name, count(one["pixels"]), share(one["errors"], one["pixels"]), *kinds)))
    caption = (
        "Pixels of the wrong category. Near is within "
        f"{100 * zones['band_ratio']:g} % of the image's diagonal from a border in the ground truth."
    )
    return Table(("zone", "pixels", "wrong", *PIXELS.values()), tuple(rows), caption=caption)
