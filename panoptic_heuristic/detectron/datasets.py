"""Data sets of one's own, from a YAML file into Detectron2's catalogs."""

import contextlib
import logging
from typing import Any, Dict, List, Set, Tuple

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.meta_arch import check_class_counts
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import DatasetSplit, PanopticJson, read_dataset_yaml
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.images import ImageFileError, opened_image
from panoptic_heuristic.formats.photos import check_photo_depth
from panoptic_heuristic.formats.semantic_targets import IGNORE_LABEL
from panoptic_heuristic.formats.tables import text_table

_logger = logging.getLogger(__name__)

_NUM_THINGS, _NUM_LABELS = "MODEL.ROI_HEADS.NUM_CLASSES", "MODEL.SEM_SEG_HEAD.NUM_CLASSES"


def use_dataset_yaml(cfg: CfgNode, explicit: Set[str]) -> None:
    """Registers the data set that ``DATASETS.PANOPTIC_YAML`` names and fits the config to it.

    Without that key nothing happens. ``DATASETS.TRAIN`` and ``DATASETS.TEST`` become the splits
    ``train`` and ``val``, and the ``NUM_CLASSES`` keys the data set's numbers, unless they were
    set on purpose.

    Args:
        cfg: changed in place.
        explicit: the keys that the user set, from :func:`panoptic_heuristic.detectron.config.load_config`.

    Raises:
        InputError: the data set is wrong, or contradicts what was set.
    """
    if not cfg.DATASETS.PANOPTIC_YAML:
        return
    data = read_dataset_yaml(cfg.DATASETS.PANOPTIC_YAML)
    splits = {split.name: split for split in data.splits.values()}
    for key, default in (("TRAIN", "train"), ("TEST", "val")):
        if f"DATASETS.{key}" not in explicit:
            cfg.DATASETS[key] = (data.splits[default].name,) if default in data.splits else ()
        for name in cfg.DATASETS[key]:
            if name not in splits and name not in DatasetCatalog.list():
                raise InputError(
                    f"DATASETS.{key} names {name!r}, but {data.path} has the splits {', '.join(sorted(splits))}"
                )
    used = [splits[name] for name in dict.fromkeys((*cfg.DATASETS.TEST, *cfg.DATASETS.TRAIN)) if name in splits]
    if not used:
        raise InputError(
            f"neither DATASETS.TRAIN {tuple(cfg.DATASETS.TRAIN)} nor DATASETS.TEST {tuple(cfg.DATASETS.TEST)} "
            f"names a split of {data.path}; its splits are {', '.join(sorted(splits))}"
        )
    contents = [split.read() for split in used]
    for split, content in zip(used, contents, strict=True):
        # As lists: semantic labels follow the order.
        if _without_colors(content) != _without_colors(contents[0]):
            raise InputError(f"{content.path} and {contents[0].path} have different categories")
        ids = ContiguousIds.of_categories(content.categories, data.class_order, str(data.path))
        _check_first_image(split, content)
        _register(split, content, ids, data.label_divisor)
    _derive_class_counts(cfg, ids, explicit, str(data.path))


def _check_first_image(split: DatasetSplit, content: PanopticJson) -> None:
    """Refuses photographs that the mapper would refuse for their depth, before any work: as a rule, all are alike."""
    for image in content.images[:1]:
        path = inside(split.image_root, image.file_name)
        # One that is missing or damaged is told by whoever needs it.
        with contextlib.suppress(ImageFileError), opened_image(path) as photo:
            check_photo_depth(photo, path, split.image_range)


def _without_colors(content: PanopticJson) -> List[Tuple[int, str, bool]]:
    return [(category.id, category.name, category.isthing) for category in content.categories.values()]


def _derive_class_counts(cfg: CfgNode, ids: ContiguousIds, explicit: Set[str], where: str) -> None:
    if not ids.things:
        raise InputError(f"{where} has no thing category, but a Panoptic FPN needs at least one for its instance head")
    if _NUM_THINGS not in explicit:
        cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(ids.things)
    if _NUM_LABELS not in explicit:
        cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES = len(ids.labels)
    check_class_counts(cfg, ids, where)
    _logger.info(
        "%s: %d thing categories, %d stuff categories; %s = %d, %s = %d (the stuff and one label for all things)",
        where,
        len(ids.things),
        len(ids.labels) - 1,
        _NUM_THINGS,
        cfg.MODEL.ROI_HEADS.NUM_CLASSES,
        _NUM_LABELS,
        cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES,
    )
    _logger.info("the categories and their contiguous ids:\n%s", _id_table(ids))


def _id_table(ids: ContiguousIds) -> str:
    rows = []
    for kind, numbering in (("thing", ids.things), ("stuff", ids.labels)):
        for contiguous, dataset_id in enumerate(numbering):
            if dataset_id is not None:
                category = ids.categories[dataset_id]
                rows.append([dataset_id, category.name, kind, contiguous, "#%02x%02x%02x" % category.color])
    return text_table(rows, ["dataset id", "name", "", "contiguous id", "colour"], "rllrl")


def _register(split: DatasetSplit, content: PanopticJson, ids: ContiguousIds, label_divisor: int) -> None:
    """Puts a split into Detectron2's catalogs, replacing one of the same name."""
    if split.name in DatasetCatalog.list():
        DatasetCatalog.remove(split.name)
        MetadataCatalog.remove(split.name)
    DatasetCatalog.register(split.name, lambda: _records(split, content, ids))
    metadata = MetadataCatalog.get(split.name)
    metadata.set(
        image_root=str(split.image_root),
        panoptic_json=str(split.panoptic_json),
        evaluator_type="coco_panoptic_seg",
        ignore_label=IGNORE_LABEL,
        label_divisor=label_divisor,
        panoptic_categories=ids.categories,
        **ids.to_metadata(),
    )
    if split.panoptic_root is not None:
        metadata.set(panoptic_root=str(split.panoptic_root))


def _records(split: DatasetSplit, content: PanopticJson, ids: ContiguousIds) -> List[Dict[str, Any]]:
    """Detectron2's dataset dicts.

    ``annotations`` say category and crowd only, which is what Detectron2 filters and counts by;
    boxes and masks are made from the PNG when an image is loaded.
    """
    class_of = {category_id: index for index, category_id in enumerate(ids.things)}
    records = []
    for image in content.images:
        record: Dict[str, Any] = {
            "file_name": str(inside(split.image_root, image.file_name)),
            "image_id": image.image_id,
            "height": image.height,
            "width": image.width,
        }
        if split.image_range is not None:
            record["image_range"] = split.image_range
        if split.panoptic_root is not None:
            record["panoptic_image"] = image
            record["panoptic_root"] = str(split.panoptic_root)
            record["annotations"] = [
                {"category_id": class_of[segment["category_id"]], "iscrowd": segment.get("iscrowd", 0)}
                for segment in image.segments_info
                if segment["category_id"] in class_of
            ]
        records.append(record)
    return records
