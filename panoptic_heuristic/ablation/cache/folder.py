"""The folder that keeps predictions: a manifest, and one checked file per image.

::

    CACHE/manifest.json             what made the predictions, of which images, and what was left out
    CACHE/predictions/<id>.arrays   one image, see :mod:`panoptic_heuristic.ablation.cache.predictions`; for a text id
                                    the name is that of :func:`panoptic_heuristic.formats.image_ids.id_file_stem`
    CACHE/ground_truth.json         where it was, see :mod:`panoptic_heuristic.ablation.cache.ground_truth`
    CACHE/fusion.json               how its model fuses, see :mod:`panoptic_heuristic.ablation.cache.own_settings`
    CACHE/regions/                  made from them and ground truth; may be deleted, and so may
    CACHE/regions_with_best_stuff/  the same for rules that ask for the best stuff of a pixel

The manifest comes first, so that a run that was stopped can tell whether it is the same that goes on.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.predictions import ImagePredictions
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import schema
from panoptic_heuristic.formats.array_forms import wrong_inside
from panoptic_heuristic.formats.arrays import is_sound, read_arrays, write_arrays
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, read_json, write_json
from panoptic_heuristic.formats.flattened import flattened
from panoptic_heuristic.formats.image_ids import ImageId, id_file_stem
from panoptic_heuristic.formats.png import MAX_PIXELS
from panoptic_heuristic.fusion import Pipeline, SemanticMap
from panoptic_heuristic.fusion.head_outputs import Need

FORMAT = 1

_SIDE = schema.whole(1, MAX_PIXELS)
_FLOORS = {
    "instances_score_thresh": schema.number(),
    "detections_per_image": schema.or_null(schema.whole(0)),
    "stuff_probability": schema.or_null(schema.number(0, 1)),
}
FLOORS_FORM = schema.fields(_FLOORS)
"""The form of :class:`Floors` as JSON values."""

_FORM = schema.fields(
    {
        "dataset_name": schema.text,
        "categories": schema.anything,
        "label_to_category": schema.list_of(schema.row_of(schema.whole(0), schema.or_null(schema.whole()))),
        "images": schema.list_of(schema.row_of(schema.image_id, schema.text, _SIDE, _SIDE)),
        "floors": FLOORS_FORM,
        "has_logits": schema.flag,
        "source": schema.object_of(schema.anything),
    }
)


@dataclass(frozen=True)
class CachedImage:
    """An image the predictions are of.

    Attributes:
        image_id: its id in the data set.
        file_name: relative to the folder of the images.
        height, width: size in pixels.
    """

    image_id: ImageId
    file_name: str
    height: int
    width: int


@dataclass(frozen=True)
class Floors:
    """Below what nothing was kept, so that no setting may ask for it.

    Attributes:
        instances_score_thresh: the lowest score an instance could have.
        detections_per_image: the largest number of instances; None without a limit.
        stuff_probability: what ``above_floor`` says of the best stuff label; None if it was not known.
    """

    instances_score_thresh: float
    detections_per_image: Optional[int]
    stuff_probability: Optional[float]


@dataclass(frozen=True)
class Manifest:
    """The contents of a cache and their origin. Two runs whose manifests are equal may be one.

    Attributes:
        dataset_name: for people.
        categories: the data set's.
        label_to_category: the dataset category id of each semantic label, None if it is no stuff.
        images: in the order of :func:`~panoptic_heuristic.formats.image_ids.id_order`.
        floors: what was left out.
        has_logits: whether RoI probabilities and semantic logits were kept.
        source: JSON values: config, hash of the weights, versions, or the files it was made from.
    """

    dataset_name: str
    categories: Categories
    label_to_category: Mapping[int, Optional[int]]
    images: Tuple[CachedImage, ...]
    floors: Floors
    has_logits: bool
    source: Mapping[str, Any]

    def image(self, image_id: ImageId) -> CachedImage:
        """The image of an id."""
        return self._image_of[image_id]

    @cached_property
    def _image_of(self) -> Dict[ImageId, CachedImage]:
        return {image.image_id: image for image in self.images}

    def semantics_of(self, predictions: ImagePredictions, pipeline: Pipeline) -> Optional[SemanticMap]:
        """The semantic labels of an image with all that a pipeline needs of what was kept with them."""
        return predictions.to_semantics(
            self.label_to_category,
            best_stuff_floor=self.floors.stuff_probability,
            with_logits=self.hands_over_logits(pipeline),
        )

    def hands_over_logits(self, pipeline: Pipeline) -> bool:
        """True if a pipeline gets logits. Where the best stuff is enough, it does not: that is exact."""
        if Need.LOGITS in pipeline.needs:
            return self.has_logits
        return self.has_logits and Need.BEST_STUFF in pipeline.needs and not self._knows_best_stuff(pipeline)

    def _knows_best_stuff(self, pipeline: Pipeline) -> bool:
        floor = self.floors.stuff_probability
        return floor is not None and getattr(pipeline.leftover, "floor", None) == floor

    def to_json(self) -> Dict[str, Any]:
        """JSON values; :meth:`from_json` is the inverse."""
        return {
            "format": FORMAT,
            "dataset_name": self.dataset_name,
            "categories": self.categories.to_coco(),
            "label_to_category": sorted([label, category] for label, category in self.label_to_category.items()),
            "images": [[image.image_id, image.file_name, image.height, image.width] for image in self.images],
            "floors": vars(self.floors).copy(),
            "has_logits": self.has_logits,
            "source": dict(self.source),
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> "Manifest":
        """Reads a manifest.

        Args:
            data: the parsed JSON.
            where: the file, for the message.

        Raises:
            InputError: it is none, or of another version.
        """
        found = data.get("format") if isinstance(data, Mapping) else None
        if found != FORMAT:
            raise InputError(f"{where} is no manifest of format {FORMAT} (it says {found!r}); make the cache anew")
        _FORM(data, where)
        categories = Categories.from_coco(data["categories"], f"{where}, categories")
        for label, category_id in data["label_to_category"]:
            if category_id is not None and category_id not in categories:
                raise InputError(f"{where}: label {label} means category {category_id}, which it does not list")
        return cls(
            data["dataset_name"],
            categories,
            dict(data["label_to_category"]),
            tuple(CachedImage(*image) for image in data["images"]),
            Floors(**{name: data["floors"][name] for name in _FLOORS}),
            data["has_logits"],
            data["source"],
        )


class PredictionCache:
    """A folder of predictions. Get one from :meth:`create` or :meth:`open`.

    Attributes:
        folder: where it is.
        manifest: what it says of itself.
    """

    def __init__(self, folder: Path, manifest: Manifest):
        self.folder, self.manifest = folder, manifest

    @classmethod
    def create(cls, folder: PathLike, manifest: Manifest) -> "PredictionCache":
        """Starts a cache, or goes on with the one of an equal manifest.

        Raises:
            InputError: the folder holds a cache of something else, what differs is named; or it
                cannot be written to.
        """
        folder = Path(folder)
        path = folder / "manifest.json"
        # As read back from JSON, where tuples are lists.
        if path.exists():
            _check_same(Manifest.from_json(read_json(path), str(path)).to_json(), manifest.to_json(), folder)
        else:
            write_json(path, manifest.to_json())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: PathLike) -> "PredictionCache":
        """Opens a cache, complete or not.

        Raises:
            InputError: the folder holds none.
        """
        folder = Path(folder)
        path = folder / "manifest.json"
        if not path.is_file():
            raise InputError(f"{folder} holds no manifest.json, so it is no prediction cache; "
                             "make one with cache-predictions")  # fmt: skip
        return cls(folder, Manifest.from_json(read_json(path), str(path)))

    def path_of(self, image_id: ImageId) -> Path:
        """The file of an image, whether it is there or not."""
        return self.folder / "predictions" / f"{id_file_stem(image_id)}.arrays"

    def missing(self) -> List[CachedImage]:
        """The images whose file is not there or is damaged."""
        return [image for image in self.manifest.images if not is_sound(self.path_of(image.image_id))]

    def check_needs(self, pipeline: Pipeline, *, has_images: bool = False) -> None:
        """Raises if a pipeline needs what was not kept.

        Args:
            pipeline: rules and thresholds.
            has_images: the images are at hand elsewhere.

        Raises:
            InputError: names the rule, what it needs, and what would keep that; or the file of an
                image is missing or damaged.
        """
        manifest, folder, floor = self.manifest, self.folder, self.manifest.floors.stuff_probability
        meant = {one for one in manifest.label_to_category.values() if one is not None}
        missing: Dict[Need, str] = {}
        if not has_images:
            missing[Need.IMAGE] = (
                f"{folder} holds no images; tune-fusion and fuse-predictions take them by --image-root, elsewhere "
                "leave the rule out"
            )
        if not manifest.has_logits:
            missing[Need.LOGITS] = missing[Need.ROI_PROBABILITIES] = (
                f"{folder} was made without them; make it anew from a model with cache-predictions --store-logits"
            )
            if not manifest._knows_best_stuff(pipeline):
                missing[Need.BEST_STUFF] = (
                    f"{folder} does not know that; make it anew from a model or from logits"
                    if floor is None
                    else f"{folder} knows that at a floor of {floor} only; take that as the rule's FLOOR, or make "
                    "the cache anew with cache-predictions --stuff-probability-floor"
                )
        if not meant:
            missing[Need.SEMANTIC_LABELS] = f"no label of {folder} means a category; cache a semantic head, too"
        if not any(manifest.categories[one].isthing for one in meant):
            missing[Need.THING_LABELS] = f"no label of {folder} means a thing; cache a head that has such labels"
        if pipeline.needs & {Need.BOXES, Need.MASK_QUALITY}:
            for need in self._unknown_measures:
                missing[need] = f"{folder} was made without; make it anew from a model with cache-predictions"
        pipeline.check_needs(missing)

    @cached_property
    def _unknown_measures(self) -> Tuple[Need, ...]:
        """Of boxes and mask quality those that were not kept. One image with instances is as good as all."""
        all_images = (self.read(image.image_id) for image in self.manifest.images)
        for predictions in filter(lambda one: len(one.scores), all_images):
            measures = {Need.BOXES: predictions.boxes, Need.MASK_QUALITY: predictions.mask_quality}
            return tuple(need for need, values in measures.items() if np.isnan(values).any())
        return ()

    def write(self, predictions: ImagePredictions) -> None:
        """Keeps the predictions of one image.

        Raises:
            InputError: the file cannot be written.
        """
        write_arrays(self.path_of(predictions.image_id), predictions.to_arrays())
        # What was found in the file before may hold no more.
        vars(self).pop("_unknown_measures", None)

    def read(self, image_id: ImageId) -> ImagePredictions:
        """The predictions of one image.

        Raises:
            InputError: the file is missing, damaged, or of another image.
        """
        path = self.path_of(image_id)
        if not path.exists():
            raise InputError(f"{path} is missing: the cache is not complete; run again the command that makes it")
        predictions = ImagePredictions.from_arrays(read_arrays(path), str(path))
        if predictions.image_id != image_id:
            raise InputError(f"{path} is of image {predictions.image_id}; delete it and run again what wrote it")
        cached = self.manifest.image(image_id)
        if predictions.image_size != (cached.height, cached.width):
            height, width = predictions.image_size
            raise wrong_inside(
                str(path), f"its image is {width}x{height} pixels, and {cached.width}x{cached.height} in manifest.json"
            )
        return predictions


def _check_same(there: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    there, wanted = flattened(there), flattened(wanted)
    for key in [*wanted, *there]:
        found, value = there.get(key), wanted.get(key)
        if found != value:
            raise InputError(
                f"{folder} is a cache of something else: its {key} is {_short(found)}, not {_short(value)}; "
                "give another folder, or delete this one"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
