"""Checks the JSON of one split of a COCO panoptic data set, and finds in it what is sound enough to go on with."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.check.image import ImageTask
from panoptic_heuristic.formats.coco_panoptic import MAX_ID, PanopticImage, json_problems
from panoptic_heuristic.formats.dataset_yaml import DatasetSplit
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.formats.image_ids import ImageId, is_image_id


@dataclass(frozen=True)
class OpenSplit:
    """A split whose JSON has been checked, and what is left to do.

    Attributes:
        name: in the YAML file.
        split: its paths.
        categories: None if they cannot be read.
        tasks: the images whose entries are sound enough for a look at their files.
        findings: pairs of a kind and a sentence.
    """

    name: str
    split: DatasetSplit
    categories: Optional[Categories]
    tasks: Tuple[ImageTask, ...]
    findings: Tuple[Tuple[str, str], ...]


def open_split(name: str, split: DatasetSplit) -> OpenSplit:
    """Checks the JSON of a split, and that its folders are there. Whatever is wrong becomes a finding."""
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
    return OpenSplit(
        name=name,
        split=split,
        categories=categories,
        tasks=tuple(
            ImageTask(image, roots["image_root"], roots["panoptic_root"], split.image_range) for image in images
        ),
        findings=tuple(findings),
    )


def _sound_images(data: Any) -> List[PanopticImage]:
    """The images and segments that are sound enough for a look at their files.

    What is left out here was told by :func:`json_problems`.
    """
    annotation_of: Dict[ImageId, Mapping[str, Any]] = {}
    for annotation in _list_of_mappings(data, "annotations"):
        image_id, segments = annotation.get("image_id"), annotation.get("segments_info")
        if (
            is_image_id(image_id)
            and isinstance(annotation.get("file_name"), str)
            and isinstance(segments, list)
        ):
            annotation_of.setdefault(image_id, annotation)
    images: Dict[ImageId, PanopticImage] = {}
    for image in _list_of_mappings(data, "images"):
        size = (image.get("height"), image.get("width"))
        if not is_image_id(image.get("id")) or not isinstance(image.get("file_name"), str):
            continue
        if not all(is_integer(length) and length > 0 for length in size):
            continue
        annotation = annotation_of.get(image["id"], {})
        segments = {
            segment["id"]: segment
            for segment in reversed(annotation.get("segments_info", []))
            if isinstance(segment, Mapping) and is_integer(segment.get("id")) and 0 < segment["id"] <= MAX_ID
        }
        sound = {**annotation, "segments_info": reversed(list(segments.values()))}
        images.setdefault(image["id"], PanopticImage.of_json(image, sound))
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
        if is_image_id(annotation.get("image_id"))
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
        what = f"{category.kind} category {category_id} ({category.name})"
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
