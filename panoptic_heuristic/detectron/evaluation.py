"""The evaluators of a data set, and the additions of this project around Detectron2's."""

import copy
import functools
import itertools
import os
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Mapping, Optional

from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.evaluation import (
    COCOEvaluator,
    COCOPanopticEvaluator,
    DatasetEvaluator,
    SemSegEvaluator,
)
from detectron2.utils import comm

from panoptic_heuristic.detectron.background_evaluators import BackgroundEvaluators
from panoptic_heuristic.detectron.compat import has_compiled_ops
from panoptic_heuristic.detectron.ground_truth import image_numbers, prepare_evaluation
from panoptic_heuristic.detectron.ids import DEFAULT_LABEL_DIVISOR, ContiguousIds
from panoptic_heuristic.detectron.model_keys import fuses_by_pipeline, pipeline_in_force
from panoptic_heuristic.detectron.postprocess import OUTPUTS
from panoptic_heuristic.detectron.quality_evaluator import PanopticQualityEvaluator
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import with_colored_ids, write_panoptic_png
from panoptic_heuristic.formats.files import inside, write_json
from panoptic_heuristic.formats.image_ids import ImageId, id_file_stem, id_order

_KINDS = ("coco", "sem_seg", "coco_panoptic_seg")
"""The values of ``evaluator_type`` in the metadata that are known."""


def check_evaluation(cfg: CfgNode, dataset_name: str) -> None:
    """Raises if a data set cannot be evaluated as a config asks; for before a training, too.

    Raises:
        InputError: there is no evaluator for this data set, or the evaluators' keys do not fit each other.
    """
    kind = getattr(MetadataCatalog.get(dataset_name), "evaluator_type", None)
    if kind not in _KINDS:
        raise InputError(
            f"no evaluator is known for {dataset_name!r} (evaluator_type {kind!r}); "
            "is it registered, or named by DATASETS.PANOPTIC_YAML?"
        )
    if cfg.TEST.PANOPTIC_EVALUATOR not in ("quality", "detectron2"):
        raise InputError(f"TEST.PANOPTIC_EVALUATOR must be quality or detectron2, got {cfg.TEST.PANOPTIC_EVALUATOR!r}")
    if cfg.TEST.PANOPTIC_EVALUATOR == "detectron2" and cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT != "segments":
        raise InputError(
            "TEST.PANOPTIC_EVALUATOR is detectron2, which misreads MODEL.PANOPTIC_FUSION.MAP_FORMAT label_divisor; "
            "set one of them back"
        )
    if cfg.TEST.KEEP_PANOPTIC_PREDICTIONS and (kind != "coco_panoptic_seg" or "panoptic_seg" not in _outputs(cfg)):
        raise InputError(
            f"TEST.KEEP_PANOPTIC_PREDICTIONS is True, but there is no panoptic map of {dataset_name} "
            f"(evaluator_type {kind}, outputs {', '.join(_outputs(cfg))}); set it to False"
        )


def build_evaluator(cfg: CfgNode, dataset_name: str, output_dir: str) -> BackgroundEvaluators:
    """The evaluators of a data set, by the ``evaluator_type`` in its metadata; they work behind the network.

    Args:
        cfg: ``TEST.KEEP_PANOPTIC_PREDICTIONS`` adds the files that COCO's server takes.
        dataset_name: a registered data set.
        output_dir: where evaluators put their files.

    Raises:
        InputError: see :func:`check_evaluation`.
    """
    check_evaluation(cfg, dataset_name)
    kind = MetadataCatalog.get(dataset_name).evaluator_type
    if kind == "coco":
        return BackgroundEvaluators([_ap_evaluator(dataset_name, output_dir)])
    if kind == "sem_seg":
        return BackgroundEvaluators([SemSegEvaluator(dataset_name, output_dir=output_dir)])
    return BackgroundEvaluators(_panoptic_evaluators(cfg, dataset_name, output_dir))


def _panoptic_evaluators(cfg: CfgNode, dataset_name: str, output_dir: str) -> List[DatasetEvaluator]:
    """Those of both heads and of the map, and the writer of predictions."""
    metadata = MetadataCatalog.get(dataset_name)
    evaluators: List[DatasetEvaluator] = []
    has_ground_truth = hasattr(metadata, "panoptic_root")
    if cfg.TEST.KEEP_PANOPTIC_PREDICTIONS or not has_ground_truth:
        pipeline = pipeline_in_force(cfg)
        info = {} if pipeline is None else {"fusion": pipeline.to_mapping()}
        evaluators.append(PanopticPredictionWriter(dataset_name, output_dir, info))
    if has_ground_truth:
        if hasattr(metadata, "panoptic_categories"):
            prepare_evaluation(dataset_name)
        outputs = _outputs(cfg)
        if "instances" in outputs:
            evaluators.append(_ap_evaluator(dataset_name, output_dir))
        if "sem_seg" in outputs:
            evaluators.append(SemSegEvaluator(dataset_name, output_dir=output_dir))
        if "panoptic_seg" in outputs:
            evaluators.append(_panoptic_evaluator(cfg, dataset_name, output_dir))
    return evaluators


def _ap_evaluator(dataset_name: str, output_dir: str) -> DatasetEvaluator:
    return NamingCocoEvaluator(dataset_name, output_dir=output_dir, use_fast_impl=has_compiled_ops())


def _panoptic_evaluator(cfg: CfgNode, dataset_name: str, output_dir: str) -> DatasetEvaluator:
    if cfg.TEST.PANOPTIC_EVALUATOR == "quality":
        return PanopticQualityEvaluator(dataset_name, output_dir)
    return UnchangingPanopticEvaluator(dataset_name, output_dir)


def _outputs(cfg: CfgNode) -> Collection[str]:
    # Detectron2's own model always returns all.
    return cfg.MODEL.PANOPTIC_FUSION.OUTPUTS if fuses_by_pipeline(cfg) else OUTPUTS


class NamingCocoEvaluator(COCOEvaluator):
    """Detectron2's AP evaluator, with the right name on the AP of each class, and for image ids that are text.

    Pycocotools sorts categories by dataset id, and Detectron2 names them in the order of contiguous ids. Where
    :func:`~panoptic_heuristic.detectron.ground_truth.prepare_evaluation` numbered the images, pycocotools alone gets
    the numbers; the files of results have the data set's ids.
    """

    def __init__(self, *args: Any, **options: Any):
        """As Detectron2's."""
        super().__init__(*args, **options)
        number_of = image_numbers(self._coco_api.dataset["images"])
        if number_of:
            self._coco_api.loadRes = functools.partial(_load_numbered, self._coco_api.loadRes, number_of)

    def _derive_coco_results(self, coco_eval: Any, iou_type: str, class_names: Optional[List[str]] = None):
        contiguous_of = self._metadata.get("thing_dataset_id_to_contiguous_id")
        if class_names is not None and contiguous_of:
            class_names = [class_names[contiguous_of[dataset_id]] for dataset_id in sorted(contiguous_of)]
        return super()._derive_coco_results(coco_eval, iou_type, class_names=class_names)


def _load_numbered(load: Callable, number_of: Mapping[ImageId, int], results: List[Dict[str, Any]]) -> Any:
    # A data set that was numbered when it was converted has the same key, and results with numbers.
    return load([{**one, "image_id": number_of.get(one["image_id"], one["image_id"])} for one in results])


class UnchangingPanopticEvaluator(COCOPanopticEvaluator):
    """Detectron2's PQ evaluator, kept from changing what the model returned and from mixing up images."""

    def process(self, inputs: List[Dict[str, Any]], outputs: List[Dict[str, Any]]) -> None:
        """See :meth:`COCOPanopticEvaluator.process`, which pops keys of the segments it is given.

        It also names its PNGs by the image's name without folders, which two images may share.
        """
        super().process(
            [{**record, "file_name": f"{id_file_stem(record['image_id'])}.png"} for record in inputs],
            [{"panoptic_seg": copy.deepcopy(output["panoptic_seg"])} for output in outputs],
        )


class PanopticPredictionWriter(DatasetEvaluator):
    """Writes predictions as COCO panoptic PNGs and one JSON, as COCO's server takes them.

    ``<output_dir>/panoptic_predictions/<image name>.png`` and
    ``<output_dir>/panoptic_predictions.json``. The JSON is written last. Segments look like their
    category's colour; equal predictions give equal files.
    """

    def __init__(self, dataset_name: str, output_dir: str, info: Optional[Mapping[str, Any]] = None):
        """
        Args:
            dataset_name: a registered panoptic data set.
            output_dir: a folder; made if it is missing.
            info: JSON values for ``info`` of the JSON, such as what fused the predictions.
        """
        self._info = dict(info or {})
        metadata = MetadataCatalog.get(dataset_name)
        self._ids = ContiguousIds.of_metadata(metadata)
        self._label_divisor = getattr(metadata, "label_divisor", DEFAULT_LABEL_DIVISOR)
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
            pred_ids, segments = self._ids.read_prediction(*output["panoptic_seg"], self._label_divisor)
            # Relative to the image folder, since images of two folders may share a name.
            file_name = os.path.relpath(record["file_name"], self._image_root)
            png_name = os.path.splitext(file_name)[0] + ".png"
            colors, segments = with_colored_ids(pred_ids, segments, self._ids.categories)
            write_panoptic_png(inside(self._folder, png_name), colors)
            height, width = pred_ids.shape
            self._images.append({"id": record["image_id"], "file_name": file_name, "height": height, "width": width})
            segments = [{"id": segment["id"], "category_id": segment["category_id"]} for segment in segments]
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
                "info": self._info,
                "images": sorted(images, key=lambda image: id_order(image["id"])),
                "annotations": sorted(annotations, key=lambda annotation: id_order(annotation["image_id"])),
                "categories": self._ids.categories.to_coco(),
            },
        )
        return {}
