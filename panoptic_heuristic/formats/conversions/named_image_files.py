"""Public panoptic JSONs whose image ids are texts: Cityscapes' own and Mapillary Vistas'.

They are COCO's format but for ids and names, each of which follows from the name that the image has on disk:

    form        image on disk                 image id     file_name                        PNG
    cityscapes  city/city_0_1_leftImg8bit.png city_0_1     city_0_1_gtFine_leftImg8bit.png  city_0_1_gtFine_panoptic.png
    mapillary   abc.jpg                       abc          abc.jpg                          abc.png

The first is that of cityscapesScripts' createPanopticImgs.py, in which file_name is the name of no file.
"""

from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import PanopticImage
from panoptic_heuristic.formats.conversions.image_files import read_ids, write_segments

_PHOTO, _JSON_PHOTO, _PNG = "_leftImg8bit.png", "_gtFine_leftImg8bit.png", "_gtFine_panoptic.png"


@dataclass(frozen=True)
class NamedForm:
    """The names of a public panoptic JSON.

    Attributes:
        title: of whom it is, for people.
        json_name, folder: the JSON and the folder of its PNGs, where they are written.
        on_disk: the name of the image on disk, by the JSON's.
        named: an image with the id, the name and the PNG that the JSON gives it, by that on disk.
    """

    title: str
    json_name: str
    folder: str
    on_disk: Callable[[PanopticImage], str]
    named: Callable[[PanopticImage], PanopticImage]


def named_to_coco(job: Tuple[PanopticImage, PanopticImage], *, output: Path, panoptic_root: Path) -> Dict[str, Any]:
    """Writes the panoptic PNG of an image under another name.

    Args:
        job: the image as it is in the file, and with the id and the name it gets.
        output: the folder of the PNGs to write.
        panoptic_root: the folder of those to read.

    Returns:
        the image's annotation in the panoptic JSON.

    Raises:
        InputError: the image has no annotation, or its PNG is wrong.
    """
    image, renamed = job
    return write_segments(renamed, read_ids(image, panoptic_root), image.segments_info, output)


def coco_to_named(job: Tuple[PanopticImage, PanopticImage], *, output: Path, panoptic_root: Path) -> Dict[str, Any]:
    """As :func:`named_to_coco`, where the PNG has the name that the image with its new name says."""
    image, named = job
    return write_segments(
        named, read_ids(image, panoptic_root), image.segments_info, output, name=named.png_name
    )


def _cityscapes_on_disk(image: PanopticImage) -> str:
    if not image.file_name.endswith(_JSON_PHOTO):
        raise InputError(
            f"image {image.image_id!r} is called {image.file_name!r}; in Cityscapes' panoptic JSON names end in "
            f"{_JSON_PHOTO}"
        )
    prefix = image.file_name[: -len(_JSON_PHOTO)]
    return f"{prefix.partition('_')[0]}/{prefix}{_PHOTO}"


def _cityscapes_named(image: PanopticImage) -> PanopticImage:
    name = PurePosixPath(image.file_name).name
    if not name.endswith(_PHOTO):
        raise InputError(f"image {image.image_id!r} is called {image.file_name!r}; Cityscapes' images end in {_PHOTO}")
    prefix = name[: -len(_PHOTO)]
    return replace(image, image_id=prefix, file_name=prefix + _JSON_PHOTO, png_name=prefix + _PNG)


def _mapillary_named(image: PanopticImage) -> PanopticImage:
    path = PurePosixPath(image.file_name)
    return replace(image, image_id=path.stem, file_name=path.name, png_name=f"{path.stem}.png")


CITYSCAPES = NamedForm(
    "Cityscapes'", "cityscapes_panoptic.json", "cityscapes_panoptic", _cityscapes_on_disk, _cityscapes_named
)
MAPILLARY = NamedForm("Mapillary Vistas'", "panoptic_2020.json", "panoptic", attrgetter("file_name"), _mapillary_named)
