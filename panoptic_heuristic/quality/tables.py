"""Tables of an evaluation for people, and its CSV and JSON files."""

from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.csv_files import write_csv
from panoptic_heuristic.formats.files import write_json, writing_to
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.tables import text_table
from panoptic_heuristic.quality.bootstrap import Interval
from panoptic_heuristic.quality.counts import CategoryCounts
from panoptic_heuristic.quality.intervals import Intervals
from panoptic_heuristic.quality.result import Result
from panoptic_heuristic.quality.summary import category_quality, summarize
from panoptic_heuristic.quality.worst_images import worst_images

RESULT_FILES = ("per_class.csv", "images.csv", "quality.json")
"""The files of :func:`write_result`, in this order."""

_GROUPS = ("all", "things", "stuff")
_KEYS = ("pq", "sq", "rq")
_COUNTS = ("TP", "FP", "FN")
_INTERVAL = "95 % interval of PQ"


def group_table(result: Result, categories: Categories, intervals: Optional[Intervals] = None) -> str:
    """PQ, SQ and RQ in percent of all classes, of things and of stuff, and how many classes occur."""
    summary = summarize(result.counts["pq"], categories)
    rows = []
    for group in _GROUPS:
        quality = getattr(summary, group)
        row = [group, *(_percent(quality and getattr(quality, key)) for key in _KEYS)]
        row.append(str(quality.categories) if quality else "0")
        rows.append(row + ([_interval(getattr(intervals, group))] if intervals else []))
    return _table(rows, ["", "PQ", "SQ", "RQ", "n"] + ([_INTERVAL] if intervals else []), left=1)


def measure_table(result: Result, categories: Categories) -> str:
    """PQ in percent by the other measures; empty without any."""
    rows = []
    for name, counts in result.counts.items():
        if name != "pq":
            summary = summarize(counts, categories)
            groups = [getattr(summary, group) for group in _GROUPS]
            rows.append([name, *(_percent(quality and quality.pq) for quality in groups)])
    return _table(rows, ["measure", *_GROUPS], left=1) if rows else ""


def class_table(result: Result, categories: Categories, intervals: Optional[Intervals] = None) -> str:
    """PQ, SQ and RQ in percent, and the counts, of each class that has any, and how many have none."""
    rows = []
    for category in categories.values():
        counts = result.counts["pq"].get(category.id, CategoryCounts())
        quality = category_quality(counts)
        if quality is None:
            continue
        row = [category.id, category.name, category.kind]
        row += [_percent(getattr(quality, key)) for key in _KEYS]
        row += [counts.tp, counts.fp, counts.fn]
        rows.append(row + ([_interval(intervals.by_category.get(category.id))] if intervals else []))
    headers = ["id", "class", "kind", "PQ", "SQ", "RQ", *_COUNTS]
    table = _table(rows, headers + ([_INTERVAL] if intervals else []), left=3)
    absent = len(categories) - len(rows)
    return f"{table}\n{absent} of {len(categories)} classes have no segment that counts" if absent else table


def worst_table(result: Result, name_of: Mapping[ImageId, str], number: int) -> str:
    """The images of the lowest PQ, worst first; empty without any."""
    worst = worst_images(result, number)
    rows = [[one.image_id, name_of[one.image_id], _percent(one.pq), one.errors] for one in worst]
    return _table(rows, ["worst image", "PNG", "PQ", "errors"], left=2) if rows else ""


def class_rows(result: Result, categories: Categories, intervals: Optional[Intervals] = None) -> Iterator[List[Any]]:
    """A header, and one row per class with every measure; percent, empty where there is no value."""
    others = [name for name in result.counts if name != "pq"]
    header = ["id", "class", "isthing", "PQ", "SQ", "RQ", *_COUNTS, "PQ_low", "PQ_high"]
    yield header + [f"PQ of {name}" for name in others]
    for category in categories.values():
        counts = result.counts["pq"].get(category.id, CategoryCounts())
        quality = category_quality(counts)
        row = [category.id, category.name, int(category.isthing)]
        row += [100 * getattr(quality, key) if quality else "" for key in _KEYS]
        row += [counts.tp, counts.fp, counts.fn]
        interval = intervals.by_category.get(category.id) if intervals else None
        row += [100 * interval.low, 100 * interval.high] if interval else ["", ""]
        for name in others:
            quality = category_quality(result.counts[name].get(category.id, CategoryCounts()))
            row.append(100 * quality.pq if quality else "")
        yield row


def image_rows(result: Result, name_of: Mapping[ImageId, str]) -> Iterator[List[Any]]:
    """A header, and one row per image that has segments, worst first; percent."""
    yield ["image_id", "png", "PQ", "errors"]
    for one in worst_images(result):
        yield [one.image_id, name_of[one.image_id], 100 * one.pq, one.errors]


def write_result(
    folder: Path,
    result: Result,
    categories: Categories,
    name_of: Mapping[ImageId, str],
    intervals: Optional[Intervals] = None,
) -> List[Path]:
    """Writes the result file and its tables; the files of a result before are replaced.

    The JSON goes first and comes last: where it is, all is there and belongs together.

    Args:
        folder: made if it is missing.
        result: what was counted.
        categories: the data set's categories.
        name_of: the PNG of each image id.
        intervals: of the classes' PQ.

    Returns:
        The files written.

    Raises:
        InputError: the folder cannot be written to.
    """
    per_class, images, quality = (folder / name for name in RESULT_FILES)
    with writing_to(folder):
        quality.unlink(missing_ok=True)
        write_csv(per_class, class_rows(result, categories, intervals))
        write_csv(images, image_rows(result, name_of))
        write_json(quality, result.to_json())
    return [per_class, images, quality]


def _table(rows: List[List[Any]], headers: List[str], left: int) -> str:
    return text_table(rows, headers, "l" * left + "r" * (len(headers) - left))


def _percent(share: Optional[float]) -> str:
    return "n/a" if share is None else f"{100 * share:.2f}"


def _interval(interval: Optional[Interval]) -> str:
    return "n/a" if interval is None else f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"
