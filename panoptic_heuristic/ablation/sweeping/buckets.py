"""The files of counts that a sweep is made of, one per bucket of images."""

from pathlib import Path
from typing import Dict

import numpy as np

from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays, wrong_inside
from panoptic_heuristic.formats.arrays import read_arrays
from panoptic_heuristic.quality import IOU_UNIT

# Sums over all buckets and settings stay in 64 bits.
_MOST = 2**31 - 1
_COUNTS = ArrayForm("whole numbers", ("P", "S"), 0, _MOST)


def bucket_path(folder: Path, bucket: int) -> Path:
    """The file of a bucket."""
    return folder / "buckets" / f"{bucket:02d}.arrays"


def read_bucket(path: Path, *, categories: int, settings: int) -> Dict[str, np.ndarray]:
    """The arrays of a bucket, as :meth:`panoptic_heuristic.ablation.setting_counts.SettingCounts.to_arrays` gave them.

    Args:
        path: the file.
        categories, settings: how many the sweep has.

    Raises:
        InputError: the file is missing, damaged, or of something else.
    """
    arrays = read_arrays(path)
    forms = {
        "places": ArrayForm("whole numbers", ("P",), 0, categories - 1),
        "iou_sum": ArrayForm("whole numbers", ("P", "S"), 0),
        "tp": _COUNTS,
        "fp": _COUNTS,
        "segments": ArrayForm("whole numbers", ("P",), 0, _MOST),
        "images": ArrayForm("whole numbers", (), 0, _MOST),
    }
    check_arrays(arrays, forms, str(path), S=settings)
    if (np.diff(arrays["places"]) <= 0).any():
        raise wrong_inside(str(path), "'places' does not ascend")
    tp = arrays["tp"].astype(np.int64)
    if (tp > arrays["segments"][:, None]).any() or (arrays["iou_sum"] > tp.astype(np.float64) * IOU_UNIT).any():
        raise wrong_inside(str(path), "it has more matches than segments, or a match of an IoU above 1")
    return arrays
