"""A class map and an instance map of each image: as two PNGs, or as channels of one.

The panoptic segmentation paper (https://arxiv.org/abs/1801.00868) describes the second as its 2-channel format, and
panopticapi's converter takes it. A thing is a class and a number; stuff has the number 0.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage
from panoptic_heuristic.formats.conversions.image_files import about, png_name, read_ids, write_segments
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.label_divisor import (
    Fates,
    LabelDivisorForm,
    NumberedPairs,
    pairs_to_segments,
    panoptic_to_labels,
)
from panoptic_heuristic.formats.label_png import read_channels, read_semantic_png, write_channels, write_label_png
from panoptic_heuristic.formats.runs import numbered_segments

Maps = Tuple[np.ndarray, np.ndarray, int]
"""Classes (H, W), instance numbers (H, W) from 1 with 0 for none, and the largest class that the file can hold."""

# Numbers per class where maps are written: two bytes.
_PER_CLASS = 2**16


@dataclass(frozen=True)
class TwoPngs:
    """Class maps in one place, instance maps in another.

    Attributes:
        class_root, instance_root: the folders.
        class_suffix, instance_suffix: the ends of the names; what is before them is an image's name.
    """

    class_root: Path
    instance_root: Path
    class_suffix: str = ".png"
    instance_suffix: str = ".png"

    def read(self, image: PanopticImage) -> Maps:
        """The maps of an image, from PNGs of labels.

        Raises:
            InputError: a PNG is missing, wrong or of another size.
        """
        name, size = png_name(image.file_name)[: -len(".png")], (image.height, image.width)
        classes, bits = read_semantic_png(inside(self.class_root, name + self.class_suffix), size=size)
        numbers, _ = read_semantic_png(inside(self.instance_root, name + self.instance_suffix), size=size)
        return classes, numbers, 2**bits - 1

    def write(self, image: PanopticImage, classes: np.ndarray, numbers: np.ndarray) -> None:
        """Writes both maps; classes take 8 bits or 16, numbers 16."""
        name = png_name(image.file_name)[: -len(".png")]
        bits = 8 if classes.max(initial=0) < 2**8 else 16
        write_label_png(inside(self.class_root, name + self.class_suffix), classes, bits)
        write_label_png(inside(self.instance_root, name + self.instance_suffix), numbers, 16)


@dataclass(frozen=True)
class Channels:
    """Both maps in one PNG, a byte per channel.

    Attributes:
        root: the folder of the PNGs.
        channels: such as "RG" or "RGB": first the class's, then those of the instance number, most
            significant first.

    Raises:
        InputError: ``channels`` are not two or three different ones of R, G, B and A.
    """

    root: Path
    channels: str = "RG"

    def __post_init__(self):
        if not 2 <= len(self.channels) <= 3 or not set(self.channels) <= set("RGBA"):
            raise InputError(f"channels are two or three of R, G, B and A, such as RG or RGB, got {self.channels!r}")
        if len(set(self.channels)) < len(self.channels):
            raise InputError(f"channels are different ones, got {self.channels!r}")

    def read(self, image: PanopticImage) -> Maps:
        """The maps of an image, from an 8-bit RGB or RGBA PNG.

        Raises:
            InputError: the PNG is missing, wrong, of another size, or lacks a channel.
        """
        path = inside(self.root, png_name(image.file_name))
        pixels = read_channels(path, size=(image.height, image.width)).astype(np.int64)
        if pixels.shape[2] < 4 and "A" in self.channels:
            raise InputError(f"{path} has no channel A")
        classes, *digits = (pixels[:, :, "RGBA".index(channel)] for channel in self.channels)
        numbers = np.zeros_like(classes)
        for digit in digits:
            numbers = numbers << 8 | digit
        return classes, numbers, 255

    def write(self, image: PanopticImage, classes: np.ndarray, numbers: np.ndarray) -> None:
        """Writes the PNG; channels without a meaning are 0.

        Raises:
            InputError: a class or a number is too large.
        """
        digits = len(self.channels) - 1
        if classes.max(initial=0) > 255 or numbers.max(initial=0) >= 256**digits:
            raise InputError(
                f"class {classes.max()} and instance {numbers.max()} do not fit the channels {self.channels}, which "
                f"hold classes to 255 and instances to {256**digits - 1}"
            )
        pixels = np.zeros((*classes.shape, 4 if "A" in self.channels else 3), dtype=np.uint8)
        for place, channel in enumerate(self.channels):
            values = classes if place == 0 else numbers >> 8 * (digits - place) & 255
            pixels[:, :, "RGBA".index(channel)] = values
        write_channels(inside(self.root, png_name(image.file_name)), pixels)


def class_instance_to_coco(
    image: PanopticImage,
    *,
    output: Path,
    maps: Union[TwoPngs, Channels],
    categories: Categories,
    void: Optional[int],
    fates: Fates,
) -> Dict[str, Any]:
    """Writes the panoptic PNG of an image from its maps.

    Args:
        image: the image.
        output: the folder of the PNGs.
        maps: where the maps are.
        categories: the data set's categories.
        void: the class of void pixels; None for the largest that the file can hold.
        fates: of numbers of stuff and the like.

    Returns:
        the image's annotation in the panoptic JSON.

    Raises:
        InputError: a PNG is wrong, or holds what is to fail.
    """
    classes, numbers, largest = maps.read(image)
    void = largest if void is None else void
    with about(image):
        _check_void(void, categories)
        pairs, place = numbered_segments(classes << 32 | numbers)
        found = _pairs(pairs >> 32, pairs & (2**32 - 1), void)
        ids, segments = pairs_to_segments(found, categories, fates)
    return write_segments(image, ids[place], segments, output)


def coco_to_class_instance(
    image: PanopticImage,
    *,
    output: Path,
    panoptic_root: Path,
    categories: Categories,
    channels: Optional[str],
    void: int,
) -> None:
    """Writes the maps of an annotated image. A crowd has the number 0.

    Args:
        image: the image.
        output: the folder of the PNGs with both maps, or of the folders ``class`` and ``instance``.
        panoptic_root: the folder of its panoptic PNG.
        categories: the data set's categories.
        channels: as in :class:`Channels`; None for two PNGs.
        void: the class of void pixels.

    Raises:
        InputError: the PNG is wrong, or the maps cannot hold it: several crowds of a category, too
            many things, or a category whose id is void's.
    """
    maps: Union[TwoPngs, Channels] = (
        TwoPngs(output / "class", output / "instance") if channels is None else Channels(output, channels)
    )
    ids = read_ids(image, panoptic_root)
    with about(image):
        _check_void(void, categories)
        form = LabelDivisorForm(_PER_CLASS, void * _PER_CLASS)
        labels = panoptic_to_labels(ids, image.segments_info, categories, form)
        maps.write(image, labels // _PER_CLASS, labels % _PER_CLASS)


def _check_void(void: int, categories: Mapping[int, Any]) -> None:
    if void in categories:
        raise InputError(f"void is {void}, which is also the id of category {categories[void].name}; set --void")


def _pairs(classes: np.ndarray, numbers: np.ndarray, void: int) -> NumberedPairs:
    return NumberedPairs(
        classes,
        numbers,
        classes == void,
        lambda place: f"class {classes[place]} with instance {numbers[place]}",
        f"is void {void} right?",
    )
