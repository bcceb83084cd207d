"""Which evaluators a data set gets, and what this project adds around Detectron2's."""

import itertools
import os
from pathlib import Path
from typing import Any, Dict, List, Optional

from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.evaluation import COCOEvaluator, DatasetEvaluator, DatasetEvaluators, SemSegEvaluator
from detectron2.utils import comm

from panoptic_heuristic.detectron.compat import has_compiled_ops
from panoptic_heuristic.detectron.ground_truth import prepare_evaluation
from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.quality_evaluator import PanopticQualityEvaluator
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import inside, write_json
from panoptic_heuristic.formats.panoptic_writer import write_panoptic_png


def build_evaluator(cfg: CfgNode, dataset_name: str, output_dir: str) -> DatasetEvaluator:
    """The evaluators of a data set, by the ``evaluator_type`` in its metadata.

    Args:
        cfg: ``TEST.KEEP_PANOPTIC_PREDICTIONS`` adds the files that COCO's server takes.
        dataset_name: a registered data set.
        output_dir: where evaluators put their files.

    Raises:
        InputError: there is no evaluator for this data set or for label-divisor maps.
    """
    metadata = MetadataCatalog.get(dataset_name)
    kind = getattr(metadata, "evaluator_type", None)
    if kind == "coco":
        return COCOEvaluator(dataset_name, output_dir=output_dir, use_fast_impl=has_compiled_ops())
    if kind == "sem_seg":
        return SemSegEvaluator(dataset_name, output_dir=output_dir)
    if kind != "coco_panoptic_seg":
        raise InputError(
            f"no evaluator is known for {dataset_name!r} (evaluator_type {kind!r}); "
            "is it registered, or named by DATASETS.PANOPTIC_YAML?"
        )
    if cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT != "segments":
        raise InputError(
            "MODEL.PANOPTIC_FUSION.MAP_FORMAT is label_divisor, which cannot be evaluated; "
            "set it to segments to evaluate"
        )
    evaluators: List[DatasetEvaluator] = []
    has_ground_truth = hasattr(metadata, "panoptic_root")
    if cfg.TEST.KEEP_PANOPTIC_PREDICTIONS or not has_ground_truth:
        evaluators.append(PanopticPredictionWriter(dataset_name, output_dir))
    if has_ground_truth:
        if hasattr(metadata, "panoptic_categories"):
            prepare_evaluation(dataset_name)
        evaluators += [
            COCOEvaluator(dataset_name, output_dir=output_dir, use_fast_impl=has_compiled_ops()),
            SemSegEvaluator(dataset_name, output_dir=output_dir),
            PanopticQualityEvaluator(dataset_name),
        ]
    return DatasetEvaluators(evaluators)


class PanopticPredictionWriter(DatasetEvaluator):
    """Writes predictions as COCO panoptic PNGs and one JSON, the form COCO's test server takes.

    ``<output_dir>/panoptic_predictions/<image name>.png`` and
    ``<output_dir>/panoptic_predictions.json``. The JSON is written last.
    """

    def __init__(self, dataset_name: str, output_dir: str):
        """
        Args:
            dataset_name: a registered panoptic data set.
            output_dir: a folder; made if it is missing.
        """
        metadata = MetadataCatalog.get(dataset_name)
        self._ids = ContiguousIds.of_metadata(metadata)
        self._image_root = Path(metadata.image_root)
        self._folder = Path(output_dir) / "panoptic_predictions"
        self._json = Path(output_dir) / "panoptic_predictions.json"
        self.reset()

    def reset(self) -> None:
        """Forgets what was processed; files written stay until they are written again."""
        self._images: List[Dict[str, Any]] = []
        self._annotations: List[Dict[str, Any]] = []

    def process(self, inputs: List[Dict[str, Any]], outputs: List[Dict[str, Any]]) -> None:
        """Writes one PNG per image."""
        for record, output in zip(inputs, outputs, strict=True):
            panoptic_seg, segments_info = output["panoptic_seg"]
            # Relative to the image folder, since images of two folders may share a name.
            file_name = os.path.relpath(record["file_name"], self._image_root)
            png_name = os.path.splitext(file_name)[0] + ".png"
            write_panoptic_png(inside(self._folder, png_name), panoptic_seg.cpu().numpy())
            height, width = panoptic_seg.shape
            self._images.append({"id": record["image_id"], "file_name": file_name, "height": height, "width": width})
            segments = [
                {"id": segment["id"], "category_id": segment["category_id"]}
                for segment in self._ids.to_dataset(segments_info)
            ]
            self._annotations.append(
                {"image_id": record["image_id"], "file_name": png_name, "segments_info": segments}
            )

    def evaluate(self) -> Optional[Dict[str, Any]]:
        """Gathers the segments of all processes and writes the JSON."""
        images = list(itertools.chain(*comm.gather(self._images)))
        annotations = list(itertools.chain(*comm.gather(self._annotations)))
        if not comm.is_main_process():
            return None
        write_json(
            self._json,
            {
                "images": sorted(images, key=lambda image: image["id"]),
                "annotations": sorted(annotations, key=lambda annotation: annotation["image_id"]),
                "categories": self._ids.categories.to_coco(),
            },
        )
        return {}
