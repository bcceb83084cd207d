"""COCO panoptic data: one JSON and a folder of PNGs whose colours are segment ids.

The format is described at https://cocodataset.org/#format-data, "Panoptic Segmentation". Predictions have it too,
without ``images`` and ``categories``, for which the ground truth stands
(https://cocodataset.org/#format-results).
"""

from panoptic_heuristic.formats.coco_panoptic.annotations import (
    PanopticImage,
    PanopticJson,
    PredictedImage,
    id_problems,
    read_annotation,
    read_panoptic_json,
    read_predictions,
)
from panoptic_heuristic.formats.coco_panoptic.colored_ids import colored_ids, with_colored_ids
from panoptic_heuristic.formats.coco_panoptic.ids import MAX_ID, VOID_ID, ids_to_rgb, rgb_to_ids
from panoptic_heuristic.formats.coco_panoptic.png import (
    decode_panoptic_png,
    read_panoptic_map,
    read_panoptic_png,
    write_panoptic_png,
)
from panoptic_heuristic.formats.coco_panoptic.png_decoder import PanopticMap, PngRows, as_ids
from panoptic_heuristic.formats.coco_panoptic.problems import json_problems
from panoptic_heuristic.formats.coco_panoptic.segments import segment_entries

__all__ = [
    "MAX_ID",
    "VOID_ID",
    "PanopticImage",
    "PanopticJson",
    "PanopticMap",
    "PngRows",
    "PredictedImage",
    "as_ids",
    "colored_ids",
    "decode_panoptic_png",
    "id_problems",
    "ids_to_rgb",
    "json_problems",
    "read_annotation",
    "read_panoptic_json",
    "read_panoptic_map",
    "read_panoptic_png",
    "read_predictions",
    "rgb_to_ids",
    "segment_entries",
    "with_colored_ids",
    "write_panoptic_png",
]
