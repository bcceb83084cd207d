"""A data set as one YAML file: what lies where, per split.

.. code-block:: yaml

    name: balloons
    splits:
      train: {image_root: train, panoptic_json: train.json, panoptic_root: train_panoptic}
      val:   {image_root: val, panoptic_json: val.json, panoptic_root: val_panoptic}
      test:  {image_root: test, panoptic_json: test_images.json, categories_json: val.json}

    class_order: {things: [blue balloon, red balloon]}
    image_range: [0, 4095]

Paths are relative to the YAML file; ``~`` and environment variables are expanded.
``$DETECTRON2_DATASETS`` is the folder it is to Detectron2, which is ``datasets`` in the working
directory where the variable is not set. A split without ``panoptic_root`` is a test set: its
images are predicted, not scored. ``class_order``, which may be left out, is for weights whose classes
have another order; see :class:`panoptic_heuristic.formats.class_order.ClassOrder`. ``image_range`` is for photographs
of more than 8 bits per channel: the pixel values that become 0 and 255; see :mod:`panoptic_heuristic.formats.photos`.
"""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any, Dict, Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, read_categories
from panoptic_heuristic.formats.class_order import ClassOrder
from panoptic_heuristic.formats.coco_panoptic import PanopticJson, read_panoptic_json
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.photos import ValueRange
from panoptic_heuristic.formats.yaml_files import read_yaml

_SPLIT_KEYS = {"image_root", "panoptic_json", "panoptic_root", "categories_json"}
_KEYS = {"name", "splits", "label_divisor", "class_order", "image_range"}
_DATASETS_VARIABLE = "DETECTRON2_DATASETS"


@dataclass(frozen=True)
class DatasetSplit:
    """One split of a data set.

    Attributes:
        name: ``<data set>_<split>``, the name Detectron2's catalogs know it by.
        image_root: folder of the images.
        panoptic_json: the COCO panoptic JSON, or the image list of a test set.
        panoptic_root: folder of the panoptic PNGs; None for a test set.
        categories_json: a JSON whose ``categories`` replace those of ``panoptic_json``, or None.
        image_range: the pixel values of deep photographs that become 0 and 255; None to refuse them.
    """

    name: str
    image_root: Path
    panoptic_json: Path
    panoptic_root: Optional[Path]
    categories_json: Optional[Path]
    image_range: Optional[ValueRange] = None

    def read(self) -> PanopticJson:
        """Reads the split's JSON.

        Raises:
            InputError: a file is missing or wrong, or the split has a PNG folder and an image in
                it has no annotation.
        """
        content = read_panoptic_json(self.panoptic_json, self.given_categories())
        if self.panoptic_root is not None:
            for image in content.images:
                if image.png_name is None:
                    raise InputError(
                        f"{self.panoptic_json}: image {image.image_id} has no annotation; "
                        "annotate it, take it out, or leave panoptic_root away if this is a test set"
                    )
        return content

    def given_categories(self) -> Optional[Categories]:
        """The categories of ``categories_json``; None if the split's own JSON holds them.

        Raises:
            InputError: the file is missing or wrong.
        """
        return None if self.categories_json is None else read_categories(self.categories_json)


@dataclass(frozen=True)
class DatasetYaml:
    """A data set described by a YAML file.

    Attributes:
        path: the YAML file.
        name: the data set's name.
        splits: the splits by their short name, such as ``train``.
        label_divisor: of label-divisor maps, see :mod:`panoptic_heuristic.formats.label_divisor`.
        class_order: of the model's heads.
    """

    path: Path
    name: str
    splits: Dict[str, DatasetSplit]
    label_divisor: int
    class_order: ClassOrder


def datasets_root() -> Path:
    """The folder Detectron2 looks for data sets in, as an absolute path.

    Detectron2's own rule: ``$DETECTRON2_DATASETS``, or ``datasets`` if that is not set, relative to
    the working directory (not to a YAML file).
    """
    return Path(os.path.abspath(os.path.expanduser(os.environ.get(_DATASETS_VARIABLE, "datasets"))))


def read_dataset_yaml(path: PathLike) -> DatasetYaml:
    """Reads a data set's YAML file. The files it names are not opened.

    Raises:
        InputError: the file is missing, is not YAML, or has an unknown or missing key.
    """
    path = Path(path)
    data = read_yaml(path, "the data set file")
    _check_keys(data, _KEYS, {"name", "splits"}, str(path))
    if not isinstance(data["name"], str) or not data["name"]:
        raise InputError(f"{path}: 'name' must be a word, got {data['name']!r}")
    if not isinstance(data["splits"], Mapping) or not data["splits"]:
        raise InputError(f"{path}: 'splits' must map names such as train and val to their folders and files")
    label_divisor = data.get("label_divisor", 1000)
    if not isinstance(label_divisor, int) or label_divisor < 2:
        raise InputError(f"{path}: label_divisor must be an integer >= 2, got {label_divisor!r}")
    image_range = _read_range(data.get("image_range"), path)
    splits = {
        str(split): replace(
            _read_split(f"{data['name']}_{split}", entry, path, f"{path}, split {split}"), image_range=image_range
        )
        for split, entry in data["splits"].items()
    }
    class_order = ClassOrder.read(data.get("class_order", {}), f"{path}: class_order")
    return DatasetYaml(path, data["name"], splits, label_divisor, class_order)


def _read_split(name: str, entry: Any, path: Path, where: str) -> DatasetSplit:
    _check_keys(entry, _SPLIT_KEYS, {"image_root", "panoptic_json"}, where)
    for key, value in entry.items():
        if not isinstance(value, str) or not value:
            raise InputError(f"{where}: {key} must be a path, got {value!r}")
    resolved = {key: _resolve(value, path, f"{where}, {key}") for key, value in entry.items()}
    return DatasetSplit(
        name=name,
        image_root=resolved["image_root"],
        panoptic_json=resolved["panoptic_json"],
        panoptic_root=resolved.get("panoptic_root"),
        categories_json=resolved.get("categories_json"),
    )


def _read_range(value: Any, path: Path) -> Optional[ValueRange]:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(type(one) in (int, float) for one in value):
        raise InputError(f"{path}: image_range must be two numbers such as [0, 4095], got {value!r}")
    low, high = map(float, value)
    if not -math.inf < low < high < math.inf:
        raise InputError(f"{path}: image_range must be two finite numbers, the smaller first, got {value!r}")
    return low, high


def _check_keys(entry: Any, known: set, needed: set, where: str) -> None:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: expected a mapping with the keys {', '.join(sorted(needed))}")
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(sorted(known))}")
    missing = sorted(needed - set(entry))
    if missing:
        raise InputError(f"{where}: the key {missing[0]!r} is missing")


def _resolve(value: str, path: Path, where: str) -> Path:
    try:
        expanded = Template(value).substitute({**os.environ, _DATASETS_VARIABLE: str(datasets_root())})
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{where}: {value!r} names a variable that is not set (write $$ for a dollar sign)"
        ) from error
    return path.parent / os.path.expanduser(expanded)
