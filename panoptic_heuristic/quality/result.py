"""The result of an evaluation as one value and one file: counts of all images, and of each.

The file says what was counted and nothing of when or where, so equal work gives equal bytes::

    {"params": {...}, "coverage": {"empty": 0, "ground_truth": 2, "scored": 2},
     "counts": {measure: {category id: [iou_sum, tp, fp, fn]}},
     "images": {image id: {"counts": {measure: {...}}, "pixels": 1, "void_pixels": 0}}}
"""

from dataclasses import asdict, astuple, dataclass
from typing import Any, Dict, List, Mapping, Sequence

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import is_integer
from panoptic_heuristic.formats.image_ids import ImageId, id_of_key, id_to_key
from panoptic_heuristic.formats.schema import is_whole_key
from panoptic_heuristic.quality.counts import IOU_UNIT, CategoryCounts, PQCounts, add_counts
from panoptic_heuristic.quality.measures import ImageMeasures


@dataclass(frozen=True)
class Coverage:
    """The part of the ground truth that was scored, in images.

    Attributes:
        ground_truth: annotated images.
        scored: those that are in the counts; the others were skipped.
        empty: those among the scored that have no prediction and count as all void.

    Raises:
        InputError: not 0 <= empty <= scored <= ground_truth.
    """

    ground_truth: int
    scored: int
    empty: int = 0

    def __post_init__(self):
        numbers = (self.empty, self.scored, self.ground_truth)
        if not all(map(is_integer, numbers)) or not 0 <= self.empty <= self.scored <= self.ground_truth:
            raise InputError(f"coverage must be integers 0 <= empty <= scored <= ground_truth, got {asdict(self)}")

    @property
    def skipped(self) -> int:
        """Annotated images that are not in the counts."""
        return self.ground_truth - self.scored


@dataclass(frozen=True)
class Result:
    """The counts of an evaluation; one comes from :meth:`PanopticQuality.result` or a file.

    Attributes:
        params: JSON values that say what was counted and how.
        coverage: the part of the ground truth that was scored.
        counts: by measure, then dataset category id, over all images.
        images: by image id; of the measures of each those that were asked to be kept.

    Raises:
        InputError: ``coverage`` is of another number of images.
    """

    params: Mapping[str, Any]
    coverage: Coverage
    counts: Mapping[str, PQCounts]
    images: Mapping[ImageId, ImageMeasures]

    def __post_init__(self):
        if self.coverage.scored != len(self.images):
            raise InputError(
                f"the coverage is {self.coverage.scored} scored images, but there are {len(self.images)}"
            )

    @property
    def pixels(self) -> int:
        """Pixels of all images."""
        return sum(image.pixels for image in self.images.values())

    @property
    def void_pixels(self) -> int:
        """Those the predictions leave void."""
        return sum(image.void_pixels for image in self.images.values())

    def per_image(self, measure: str) -> Dict[ImageId, PQCounts]:
        """The counts of each image, by its id.

        Raises:
            InputError: an image does not keep ``measure``.
        """
        for image_id, image in self.images.items():
            if measure not in image.counts:
                kept = ", ".join(image.counts) or "none"
                raise InputError(f"the result has no {measure!r} of image {image_id}; measures kept per image: {kept}")
        return {image_id: image.counts[measure] for image_id, image in self.images.items()}

    def to_json(self) -> Dict[str, Any]:
        """The file's content; :func:`panoptic_heuristic.formats.files.write_json` sorts the keys."""
        return {
            "params": dict(self.params),
            "coverage": asdict(self.coverage),
            "counts": _counts_to_json(self.counts),
            "images": {
                id_to_key(image_id): {
                    "counts": _counts_to_json(image.counts),
                    "pixels": image.pixels,
                    "void_pixels": image.void_pixels,
                }
                for image_id, image in self.images.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> "Result":
        """Reads what :meth:`to_json` gave.

        Args:
            data: the parsed file.
            where: the file, for error messages.

        Raises:
            InputError: a key is missing or of the wrong type, or the numbers contradict each other.
        """
        data = _mapping(data, ("params", "coverage", "counts", "images"), where)
        covered = _mapping(data["coverage"], ("ground_truth", "scored", "empty"), f"{where}, coverage")
        images = {
            _image_id(image_id, f"{where}, images"): _image_from_json(image, f"{where}, image {image_id}")
            for image_id, image in _mapping(data["images"], (), f"{where}, images").items()
        }
        params = _mapping(data["params"], (), f"{where}, params")
        counts = _counts_from_json(data["counts"], f"{where}, counts")
        _check_sums(counts, images, where)
        try:
            coverage = Coverage(*(covered[key] for key in ("ground_truth", "scored", "empty")))
            return cls(params, coverage, counts, images)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def _counts_to_json(counts: Mapping[str, PQCounts]) -> Dict[str, Dict[str, List[int]]]:
    return {
        measure: {str(category_id): list(astuple(value)) for category_id, value in of_measure.items()}
        for measure, of_measure in counts.items()
    }


def _counts_from_json(data: Any, where: str) -> Dict[str, PQCounts]:
    return {
        measure: {
            _whole(category_id, f"{where}, {measure}"): _category_counts(value, f"{where}, {measure}, {category_id}")
            for category_id, value in _mapping(of_measure, (), f"{where}, {measure}").items()
        }
        for measure, of_measure in _mapping(data, (), where).items()
    }


def _category_counts(value: Any, where: str) -> CategoryCounts:
    sound = isinstance(value, list) and len(value) == 4 and all(is_integer(n) and n >= 0 for n in value)
    # Each match has an IoU of at most 1.
    if not sound or value[0] > value[1] * IOU_UNIT:
        raise InputError(
            f"{where}: expected [iou_sum, tp, fp, fn], whole numbers with iou_sum up to tp * 2**40; got {value!r}"
        )
    return CategoryCounts(*value)


def _image_from_json(data: Any, where: str) -> ImageMeasures:
    data = _mapping(data, ("counts", "pixels", "void_pixels"), where)
    pixels, void = data["pixels"], data["void_pixels"]
    if not (is_integer(pixels) and is_integer(void) and 0 <= void <= pixels):
        raise InputError(f"{where}: expected integers 0 <= void_pixels <= pixels, got {void!r} and {pixels!r}")
    return ImageMeasures(_counts_from_json(data["counts"], f"{where}, counts"), pixels, void)


def _check_sums(counts: Mapping[str, PQCounts], images: Mapping[ImageId, ImageMeasures], where: str) -> None:
    """The images must add up to the total, for each measure that all of them have."""
    for measure, total in counts.items():
        if all(measure in image.counts for image in images.values()):
            if add_counts(image.counts[measure] for image in images.values()) != total:
                raise InputError(f"{where}: the images' counts of {measure} do not add up to those of all images")


def _mapping(data: Any, keys: Sequence[str], where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: expected an object, got {type(data).__name__}")
    for key in keys:
        if key not in data:
            raise InputError(f"{where} has no {key!r}")
    return data


def _image_id(key: Any, where: str) -> ImageId:
    try:
        return id_of_key(key)
    except ValueError as error:
        raise InputError(f"{where}: {error}; expected a whole number or, in its own quotes, a text") from error


def _whole(key: Any, where: str) -> int:
    if not is_whole_key(key):
        raise InputError(f"{where}: expected ids, whole numbers, as keys; got {key!r}")
    return int(key)
