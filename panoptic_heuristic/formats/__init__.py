"""Categories, ids and the file formats of panoptic segmentation."""

from panoptic_heuristic.formats.categories import Categories, Category, read_categories
from panoptic_heuristic.formats.coco_panoptic import (
    PanopticImage,
    PanopticJson,
    PredictedImage,
    ids_to_rgb,
    read_annotation,
    read_panoptic_json,
    read_panoptic_png,
    read_predictions,
    rgb_to_ids,
    segment_entries,
    write_panoptic_png,
)
from panoptic_heuristic.formats.dataset_yaml import DatasetSplit, DatasetYaml, read_dataset_yaml
from panoptic_heuristic.formats.label_divisor import decode_label_divisor, encode_label_divisor

__all__ = [
    "Categories",
    "Category",
    "DatasetSplit",
    "DatasetYaml",
    "PanopticImage",
    "PanopticJson",
    "PredictedImage",
    "decode_label_divisor",
    "encode_label_divisor",
    "ids_to_rgb",
    "read_annotation",
    "read_categories",
    "read_dataset_yaml",
    "read_panoptic_json",
    "read_panoptic_png",
    "read_predictions",
    "rgb_to_ids",
    "segment_entries",
    "write_panoptic_png",
]
