"""The causes, oracles and pixels of an attribution, as tables for people."""

from collections import Counter
from typing import Any, List, Optional, Sequence

from panoptic_heuristic.ablation.attribution import disagreement as heads
from panoptic_heuristic.ablation.attribution import pixel_errors
from panoptic_heuristic.ablation.attribution.causes import CAUSES, GROUPS, SegmentError
from panoptic_heuristic.ablation.attribution.files import by_count, name_of, oracle_of
from panoptic_heuristic.ablation.attribution.oracles import AS_IT_IS, TITLES
from panoptic_heuristic.ablation.attribution.result import Attribution
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.tables import text_table
from panoptic_heuristic.quality import summarize

_HEADS = {
    "instance_on_stuff": "an instance on labels of stuff",
    "no_instance": "labels of no stuff, but no instance",
    "other_thing": "an instance on labels of another thing",
}


def attribution_tables(total: Attribution) -> str:
    """All tables, one after the other."""
    blocks = [cause_table(group, total) for group in GROUPS]
    blocks += [oracle_table(total), pixel_table(total), disagreement_table(total.disagreement)]
    return "\n\n".join(block for block in blocks if block)


def cause_table(group: str, total: Attribution) -> str:
    """One line per cause of a group: how many errors it has, their share, and the category that has most of them."""
    errors = [error for _, error in total.errors if error.group == group]
    rows = []
    for name, cause in CAUSES[group].items():
        own = Counter(error.category_id for error in errors if error.cause == name)
        most = "" if not own else "{} ({})".format(*_most(own, total.categories))
        oracle = TITLES.get(oracle_of(cause, total), "")
        rows.append([cause.title, own.total(), _share(own.total(), len(errors)), most, oracle])
    rows.append(["all", len(errors), _share(len(errors), len(errors)), "", ""])
    return text_table(rows, [GROUPS[group], "count", "share", "most", "oracle"], "lrrll")


def oracle_table(total: Attribution) -> str:
    """PQ in percent, and what each oracle adds to it, of all classes, of things and of stuff."""
    summaries = {name: summarize(counts, total.categories) for name, counts in total.counts.items()}
    rows = []
    for name, summary in summaries.items():
        row: List[Any] = [TITLES.get(name, "as it is")]
        for group in ("all", "things", "stuff"):
            ours, before = getattr(summary, group), getattr(summaries[AS_IT_IS], group)
            row.append("n/a" if ours is None else f"{100 * ours.pq:.2f}")
            gained = name != AS_IT_IS and ours is not None and before is not None
            row.append(f"{100 * (ours.pq - before.pq):+.2f}" if gained else "")
        rows.append(row)
    return text_table(rows, ["oracle", "PQ", "gain", "PQ things", "gain", "PQ stuff", "gain"], "lrrrrrr")


def pixel_table(total: Attribution) -> str:
    """Pixels of wrong categories near borders of things and stuff and elsewhere, and stuff that things took."""
    rows = []
    for zone, row in reversed(list(zip(pixel_errors.ZONES, total.pixel_errors.tolist(), strict=True))):
        kinds, pixels = dict(zip(pixel_errors.KINDS, row, strict=True)), sum(row)
        title = "near borders of things and stuff" if zone == "band" else "elsewhere"
        wrong = [kinds[kind] for kind in pixel_errors.KINDS if kind != "right"]
        rows.append([title, pixels, _share(sum(wrong), pixels), *(_share(one, pixels) for one in wrong)])
    table = text_table(
        rows, ["pixels", "count", "wrong", "void", "thing as stuff", "stuff as thing", "other category"], "lrrrrrr"
    )
    gt, right, to_false, to_others = total.stuff_pixels.sum(axis=0).tolist()
    return (
        f"{table}\n\nstuff: {gt} pixels, {right} of them with the right label; of these, false things took "
        f"{to_false} ({_share(to_false, right)}), other things {to_others} ({_share(to_others, right)})"
    )


def disagreement_table(one: heads.Disagreement) -> str:
    """The pixels where the heads disagree, and who is right; empty if there are no semantic labels."""
    if not one.images:
        return ""
    rows = []
    pixels = int(one.zones.sum())
    for kind, values in zip(heads.KINDS, one.counts.sum(axis=0).tolist(), strict=True):
        rows.append([_HEADS[kind], sum(values), _share(sum(values), pixels), *(_share(v, sum(values)) for v in values)])
    table = text_table(
        rows, ["heads disagree", "pixels", "share", "instances right", "labels right", "neither", "unknown"], "lrrrrrr"
    )
    elsewhere, band = one.counts.sum(axis=(1, 2)).tolist()
    near, far = _share(band, int(one.zones[1])), _share(elsewhere, int(one.zones[0]))
    return f"{table}\n\nheads disagree on {near} of the pixels near borders of things and stuff, on {far} elsewhere"


def error_table(errors: Sequence[SegmentError], categories: Categories) -> str:
    """One line per error of an image; empty without any."""
    rows = [
        [
            error.group.replace("_", " "),
            error.segment_id,
            categories[error.category_id].name,
            error.area,
            CAUSES[error.group][error.cause].title,
            "" if error.instance_id is None else f"#{error.instance_id}",
            "" if error.score is None else f"{error.score:.3f}",
            f"{error.iou:.3f}",
            name_of(error.by, categories),
        ]
        for error in errors
    ]
    headers = ["error", "segment", "category", "pixels", "cause", "instance", "score", "IoU", "due to"]
    return text_table(rows, headers, "lrlrllrrl") if rows else ""


def _most(counts: Counter, categories: Categories) -> "tuple[str, int]":
    category_id, count = by_count(counts)[0]
    return categories[category_id].name, count


def _share(part: int, of: Optional[int]) -> str:
    return f"{part / of:.1%}" if of else "n/a"
