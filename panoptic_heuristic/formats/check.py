"""Checks a data set in COCO panoptic format before anyone trains on it.

Everything is looked at and every problem is told, not the first one only. This file reads the
JSONs and adds up; :mod:`panoptic_heuristic.formats.check_image` reads images and PNGs, each once.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.check_image import ImageResult, ImageTask, check_image
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticImage, json_problems
from panoptic_heuristic.formats.dataset_yaml import DatasetSplit, DatasetYaml
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.formats.panoptic_ids import MAX_ID
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
        "empty class",
        "EXIF orientation",
        "missing key",
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
class ClassCount:
    """What a split holds of one category.

    Attributes:
        category_id, name, isthing: the category.
        segments: segments that are no crowd.
        crowd_segments: segments with ``iscrowd`` 1.
        images: images with at least one segment of either sort.
        pixels: pixels of all its segments.
        median_area: median area in pixels of the segments that are no crowd; None without any.
    """

    category_id: int
    name: str
    isthing: bool
    segments: int
    crowd_segments: int
    images: int
    pixels: int
    median_area: Optional[float]


@dataclass(frozen=True)
class SplitSummary:
    """What a split holds.

    Attributes:
        split: the split's name in the YAML file.
        images: images in the JSON.
        annotated_images: images whose PNG could be read; the counts below are over these.
        classes: one entry per category, in file order; empty without readable annotations.
        pixels, void_pixels: pixels of the annotated images, and those of id 0.
        median_height, median_width: median size in pixels over all images; None without images.
    """

    split: str
    images: int
    annotated_images: int
    classes: Tuple[ClassCount, ...]
    pixels: int
    void_pixels: int
    median_height: Optional[float]
    median_width: Optional[float]


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        problems: what must be mended, by split and file.
        notes: what is legal, but worth knowing.
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
    opened = [_open_split(name, dataset.splits[name]) for name in chosen]
    results = iter(_check_files([task for split in opened for task in split.tasks], workers, progress))
    findings: List[Problem] = []
    summaries = []
    for split in opened:
        seen = [next(results) for _ in split.tasks]
        summary = _summarize(split, seen)
        findings += split.findings
        findings += [Problem(kind, split.name, text) for result in seen for kind, text in result.findings]
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


@dataclass(frozen=True)
class _OpenSplit:
    """A split whose JSON has been checked, and what is left to do."""

    name: str
    split: DatasetSplit
    categories: Optional[Categories]
    tasks: Tuple[ImageTask, ...]
    findings: Tuple[Problem, ...]


def _open_split(name: str, split: DatasetSplit) -> _OpenSplit:
    findings: List[Tuple[str, str]] = []
    data = categories = None
    try:
        categories = split.given_categories()
    except InputError as error:
        findings.append(("categories", str(error)))
    try:
        data = read_json(split.panoptic_json)
    except InputError as error:
        findings.append(("JSON", str(error)))
    else:
        findings += [("JSON", text) for text in json_problems(data, str(split.panoptic_json), categories)]
    if categories is None and isinstance(data, Mapping):
        try:
            categories = Categories.from_coco(data.get("categories"), str(split.panoptic_json))
        except InputError:
            pass  # json_problems has told it.
    images = _sound_images(data)
    if split.panoptic_root is not None:
        findings += _annotation_findings(data, images, categories, str(split.panoptic_json))
    findings += _repeated("image", [image.file_name for image in images], str(split.panoptic_json))
    names = [image.png_name for image in images if image.png_name is not None]
    findings += _repeated("PNG", names, str(split.panoptic_json))
    roots = {"image_root": split.image_root, "panoptic_root": split.panoptic_root}
    for key, root in roots.items():
        if root is not None and not root.is_dir():
            # One sentence instead of one per image.
            findings.append(("folder", f"{key} {root} is no folder"))
            roots[key] = None
    return _OpenSplit(
        name=name,
        split=split,
        categories=categories,
        tasks=tuple(ImageTask(image, roots["image_root"], roots["panoptic_root"]) for image in images),
        findings=tuple(Problem(kind, name, text) for kind, text in findings),
    )


def _sound_images(data: Any) -> List[PanopticImage]:
    """The images and segments that are sound enough for a look at their files.

    What is left out here was told by :func:`json_problems`.
    """
    annotation_of: Dict[int, Mapping[str, Any]] = {}
    for annotation in _list_of_mappings(data, "annotations"):
        image_id, segments = annotation.get("image_id"), annotation.get("segments_info")
        if (
            is_integer(image_id)
            and isinstance(annotation.get("file_name"), str)
            and isinstance(segments, list)
        ):
            annotation_of.setdefault(image_id, annotation)
    images: Dict[int, PanopticImage] = {}
    for image in _list_of_mappings(data, "images"):
        size = (image.get("height"), image.get("width"))
        if not is_integer(image.get("id")) or not isinstance(image.get("file_name"), str):
            continue
        if not all(is_integer(length) and length > 0 for length in size):
            continue
        annotation = annotation_of.get(image["id"], {})
        segments = {
            segment["id"]: segment
            for segment in reversed(annotation.get("segments_info", []))
            if isinstance(segment, Mapping) and is_integer(segment.get("id")) and 0 < segment["id"] <= MAX_ID
        }
        images.setdefault(
            image["id"],
            PanopticImage(
                image_id=image["id"],
                file_name=image["file_name"],
                height=image["height"],
                width=image["width"],
                png_name=annotation.get("file_name"),
                segments_info=tuple(reversed(list(segments.values()))),
            ),
        )
    return list(images.values())


def _list_of_mappings(data: Any, key: str) -> List[Mapping[str, Any]]:
    entries = data.get(key) if isinstance(data, Mapping) else None
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _annotation_findings(
    data: Any, images: Sequence[PanopticImage], categories: Optional[Categories], where: str
) -> Iterator[Tuple[str, str]]:
    annotated = {
        annotation["image_id"]
        for annotation in _list_of_mappings(data, "annotations")
        if is_integer(annotation.get("image_id"))
    }
    missing: Counter = Counter()
    for image in images:
        at = f"{where}, image {image.image_id}"
        if image.image_id not in annotated:
            text = f"{at} ({image.file_name}) has no annotation, but the split has a panoptic_root"
            yield "missing annotation", text
        elif categories is not None:
            yield from _class_findings(image, categories, f"{at} ({image.png_name})")
        for segment in image.segments_info:
            missing.update(key for key in ("area", "iscrowd") if key not in segment)
    for key, count in sorted(missing.items()):
        yield "missing key", f"{where}: {count} segments have no {key!r}, which panopticapi cannot do without"


def _class_findings(image: PanopticImage, categories: Categories, at: str) -> Iterator[Tuple[str, str]]:
    ids: Dict[Tuple[int, bool], List[int]] = defaultdict(list)
    for segment in image.segments_info:
        if is_integer(segment.get("category_id")) and segment["category_id"] in categories:
            ids[segment["category_id"], segment.get("iscrowd") == 1].append(segment["id"])
    for (category_id, crowd), segment_ids in ids.items():
        category = categories[category_id]
        what = f"{'thing' if category.isthing else 'stuff'} category {category_id} ({category.name})"
        listed = ", ".join(map(str, segment_ids))
        if crowd and not category.isthing:
            yield "crowd on stuff", f"{at}: segment {listed} of {what} is a crowd; only things can be"
        elif crowd and len(segment_ids) > 1:
            yield (
                "several crowds",
                f"{at}: {what} has the crowd segments {listed}; panopticapi remembers only the last of them",
            )
        elif not category.isthing and len(segment_ids) > 1:
            yield "stuff twice", f"{at}: {what} has the segments {listed}; expected one per image"


def _repeated(what: str, names: Sequence[str], where: str) -> Iterator[Tuple[str, str]]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"repeated {what}", f"{where}: the {what} {name!r} is named {count} times"


def _check_files(
    tasks: Sequence[ImageTask], workers: int, progress: Callable[[Iterable, int], Iterable]
) -> List[ImageResult]:
    if len(tasks) <= workers * _IMAGES_PER_TASK:
        workers = 1
    with ordered_map(check_image, tasks, workers=workers, chunk=_IMAGES_PER_TASK) as results:
        return list(progress(results, len(tasks)))


def _summarize(split: _OpenSplit, results: Sequence[ImageResult]) -> SplitSummary:
    images = [task.image for task in split.tasks]
    read = [
        (image, result.areas)
        for image, result in zip(images, results, strict=True)
        if result.areas is not None
    ]
    return SplitSummary(
        split=split.name,
        images=len(images),
        annotated_images=len(read),
        classes=_count_classes(split.categories, read) if split.categories is not None and read else (),
        pixels=sum(image.height * image.width for image, _ in read),
        void_pixels=sum(areas.get(VOID_ID, 0) for _, areas in read),
        median_height=median(image.height for image in images) if images else None,
        median_width=median(image.width for image in images) if images else None,
    )


def _count_classes(
    categories: Categories, read: Sequence[Tuple[PanopticImage, Mapping[int, int]]]
) -> Tuple[ClassCount, ...]:
    areas_of: Dict[int, List[int]] = defaultdict(list)
    crowds_of: Dict[int, List[int]] = defaultdict(list)
    images_of: Counter = Counter()
    for image, areas in read:
        in_image = set()
        for segment in image.segments_info:
            category_id = segment.get("category_id")
            if segment["id"] not in areas or not is_integer(category_id):
                continue
            of = crowds_of if segment.get("iscrowd") == 1 else areas_of
            of[category_id].append(areas[segment["id"]])
            in_image.add(category_id)
        images_of.update(in_image)
    return tuple(
        ClassCount(
            category_id=category.id,
            name=category.name,
            isthing=category.isthing,
            segments=len(areas_of[category.id]),
            crowd_segments=len(crowds_of[category.id]),
            images=images_of[category.id],
            pixels=sum(areas_of[category.id]) + sum(crowds_of[category.id]),
            median_area=median(areas_of[category.id]) if areas_of[category.id] else None,
        )
        for category in categories.values()
    )


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


def _category_differences(opened: Sequence[_OpenSplit]) -> Iterator[Problem]:
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
                    f"category {category_id} is {_kind(here)} {here.name!r} in split {split.name}, "
                    f"but {_kind(there)} {there.name!r} in split {first.name}",
                )
        same = set(first.categories) == set(split.categories)
        if same and list(first.categories) != list(split.categories):
            text = f"the categories are in another order than those of split {first.name}"
            yield Problem("class order", split.name, text)


def _kind(category: Any) -> str:
    return "thing" if category.isthing else "stuff"


def _unused_pngs(opened: Sequence[_OpenSplit]) -> Iterator[Problem]:
    # By folder, since splits may share one.
    named: Dict[Path, set] = defaultdict(set)
    for split in opened:
        if split.split.panoptic_root is not None:
            root = split.split.panoptic_root.resolve()
            named[root].update(root / task.image.png_name for task in split.tasks if task.image.png_name)
    for root, used in named.items():
        unused = sorted(path for path in root.rglob("*.png") if path not in used)
        if unused:
            first = unused[0].relative_to(root)
            text = f"{root}: no annotation of the splits checked names {len(unused)} PNGs, such as {first}"
            yield Problem("unused PNG", None, text)


def _stuff_limit(opened: Sequence[_OpenSplit], stuff_area_thresh: float) -> Iterator[Problem]:
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
