"""PQ, SQ and RQ of a model's panoptic maps, counted while they are made."""

import functools
import logging
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Optional

from detectron2.data import MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm

from panoptic_heuristic.detectron.ids import DEFAULT_LABEL_DIVISOR, ContiguousIds
from panoptic_heuristic.errors import InputError, printable
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.quality import PanopticQuality, PQCounts, Quality, class_table, group_table, write_result

_logger = logging.getLogger(__name__)

MANY = 10
"""So many segments of a category are not missed by chance alone."""

# Detectron2's suffixes of PQ, SQ and RQ for the groups of a summary.
_GROUPS = {"all": "", "things": "_th", "stuff": "_st"}


class PanopticQualityEvaluator(DatasetEvaluator):
    """Scores panoptic maps as panopticapi does, without writing or gathering any of them.

    Only counts are gathered between processes. The results have the keys of Detectron2's
    ``COCOPanopticEvaluator``. A group of categories that does not occur is NaN, where panopticapi
    divides by zero. Areas are those of the PNGs. What the model returned is not changed.
    """

    def __init__(self, dataset_name: str, output_dir: Optional[str] = None):
        """
        Args:
            dataset_name: a registered panoptic data set with ``panoptic_json`` and ``panoptic_root``.
            output_dir: gets the folder ``panoptic_quality`` with the result as JSON and CSV, in the
                form of ``evaluate-pq``; None for no files.

        Raises:
            InputError: the JSON is missing or wrong.
        """
        metadata = MetadataCatalog.get(dataset_name)
        content = read_panoptic_json(metadata.panoptic_json, getattr(metadata, "panoptic_categories", None))
        self._panoptic_json, self._panoptic_root = metadata.panoptic_json, metadata.panoptic_root
        self._categories = content.categories
        self._image_of = {image.image_id: image for image in content.images if image.png_name is not None}
        self._ids = ContiguousIds.of_metadata(metadata)
        self._label_divisor = getattr(metadata, "label_divisor", DEFAULT_LABEL_DIVISOR)
        self._output_dir = output_dir
        self._quality = PanopticQuality(self._categories)

    def reset(self) -> None:
        """Forgets what was counted."""
        self._quality.reset()

    def process(self, inputs: List[Dict[str, Any]], outputs: List[Dict[str, Any]]) -> None:
        """Counts one batch.

        Raises:
            InputError: an image has no ground truth, or its PNG is missing or wrong.
        """
        for record, output in zip(inputs, outputs, strict=True):
            image = self._image_of.get(record["image_id"])
            if image is None:
                raise InputError(f"{self._panoptic_json} has no annotation of image {record['image_id']}")
            path = inside(self._panoptic_root, image.png_name)
            gt_ids = read_panoptic_png(path, height=image.height, width=image.width)
            pred = self._ids.read_prediction(*output["panoptic_seg"], self._label_divisor)
            self._quality.update((gt_ids, image.segments_info), pred, image.image_id)

    def evaluate(self) -> Optional[Dict[str, Dict[str, float]]]:
        """Adds the counts of all processes.

        Returns:
            ``{"panoptic_seg": {"PQ": ..., "SQ": ..., "RQ": ..., "PQ_th": ..., ...}}`` in percent;
            None on processes other than the main one.
        """
        shards = comm.gather(self._quality)
        if not comm.is_main_process():
            return None
        quality = functools.reduce(PanopticQuality.merge, shards, PanopticQuality(self._categories))
        if not len(quality):
            raise InputError(f"{self._panoptic_json}: no image was evaluated")
        result, summary = quality.result(), quality.compute()
        _logger.info(
            "panoptic quality:\n%s\n\n%s", group_table(result, self._categories), class_table(result, self._categories)
        )
        if missed := never_found(result.counts["pq"], self._categories):
            _logger.warning(
                "no map has a segment of %s: if the model should know them, its classes may have another order than "
                "the data set's; see class_order in docs/config.md",
                ", ".join(missed),
            )
        if self._output_dir is not None:
            name_of = {image_id: self._image_of[image_id].png_name for image_id in result.images}
            written = write_result(Path(self._output_dir) / "panoptic_quality", result, self._categories, name_of)
            _logger.info("wrote %s", ", ".join(str(path) for path in written))
        results = {}
        for group, suffix in _GROUPS.items():
            results.update({name + suffix: value for name, value in _percent(getattr(summary, group)).items()})
        return OrderedDict(panoptic_seg=results)


def never_found(counts: PQCounts, categories: Categories) -> List[str]:
    """The categories of which no map has a segment, though there are many in the ground truth, in words.

    Args:
        counts: of all images.
        categories: of the data set.
    """
    return [
        f"{printable(categories[category_id].name)} ({count.fn} in the ground truth)"
        for category_id, count in counts.items()
        if count.fn >= MANY and not count.tp and not count.fp
    ]


def _percent(quality: Optional[Quality]) -> Dict[str, float]:
    if quality is None:
        return {"PQ": math.nan, "SQ": math.nan, "RQ": math.nan}
    return {"PQ": 100 * quality.pq, "SQ": 100 * quality.sq, "RQ": 100 * quality.rq}
