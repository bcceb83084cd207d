"""Ground truth and predictions on disk, paired image by image; nothing is decoded before it is asked for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, read_categories
from panoptic_heuristic.formats.coco_panoptic import (
    PanopticMap,
    read_panoptic_json,
    read_panoptic_map,
    read_predictions,
)
from panoptic_heuristic.formats.files import PathLike, inside
from panoptic_heuristic.formats.image_ids import ImageId, check_no_twins
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm, labels_to_panoptic
from panoptic_heuristic.formats.label_png import read_label_png
from panoptic_heuristic.formats.listing import list_files

MISSING = ("error", "empty", "skip")


@dataclass(frozen=True)
class MapFile:
    """One panoptic map on disk.

    Attributes:
        path: the PNG.
        segments_info: the JSON's segments; None for a PNG of label-divisor values, which needs none.
    """

    path: Path
    segments_info: Optional[Sequence[Mapping[str, Any]]] = None


@dataclass(frozen=True)
class ImagePair:
    """One image.

    Attributes:
        image_id: the image's id in the JSON, or its place from 1 among the sorted PNGs.
        name: the ground truth's PNG, relative to its folder.
        size: (height, width) in pixels; None if only the PNG knows it.
        gt: the ground truth.
        prediction: the prediction; None for an empty one.
    """

    image_id: ImageId
    name: str
    size: Optional[Tuple[int, int]]
    gt: MapFile
    prediction: Optional[MapFile]


@dataclass(frozen=True)
class GroundTruth:
    """A data set's ground truth, with no predictions yet.

    Attributes:
        categories: its categories.
        images: annotated images, with ``prediction`` None.
        unannotated: images in the JSON without an annotation.
        notes: sentences on files that were left out.
    """

    categories: Categories
    images: Tuple[ImagePair, ...]
    unannotated: int = 0
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """The images to score.

    Attributes:
        images: the images, in the order of the ground truth.
        skipped: annotated images left out since they have no prediction.
        surplus: predictions of images that have no ground truth.
        notes: sentences on files that were left out.
    """

    images: Tuple[ImagePair, ...]
    skipped: int
    surplus: int
    notes: Tuple[str, ...] = ()


def coco_ground_truth(gt_json: PathLike, gt_folder: PathLike) -> GroundTruth:
    """Ground truth in COCO panoptic format.

    Raises:
        InputError: what is wrong with the JSON first, or the folder is missing.
    """
    content, folder = read_panoptic_json(gt_json), _folder(gt_folder, "ground truth")
    annotated = tuple(
        ImagePair(
            image.image_id,
            image.png_name,
            (image.height, image.width),
            MapFile(inside(folder, image.png_name), image.segments_info),
            None,
        )
        for image in content.images
        if image.png_name is not None
    )
    if not annotated:
        raise InputError(f"{gt_json} has no annotations; there is nothing to compare with")
    return GroundTruth(content.categories, annotated, len(content.images) - len(annotated))


def label_divisor_ground_truth(gt_folder: PathLike, categories_json: PathLike, suffix: str) -> GroundTruth:
    """Ground truth as label-divisor PNGs.

    Args:
        gt_folder: searched with its sub-folders for files that end in ``suffix``.
        categories_json: COCO's list of categories, or a JSON with that list under ``categories``.
        suffix: such as "_gtFine_instanceIds.png".

    Raises:
        InputError: there is no such file, or the categories are wrong.
    """
    folder = _folder(gt_folder, "ground truth")
    categories = read_categories(categories_json)
    found = list_files(folder, suffix)
    if not found.names:
        raise InputError(f"{folder} holds no file whose name ends in {suffix!r}")
    return GroundTruth(
        categories,
        tuple(
            ImagePair(place, name, None, MapFile(folder / name), None)
            for place, name in enumerate(found.names, start=1)
        ),
        notes=tuple(filter(None, [found.note()])),
    )


def with_coco_predictions(gt: GroundTruth, pred_json: PathLike, pred_folder: PathLike, missing: str) -> Pairs:
    """Pairs images with the predictions of a COCO panoptic result file, by image id.

    Args:
        gt: the ground truth.
        pred_json, pred_folder: the predictions.
        missing: the meaning of an image without a prediction; one of :data:`MISSING`.

    Raises:
        InputError: the JSON is wrong, or a prediction is missing and ``missing`` is "error".
    """
    predicted, folder = read_predictions(pred_json, gt.categories), _folder(pred_folder, "predictions")
    files = {
        image_id: MapFile(inside(folder, one.png_name), one.segments_info) for image_id, one in predicted.items()
    }
    known = {image.image_id for image in gt.images}
    check_no_twins(files, known, str(pred_json), "the ground truth")
    surplus = len(files.keys() - known)
    return _paired(gt, lambda image: files.get(image.image_id), surplus, missing, str(pred_json))


def with_label_divisor_predictions(
    gt: GroundTruth, pred_folder: PathLike, suffixes: Tuple[str, str], missing: str
) -> Pairs:
    """Pairs images with label-divisor PNGs, by name.

    Args:
        gt: the ground truth.
        pred_folder: searched with its sub-folders.
        suffixes: the end of the ground truth's names and what stands in its place in the predictions'.
        missing: the meaning of an image without a prediction; one of :data:`MISSING`.

    Raises:
        InputError: a name of the ground truth ends otherwise, or a prediction is missing and
            ``missing`` is "error".
    """
    folder = _folder(pred_folder, "predictions")
    expected: Dict[ImageId, str] = {}
    for image in gt.images:
        if not image.name.endswith(suffixes[0]):
            raise InputError(f"the ground truth {image.name} does not end in {suffixes[0]!r}; set --gt-suffix")
        expected[image.image_id] = image.name[: len(image.name) - len(suffixes[0])] + suffixes[1]
    found = list_files(folder, suffixes[1])
    there = set(found.names)

    def find(image: ImagePair) -> Optional[MapFile]:
        name = expected[image.image_id]
        return MapFile(folder / name) if name in there else None

    pairs = _paired(gt, find, len(there - set(expected.values())), missing, str(folder))
    return replace(pairs, notes=tuple(filter(None, [*gt.notes, found.note()])))


def read_map(
    file: MapFile, size: Optional[Tuple[int, int]], categories: Categories, form: Optional[LabelDivisorForm]
) -> Tuple[PanopticMap, Sequence[Mapping[str, Any]]]:
    """Reads a map and its segments.

    Args:
        file: the map.
        size: (height, width) it must have, in pixels; None takes any, for label-divisor PNGs.
        categories: the data set's categories.
        form: how label-divisor values are made; None if ``file`` has its segments.

    Returns:
        The map, whose ids are int32, 0 for void; and the segments: dicts with ``id`` and ``category_id``, in ground
        truth ``iscrowd``, too.

    Raises:
        InputError: the PNG is missing, damaged, of another size, or holds a value that means nothing.
    """
    if file.segments_info is not None:
        return read_panoptic_map(file.path, height=size[0], width=size[1]), file.segments_info
    labels, _ = read_label_png(file.path, size=size)
    try:
        return labels_to_panoptic(labels, categories, form)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error


def _paired(
    gt: GroundTruth, find: Callable[[ImagePair], Optional[MapFile]], surplus: int, missing: str, where: str
) -> Pairs:
    images: List[ImagePair] = []
    without: List[ImagePair] = []
    for image in gt.images:
        prediction = find(image)
        if prediction is None:
            without.append(image)
        if prediction is not None or missing != "skip":
            images.append(ImagePair(image.image_id, image.name, image.size, image.gt, prediction))
    if without and missing == "error":
        raise InputError(
            f"{where} has no prediction for {len(without)} of {len(gt.images)} images, such as image "
            f"{without[0].image_id} ({without[0].name}); --missing empty counts them as all void, --missing skip "
            "leaves them out"
        )
    return Pairs(tuple(images), len(without) if missing == "skip" else 0, surplus, gt.notes)


def _folder(path: PathLike, what: str) -> Path:
    if not Path(path).is_dir():
        raise InputError(f"expected the folder of the {what}, but {path} is none")
    return Path(path)
