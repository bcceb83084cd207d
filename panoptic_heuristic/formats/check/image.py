"""Checks one image of a COCO panoptic data set: its own file, its PNG, and what the JSON says of them."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Set, Tuple

from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticImage, id_problems, read_panoptic_png
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.images import ImageFileError, opened_image
from panoptic_heuristic.formats.photos import ValueRange, eight_bit_photo, photo_depth
from panoptic_heuristic.formats.runs import segment_extents

_EXIF_ORIENTATION = 0x0112
# A photo in the place of a panoptic PNG holds a hundred thousand colours.
_MOST_IDS_TOLD = 100


@dataclass(frozen=True)
class ImageTask:
    """One image's files.

    Attributes:
        image: the image and its segments, as the JSON has them.
        image_root, panoptic_root: the folders; None to leave the files there alone.
        image_range: of deep photographs, as in the data set YAML.
    """

    image: PanopticImage
    image_root: Optional[Path]
    panoptic_root: Optional[Path]
    image_range: Optional[ValueRange] = None


@dataclass(frozen=True)
class ImageResult:
    """The findings about one image's files, and their areas.

    Attributes:
        findings: pairs of a kind and a sentence.
        areas: pixels of void (0) and of each segment that is both in the JSON and in the PNG; None
            without a PNG that could be read.
    """

    findings: Tuple[Tuple[str, str], ...]
    areas: Optional[Mapping[int, int]]


def check_image(task: ImageTask) -> ImageResult:
    """Reads one image and its PNG, each once, and compares both with the JSON."""
    findings: List[Tuple[str, str]] = []
    areas = None
    if task.image_root is not None:
        findings += _photo_findings(task.image, task.image_root, task.image_range)
    if task.panoptic_root is not None and task.image.png_name is not None:
        try:
            path = inside(task.panoptic_root, task.image.png_name)
            ids = read_panoptic_png(path, height=task.image.height, width=task.image.width)
        except InputError as error:
            findings.append(("PNG", str(error)))
        else:
            boxes, all_areas = segment_extents(ids)
            listed = {segment["id"] for segment in task.image.segments_info}
            areas = {key: area for key, area in all_areas.items() if key in listed or key == VOID_ID}
            findings += _id_findings(task.image, listed, all_areas, str(path))
            findings += _extent_findings(task.image, boxes, areas, str(path))
            if not all_areas.keys() - {VOID_ID}:
                findings.append(("nothing labelled", f"{path} is void all over; nothing is learned from it"))
    return ImageResult(tuple(findings), areas)


def _photo_findings(
    image: PanopticImage, image_root: Path, image_range: Optional[ValueRange]
) -> Iterator[Tuple[str, str]]:
    try:
        path = inside(image_root, image.file_name)
    except InputError as error:
        yield "image", str(error)
        return
    try:
        with opened_image(path) as photo:
            surprise = _surprise_of_mode(photo)  # Before loading, which forgets the depth in the file.
            photo.load()
            width, height = photo.size
            shallow = eight_bit_photo(photo, path, image_range).convert("RGB")
            constant = len(shallow.getcolors(1) or ()) == 1
            orientation = photo.getexif().get(_EXIF_ORIENTATION, 1)
    except ImageFileError as error:
        yield "image", str(error)
        return
    except InputError as error:
        yield "image depth", str(error)
        return
    if surprise:
        yield "image mode", f"{path} {surprise}"
    if constant:
        yield "constant image", f"{path} has one colour all over; nothing can be seen in it"
    # Detectron2 turns images as their EXIF data says before it compares sizes; 5 to 8 swap the sides.
    turned = orientation in (5, 6, 7, 8)
    if turned:
        width, height = height, width
    if (width, height) != (image.width, image.height):
        after = f" once turned by its EXIF orientation {orientation}" if turned else ""
        yield (
            "image size",
            f"{path} is {width}x{height} pixels{after}, but the JSON says {image.width}x{image.height}",
        )
    elif orientation in range(2, 9):
        text = f"{path} is turned by its EXIF orientation {orientation}; is its PNG turned, too?"
        yield "EXIF orientation", text


def _surprise_of_mode(photo: Image.Image) -> str:
    """The part of an image that is lost when it is read as RGB, in words; empty if nothing is."""
    # The form in the file: 16-bit colour is RGB to Pillow.
    if any("16" in str(tile[3]) for tile in getattr(photo, "tile", ())) and photo_depth(photo) is None:
        return "has 16 bits per channel, of which the upper 8 are read"
    if photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info:
        return f"has an alpha channel (Pillow's mode {photo.mode}), which is not read"
    if photo.mode not in ("RGB", "L", "P", "1") and photo_depth(photo) is None:
        return f"is {photo.mode}, which is converted to RGB without its colour profile"
    return ""


def _id_findings(
    image: PanopticImage, listed: Set[int], areas: Mapping[int, int], where: str
) -> Iterator[Tuple[str, str]]:
    for text in islice(id_problems(list(areas), image, where), _MOST_IDS_TOLD):
        yield "ids", text
    more = len((set(areas) - {VOID_ID}) ^ listed) - _MOST_IDS_TOLD
    if more > 0:
        yield "ids", f"{where}: {more} more ids are in the PNG or in the JSON only; is it a panoptic PNG?"


def _extent_findings(
    image: PanopticImage,
    boxes: Mapping[int, Tuple[int, int, int, int]],
    areas: Mapping[int, int],
    where: str,
) -> Iterator[Tuple[str, str]]:
    for segment in image.segments_info:
        segment_id = segment["id"]
        if segment_id not in areas:
            continue
        at = f"{where}, segment {segment_id}"
        area = areas[segment_id]
        if segment.get("area", area) != area:
            yield "area", f"{at}: the JSON says area {segment['area']!r}, the PNG has {area} pixels"
        # No tolerance: COCO's own boxes are the exact ones (all 50 segments of two val2017 images), and
        # those of the usual converters are, too. One pixel off is the sign of another convention.
        box = list(boxes[segment_id])
        if segment.get("bbox", box) != box:
            yield "bbox", f"{at}: the JSON says bbox {segment['bbox']!r}, the PNG's box is {box}"
