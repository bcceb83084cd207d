"""Panoptic FPN with the merging of its two heads left to :func:`panoptic_heuristic.fusion.fuse`."""

from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.data import MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY, PanopticFPN
from detectron2.modeling.meta_arch.semantic_seg import SemSegFPNHead
from detectron2.structures import Instances
from torch import Tensor, nn

from panoptic_heuristic.detectron.augmented_heads import AugmentedHeads
from panoptic_heuristic.detectron.config import MAP_FORMATS
from panoptic_heuristic.detectron.enlarged_logits import can_be_parted
from panoptic_heuristic.detectron.ids import DEFAULT_LABEL_DIVISOR, ContiguousIds
from panoptic_heuristic.detectron.postprocess import OUTPUTS, Postprocessor
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_divisor import encode_label_divisor
from panoptic_heuristic.fusion import FusionResult, Need, Pipeline
from panoptic_heuristic.fusion.tracing import refuse_tracing

_INSTEAD = "trace TraceableNetwork, which is inference(..., do_postprocess=False), and fuse its outputs: docs/deploy.md"

# Arguments of Detectron2's model.
_OF_PIPELINE = {"combine_overlap_thresh", "combine_stuff_area_thresh", "combine_instances_score_thresh"}


@META_ARCH_REGISTRY.register()
class PanopticHeuristicFPN(PanopticFPN):
    """Panoptic FPN (Kirillov et al., CVPR 2019) with configurable fusion.

    Backbone, heads, losses and ``state_dict`` are those of Detectron2's ``PanopticFPN``; so are
    the keys of the output: ``sem_seg``, ``instances`` and ``panoptic_seg``.
    """

    @configurable
    def __init__(
        self,
        *,
        pipeline: Pipeline,
        ids: ContiguousIds,
        map_format: str = "segments",
        label_divisor: int = 1000,
        outputs: Sequence[str] = OUTPUTS,
        augmented_heads: Optional[AugmentedHeads] = None,
        **kwargs: Any,
    ):
        """
        Args:
            pipeline: how the heads are merged.
            ids: which category each output channel means.
            map_format: ``segments``: ``panoptic_seg`` is a map of ids and its ``segments_info``
                with contiguous category ids, as in Detectron2. ``label_divisor``: a map of dataset
                category id * label_divisor + instance with -1 for void, and None.
            label_divisor: see ``map_format``.
            outputs: see :class:`Postprocessor`.
            augmented_heads: asks the heads about several versions of each image in inference; None for the image alone.
            kwargs: those of Detectron2's ``PanopticFPN``.

        Raises:
            InputError: ``kwargs`` have a threshold of fusing; the heads have other numbers of classes than ``ids``; a
                rule needs what they do not give, or names a category that is unknown; ``map_format`` or ``outputs`` are
                none; or ``label_divisor`` is asked for, but the dataset ids are not known.
        """
        for name in _OF_PIPELINE & kwargs.keys():
            raise InputError(f"{name} means nothing to PanopticHeuristicFPN; the argument pipeline has the thresholds")
        super().__init__(**kwargs)
        _check_heads(self.roi_heads, self.sem_seg_head, ids)
        pipeline.check_categories(ids.categories)
        pipeline.check_needs(missing_in_model("the semantic head", self.input_format, ids))
        if map_format not in MAP_FORMATS:
            raise InputError(f"map_format must be one of {', '.join(MAP_FORMATS)}, got {map_format!r}")
        self.postprocess = Postprocessor(pipeline, ids, frozenset(outputs))
        self.pipeline = pipeline
        self.ids = ids
        self.map_format = map_format
        self.label_divisor = label_divisor
        self.augmented_heads = augmented_heads
        if map_format == "label_divisor" and not ids.from_dataset:
            raise InputError(
                "MODEL.PANOPTIC_FUSION.MAP_FORMAT is label_divisor, but the data set in DATASETS.TEST or "
                "DATASETS.TRAIN is not registered, so its category ids are not known; register it or use segments"
            )

    @classmethod
    def from_config(cls, cfg: CfgNode) -> Dict[str, Any]:
        """The arguments of ``__init__`` from a config."""
        if not cfg.MODEL.MASK_ON:
            raise InputError("MODEL.MASK_ON is False, but PanopticHeuristicFPN merges instance masks; set it to True")
        arguments = {name: value for name, value in super().from_config(cfg).items() if name not in _OF_PIPELINE}
        ids, label_divisor = ids_and_divisor(cfg)
        arguments.update(
            pipeline=pipeline_of_model(cfg),
            ids=ids,
            map_format=cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT,
            label_divisor=label_divisor,
            outputs=cfg.MODEL.PANOPTIC_FUSION.OUTPUTS,
            augmented_heads=AugmentedHeads.from_config(cfg) if cfg.TEST.AUG.ENABLED else None,
        )
        return arguments

    def forward(self, batched_inputs: List[Dict[str, Any]]):
        """As Detectron2's ``PanopticFPN.forward``; a batch without a labelled pixel adds 0 to the semantic loss."""
        outputs = super().forward(batched_inputs)
        if self.training and not self._has_labelled_pixel(batched_inputs):
            # Cross entropy is then a mean over nothing, NaN. Its gradient is 0, and stays connected: in distributed
            # training each process must have one for every weight.
            outputs["loss_sem_seg"] = outputs["loss_sem_seg"].nan_to_num(0.0)
        return outputs

    def _has_labelled_pixel(self, batched_inputs: List[Dict[str, Any]]) -> bool:
        return any(bool((record["sem_seg"] != self.sem_seg_head.ignore_value).any()) for record in batched_inputs)

    def inference(self, batched_inputs: List[Dict[str, Any]], do_postprocess: bool = True):
        """As Detectron2's ``PanopticFPN.inference``, with the configured fusion and outputs.

        Raises:
            InputError: PyTorch is tracing or exporting, with post-processing.
        """
        if not do_postprocess:
            return self._raw_outputs(batched_inputs)
        refuse_tracing("post-processing", _INSTEAD)
        if not batched_inputs:
            return []
        stride, detector_results, logits = self._outputs_of_heads(batched_inputs)
        outputs = []
        # Half precision moves the edges of masks.
        with torch.autocast(self.device.type, enabled=False):
            for instances, one, record in zip(detector_results, logits, batched_inputs, strict=True):
                size = _output_size(instances, record)
                image = None
                if Need.IMAGE in self.postprocess.pipeline.needs:
                    image = _as_rgb(record["image"], self.input_format, size).to(one.device)
                found = self.postprocess(instances, one, size, stride=stride, image=image)
                if "panoptic_seg" in found:
                    found["panoptic_seg"] = self._formatted(found["panoptic_seg"])
                outputs.append(found)
        return outputs

    def __prepare_scriptable__(self) -> NoReturn:
        """Asked for by ``torch.jit.script``, for this model and any that contains it."""
        raise InputError(f"PanopticHeuristicFPN cannot be scripted: Detectron2's networks cannot; {_INSTEAD}")

    def _outputs_of_heads(
        self, batched_inputs: List[Dict[str, Any]]
    ) -> Tuple[Optional[int], List[Instances], Sequence[Tensor]]:
        """The stride of the logits, None where they are enlarged already; the instances; the logits."""
        # A class derived from Detectron2's may enlarge logits in its own way.
        own_head = type(self.sem_seg_head) is not SemSegFPNHead
        if own_head or self.augmented_heads is not None:
            return None, *self._raw_outputs(batched_inputs)
        stride, (detector_results, logits) = self.sem_seg_head.common_stride, self._small_outputs(batched_inputs)
        if self.postprocess.needs_all_logits:
            input_sizes = [one.image_size for one in detector_results]
            output_sizes = map(_output_size, detector_results, batched_inputs)
            if not can_be_parted(logits, stride, input_sizes, output_sizes):
                # As the head does it.
                whole = F.interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
                return None, detector_results, whole
        return stride, detector_results, logits

    def _raw_outputs(self, batched_inputs: List[Dict[str, Any]]) -> Tuple[List[Instances], Sequence[Tensor]]:
        """The outputs of both heads: of the images as they are, or merged over versions of them."""
        if self.augmented_heads is not None:
            refuse_tracing("TEST.AUG", "disable it to trace the network alone")
            return self.augmented_heads(self, batched_inputs)
        return super().inference(batched_inputs, do_postprocess=False)

    def _small_outputs(self, batched_inputs: List[Dict[str, Any]]) -> Tuple[List[Instances], Tensor]:
        """As ``inference`` without post-processing, and the semantic logits as they are before they are enlarged."""
        images = self.preprocess_image(batched_inputs)
        features = self.backbone(images.tensor)
        logits = self.sem_seg_head.layers(features)
        proposals, _ = self.proposal_generator(images, features, None)
        detector_results, _ = self.roi_heads(images, features, proposals, None)
        return detector_results, logits

    def _formatted(self, result: FusionResult) -> Tuple[Tensor, Optional[List[Dict[str, Any]]]]:
        if self.map_format == "segments":
            return result.panoptic_seg, self.ids.to_contiguous(result.segments_info)
        ids = np.arange(len(result.segments_info) + 1)
        codes = encode_label_divisor(ids, result.segments_info, self.label_divisor, dtype=np.int32)
        return torch.from_numpy(codes).to(result.panoptic_seg.device)[result.panoptic_seg.long()], None


def pipeline_of_model(cfg: CfgNode) -> Pipeline:
    """The rules and thresholds of a config, checked against what its model gives them.

    Raises:
        InputError: see :meth:`panoptic_heuristic.fusion.Pipeline.from_config`.
    """
    ids, _ = ids_and_divisor(cfg)
    head = f"MODEL.SEM_SEG_HEAD.NUM_CLASSES={cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES}"
    return Pipeline.from_config(cfg, ids.categories, missing_in_model(head, cfg.INPUT.FORMAT, ids))


def missing_in_model(semantic_head: str, input_format: Optional[str], ids: ContiguousIds) -> Dict[Need, str]:
    """The inputs that a model does not have for rules, and why.

    Args:
        semantic_head: a name for that head.
        input_format: of images, as in ``INPUT.FORMAT``.
        ids: which category each output channel means.
    """
    missing = {}
    if not any(ids.categories[one].isthing for one in ids.labels if one is not None):
        missing[Need.THING_LABELS] = f"{semantic_head} has one label for all things"
    if input_format not in ("RGB", "BGR"):
        missing[Need.IMAGE] = f"the model's INPUT.FORMAT {input_format} is neither RGB nor BGR"
    return missing


def _check_heads(roi_heads: nn.Module, sem_seg_head: nn.Module, ids: ContiguousIds) -> None:
    """Raises if heads that say how many classes they have do not fit the ids."""
    channels = getattr(getattr(sem_seg_head, "predictor", None), "out_channels", None)
    for name, found, needed in (
        ("roi_heads", getattr(roi_heads, "num_classes", None), len(ids.things)),
        ("sem_seg_head", channels, len(ids.labels)),
    ):
        if found not in (None, needed):
            raise InputError(f"{name} has {found} classes, but the data set of the argument ids needs {needed}")


def _output_size(instances: Instances, record: Dict[str, Any]) -> Tuple[int, int]:
    """(H, W) that a record asks for, or the size of the network's input."""
    height, width = instances.image_size
    return record.get("height", height), record.get("width", width)


def _as_rgb(image: Tensor, input_format: str, size: Tuple[int, int]) -> Tensor:
    """(H, W, 3) uint8 RGB of a model's (C, h, w) input image."""
    pixels = image.permute(1, 2, 0).to("cpu", torch.uint8).numpy()
    pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2RGB) if input_format == "BGR" else pixels
    return torch.from_numpy(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR))


def ids_and_divisor(cfg: CfgNode) -> Tuple[ContiguousIds, int]:
    """The category that each output channel means, and the label divisor, by the first known data set.

    The data sets in ``DATASETS.TEST`` come before those in ``DATASETS.TRAIN``. Without a registered
    one the ids are made up from the numbers of classes.

    Raises:
        InputError: the data set and the config disagree about the number of classes.
    """
    for name in (*cfg.DATASETS.TEST, *cfg.DATASETS.TRAIN):
        metadata = MetadataCatalog.get(name)
        ids = ContiguousIds.of_metadata(metadata)
        if ids is not None:
            check_class_counts(cfg, ids, name)
            return ids, getattr(metadata, "label_divisor", DEFAULT_LABEL_DIVISOR)
    num_things, num_labels = cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES
    return ContiguousIds.of_counts(num_things, num_labels), DEFAULT_LABEL_DIVISOR


def check_class_counts(cfg: CfgNode, ids: ContiguousIds, where: str) -> None:
    """Raises if the heads of a config do not fit a data set.

    Raises:
        InputError: names the key and both numbers.
    """
    for key, configured, needed, what in (
        ("MODEL.ROI_HEADS.NUM_CLASSES", cfg.MODEL.ROI_HEADS.NUM_CLASSES, len(ids.things), "thing categories"),
        (
            "MODEL.SEM_SEG_HEAD.NUM_CLASSES",
            cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES,
            len(ids.labels),
            "semantic labels (things count as one)",
        ),
    ):
        if configured != needed:
            raise InputError(f"{key} is {configured} in the config, but {where} has {needed} {what}")
