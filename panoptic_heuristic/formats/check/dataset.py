"""Brings the checks of JSONs (``split``), images and PNGs (``image``) together, and compares the splits."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.check.image import ImageResult, ImageTask, check_image
from panoptic_heuristic.formats.check.split import OpenSplit, open_split
from panoptic_heuristic.formats.check.summary import SplitSummary, summarize_split
from panoptic_heuristic.formats.dataset_yaml import DatasetYaml
from panoptic_heuristic.formats.listing import list_files
from panoptic_heuristic.formats.workers import ordered_map

DEFAULT_STUFF_AREA_THRESH = 4096
# The default limit was chosen for COCO, whose images are 640x480; there it is 1.3 % of the image.
_COCO_IMAGE_AREA = 640 * 480
_LARGEST_STUFF_SHARE = 0.05
# Few, so that Ctrl-C, which waits for the tasks under way, takes a second at most.
_IMAGES_PER_TASK = 4

# Legal, but worth knowing; every other kind is a problem.
_NOTE_KINDS = frozenset(
    {
        "class order",
        "constant image",
        "empty class",
        "EXIF orientation",
        "image mode",
        "missing key",
        "nothing labelled",
        "several crowds",
        "stuff limit",
        "unused PNG",
    }
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: a word or two that group alike problems, such as ``area``.
        split: the split's name in the YAML file; None if it concerns all of them.
        text: one sentence with the file and, where there is one, the segment.
    """

    kind: str
    split: Optional[str]
    text: str


@dataclass(frozen=True)
class Report:
    """The findings of a check.

    Attributes:
        problems: all that must be mended, by split and file.
        notes: all that is legal, but worth knowing.
        splits: counts per split.
    """

    problems: Tuple[Problem, ...]
    notes: Tuple[Problem, ...]
    splits: Tuple[SplitSummary, ...]


def _in_silence(results: Iterable, total: int) -> Iterable:
    return results


def check_dataset(
    dataset: DatasetYaml,
    *,
    splits: Optional[Sequence[str]] = None,
    workers: int = 1,
    stuff_area_thresh: float = DEFAULT_STUFF_AREA_THRESH,
    progress: Callable[[Iterable, int], Iterable] = _in_silence,
) -> Report:
    """Checks every file of a data set.

    Args:
        dataset: the data set, as :func:`read_dataset_yaml` returns it.
        splits: names of the splits to check; all of them by default.
        workers: number of processes that read images and PNGs; 1 reads them in this process.
        stuff_area_thresh: the stuff area limit in pixels that fusion will use.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Returns:
        The findings, in the same order for every number of workers.

    Raises:
        InputError: ``splits`` names an unknown split, or ``workers`` is below 1.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    for name in splits or ():
        if name not in dataset.splits:
            raise InputError(
                f"{dataset.path} has no split {name!r}; its splits are {', '.join(dataset.splits)}"
            )
    chosen = [name for name in dataset.splits if not splits or name in splits]
    opened = [open_split(name, dataset.splits[name]) for name in chosen]
    results = iter(_check_files([task for split in opened for task in split.tasks], workers, progress))
    findings: List[Problem] = []
    summaries = []
    for split in opened:
        seen = [next(results) for _ in split.tasks]
        summary = summarize_split(split, seen)
        of_split = [*split.findings, *(finding for result in seen for finding in result.findings)]
        findings += [Problem(kind, split.name, text) for kind, text in of_split]
        findings += _empty_classes(summary)
        summaries.append(summary)
    findings += _category_differences(opened)
    findings += _unused_pngs(opened)
    findings += _stuff_limit(opened, stuff_area_thresh)
    return Report(
        problems=tuple(finding for finding in findings if finding.kind not in _NOTE_KINDS),
        notes=tuple(finding for finding in findings if finding.kind in _NOTE_KINDS),
        splits=tuple(summaries),
    )


def _check_files(
    tasks: Sequence[ImageTask], workers: int, progress: Callable[[Iterable, int], Iterable]
) -> List[ImageResult]:
    if len(tasks) <= workers * _IMAGES_PER_TASK:
        workers = 1
    with ordered_map(check_image, tasks, workers=workers, chunk=_IMAGES_PER_TASK) as results:
        return list(progress(results, len(tasks)))


def _empty_classes(summary: SplitSummary) -> Iterator[Problem]:
    empty = [count.name for count in summary.classes if not count.segments]
    if empty:
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        yield Problem(
            "empty class",
            summary.split,
            f"{len(empty)} of {len(summary.classes)} classes have no segment, or only crowds: "
            f"{', '.join(empty[:10])}{more}",
        )


def _category_differences(opened: Sequence[OpenSplit]) -> Iterator[Problem]:
    known = [split for split in opened if split.categories is not None]
    for split in known[1:]:
        first = known[0]
        for category_id in sorted(set(first.categories) | set(split.categories)):
            here, there = split.categories.get(category_id), first.categories.get(category_id)
            if here is None or there is None:
                has, lacks = (first, split) if here is None else (split, first)
                name = has.categories[category_id].name
                text = f"split {lacks.name} lacks category {category_id} ({name}), which split {has.name} has"
                yield Problem("categories", split.name, text)
            elif (here.name, here.isthing) != (there.name, there.isthing):
                yield Problem(
                    "categories",
                    split.name,
                    f"category {category_id} is {here.kind} {here.name!r} in split {split.name}, "
                    f"but {there.kind} {there.name!r} in split {first.name}",
                )
        same = set(first.categories) == set(split.categories)
        if same and list(first.categories) != list(split.categories):
            text = f"the categories are in another order than those of split {first.name}"
            yield Problem("class order", split.name, text)


def _unused_pngs(opened: Sequence[OpenSplit]) -> Iterator[Problem]:
    # By folder, since splits may share one.
    named: Dict[Path, set] = defaultdict(set)
    for split in opened:
        if split.split.panoptic_root is not None and split.split.panoptic_root.is_dir():
            root = split.split.panoptic_root.resolve()
            named[root].update(root / task.image.png_name for task in split.tasks if task.image.png_name)
    for root, used in named.items():
        unused = [path for path in list_files(root, ".png").paths if path not in used]
        if unused:
            first = unused[0].relative_to(root)
            text = f"{root}: no annotation of the splits checked names {len(unused)} PNGs, such as {first}"
            yield Problem("unused PNG", None, text)


def _stuff_limit(opened: Sequence[OpenSplit], stuff_area_thresh: float) -> Iterator[Problem]:
    areas = [task.image.height * task.image.width for split in opened for task in split.tasks]
    if not areas or stuff_area_thresh <= _LARGEST_STUFF_SHARE * median(areas):
        return
    area = median(areas)
    scaled = round(DEFAULT_STUFF_AREA_THRESH * area / _COCO_IMAGE_AREA)
    yield Problem(
        "stuff limit",
        None,
        f"a stuff area limit of {stuff_area_thresh:.0f} pixels is {stuff_area_thresh / area:.1%} of the "
        f"median image ({area:.0f} pixels) and drops much stuff; {DEFAULT_STUFF_AREA_THRESH} at 640x480 "
        f"scales to MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT {scaled}",
    )
