"""The errors of two settings side by side: what a change mends, and what it breaks."""

from collections import Counter
from typing import Callable, Dict, Hashable, Iterable, List, NamedTuple, Sequence, Tuple, TypeVar

from panoptic_heuristic.ablation.attribution.causes import (
    CAUSES,
    GROUPS,
    MISSED_STUFF,
    MISSED_THING,
    SegmentError,
)
from panoptic_heuristic.ablation.report.document import Block, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.words import count, plural, signed_count
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.image_ids import ImageId

MENDED = "What the recommended settings mend and break"
"""The heading."""

_LONG_TABLE = 30
_COLUMNS = ("default", "recommended", "change", "fixed", "broken", "unchanged")

Kind = TypeVar("Kind", bound=Hashable)

Errors = Sequence[Tuple[ImageId, SegmentError]]
"""Of all images: an image's id and an error."""


class Tally(NamedTuple):
    """Numbers of errors.

    Attributes:
        before, after: of the one settings and of the other.
        fixed: those of the first that the others do not make.
        broken: those that only the others make.
        unchanged: those that both make.
    """

    before: int
    after: int
    fixed: int
    broken: int
    unchanged: int


def tally(before: Errors, after: Errors, kind: Callable[[SegmentError], Kind]) -> Dict[Kind, Tally]:
    """Numbers of errors of each kind.

    An error is the same if it is about the same ground-truth segment, or the same instance, or the labels of the same
    category. It may have another cause then; what is fixed and unchanged counts for the kind that it was of before.

    Args:
        before, after: the errors of two settings on the same images.
        kind: of an error.
    """
    first, second = _by_identity(before), _by_identity(after)
    numbers = [
        Counter(map(kind, errors))
        for errors in (
            first.values(),
            second.values(),
            (error for key, error in first.items() if key not in second),
            (error for key, error in second.items() if key not in first),
            (error for key, error in first.items() if key in second),
        )
    ]
    return {one: Tally(*(number[one] for number in numbers)) for one in {**numbers[0], **numbers[1]}}


def error_blocks(before: Errors, after: Errors, categories: Categories, level: int) -> List[Block]:
    """Tables of errors by cause and by class.

    Args:
        before: of the default.
        after: of the recommended settings.
        categories: the data set's.
        level: of the heading.
    """
    everything = tally(before, after, lambda error: None).get(None, Tally(0, 0, 0, 0, 0))
    return [
        Heading(MENDED, level),
        Text(
            f"Errors are missed segments and false positives. Of the default's {count(everything.before)} the "
            f"recommended settings, as tuned in the end, mend {count(everything.fixed)} and keep "
            f"{count(everything.unchanged)}; they make {plural(everything.broken, 'new one')}."
        ),
        _causes(before, after),
        _classes(before, after, categories),
    ]


def _causes(before: Errors, after: Errors) -> Table:
    totals = tally(before, after, lambda error: error.group)
    of_cause = tally(before, after, lambda error: (error.group, error.cause))
    rows = []
    for group, title in GROUPS.items():
        if group in totals:
            rows.append(Row((title, *_cells(totals[group])), "total"))
            rows += [
                Row((cause.title, *_cells(of_cause[group, name])))
                for name, cause in CAUSES[group].items()
                if (group, name) in of_cause
            ]
    caption = (
        "Errors by cause. Fixed: the default makes it, the recommended settings do not; broken: the reverse; "
        "unchanged: both make it, and it stands where the default has it, though its cause may be another one now."
    )
    return Table(("cause", *_COLUMNS), tuple(rows), caption=caption)


def _classes(before: Errors, after: Errors, categories: Categories) -> Table:
    of_class = tally(before, after, lambda error: error.category_id)
    ordered = sorted(of_class.items(), key=lambda one: (one[1].after - one[1].before, list(categories).index(one[0])))
    rows = [Row((categories[key].name, categories[key].kind, *_cells(one))) for key, one in ordered]
    folded = f"Errors of all {len(rows)} classes" if len(rows) > _LONG_TABLE else None
    caption = "Errors by class; those that lose most errors first."
    return Table(("class", "kind", *_COLUMNS), tuple(rows), words=2, caption=caption, folded=folded)


def _cells(one: Tally) -> Iterable[str]:
    numbers = (one.before, one.after, one.after - one.before, one.fixed, one.broken, one.unchanged)
    return (signed_count(number) if place == 2 else count(number) for place, number in enumerate(numbers))


def _by_identity(errors: Errors) -> Dict[Hashable, SegmentError]:
    """The errors by what they are about; where several are about the labels of one category they are numbered."""
    found: Dict[Hashable, SegmentError] = {}
    seen: Counter = Counter()
    for image_id, error in errors:
        about = (image_id, error.group, *_about(error))
        seen[about] += 1
        found[about, seen[about]] = error
    return found


def _about(error: SegmentError) -> Tuple[str, int]:
    if error.group in (MISSED_THING, MISSED_STUFF):
        return "segment", error.segment_id
    if error.instance_id is not None:
        return "instance", error.instance_id
    return "labels", error.category_id
