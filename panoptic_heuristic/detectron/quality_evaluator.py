"""PQ, SQ and RQ of a model's panoptic maps, counted while they are made."""

import logging
import math
from collections import OrderedDict
from typing import Any, Dict, List, Optional

from detectron2.data import MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from tabulate import tabulate

from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.quality import PQCounts, Quality, Summary, add_counts, category_quality, count_image, summarize

_logger = logging.getLogger(__name__)

# Detectron2's suffixes of PQ, SQ and RQ for the groups of a summary.
_GROUPS = {"all": "", "things": "_th", "stuff": "_st"}


class PanopticQualityEvaluator(DatasetEvaluator):
    """Scores panoptic maps as panopticapi does, without writing or gathering any of them.

    The results have the keys of Detectron2's ``COCOPanopticEvaluator``. A group of categories that
    does not occur is NaN, where panopticapi divides by zero. Areas are those of the PNGs. What the
    model returned is not changed.
    """

    def __init__(self, dataset_name: str):
        """
        Args:
            dataset_name: a registered panoptic data set with ``panoptic_json`` and ``panoptic_root``.

        Raises:
            InputError: the JSON is missing or wrong.
        """
        metadata = MetadataCatalog.get(dataset_name)
        content = read_panoptic_json(metadata.panoptic_json, getattr(metadata, "panoptic_categories", None))
        self._panoptic_json, self._panoptic_root = metadata.panoptic_json, metadata.panoptic_root
        self._categories = content.categories
        self._image_of = {image.image_id: image for image in content.images if image.png_name is not None}
        self._ids = ContiguousIds.of_metadata(metadata)
        self.reset()

    def reset(self) -> None:
        """Forgets what was counted."""
        self._counts: PQCounts = {}

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
            panoptic_seg, segments_info = output["panoptic_seg"]
            segments = self._ids.to_dataset(segments_info)
            counts = count_image(gt_ids, image.segments_info, panoptic_seg.cpu().numpy(), segments, self._categories)
            self._counts = add_counts([self._counts, counts])

    def evaluate(self) -> Optional[Dict[str, Dict[str, float]]]:
        """Adds the counts of all processes.

        Returns:
            ``{"panoptic_seg": {"PQ": ..., "SQ": ..., "RQ": ..., "PQ_th": ..., ...}}`` in percent;
            None on processes other than the main one.
        """
        counts = comm.gather(self._counts)
        if not comm.is_main_process():
            return None
        total = add_counts(counts)
        summary = summarize(total, self._categories)
        _logger.info("panoptic quality:\n%s\n%s", _group_table(summary), self._class_table(total))
        results = {}
        for group, suffix in _GROUPS.items():
            results.update({name + suffix: value for name, value in _percent(getattr(summary, group)).items()})
        return OrderedDict(panoptic_seg=results)

    def _class_table(self, counts: PQCounts) -> str:
        rows = []
        for category in self._categories.values():
            if category.id in counts:
                one = counts[category.id]
                quality = _percent(category_quality(one)).values()
                rows.append([category.name, "thing" if category.isthing else "stuff", *quality, one.tp, one.fp, one.fn])
        headers = ["category", "", "PQ", "SQ", "RQ", "TP", "FP", "FN"]
        return tabulate(rows, headers=headers, floatfmt=".2f")


def _group_table(summary: Summary) -> str:
    rows = []
    for group in _GROUPS:
        quality = getattr(summary, group)
        rows.append([group, *_percent(quality).values(), quality.categories if quality else 0])
    return tabulate(rows, headers=["", "PQ", "SQ", "RQ", "categories"], floatfmt=".3f")


def _percent(quality: Optional[Quality]) -> Dict[str, float]:
    if quality is None:
        return {"PQ": math.nan, "SQ": math.nan, "RQ": math.nan}
    return {"PQ": 100 * quality.pq, "SQ": 100 * quality.sq, "RQ": 100 * quality.rq}
