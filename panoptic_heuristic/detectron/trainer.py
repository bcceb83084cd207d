"""Training and evaluation of a config."""

import contextlib
import logging
import math
import os
from typing import Any, Dict, List, Optional, Tuple

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog, build_detection_test_loader, build_detection_train_loader
from detectron2.engine import DefaultTrainer, HookBase
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm

from panoptic_heuristic.detectron.background_evaluators import BackgroundEvaluators
from panoptic_heuristic.detectron.checkpoint_files import read_as_data
from panoptic_heuristic.detectron.class_names import CHECKPOINT_KEY, ClassNames
from panoptic_heuristic.detectron.compat import keep_optimizer
from panoptic_heuristic.detectron.evaluation import build_evaluator
from panoptic_heuristic.detectron.hooks import BestCheckpoint
from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.mapper import DepthCheckingMapper, PanopticPngMapper
from panoptic_heuristic.detectron.model_keys import fuses_by_pipeline, pipeline_in_force
from panoptic_heuristic.detectron.readiness import reading
from panoptic_heuristic.detectron.weights import load_weights, told_plainly
from panoptic_heuristic.detectron.whole_checkpoints import write_whole
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import write_json

_logger = logging.getLogger(__name__)


class Trainer(DefaultTrainer):
    """Detectron2's trainer with this project's data sets, evaluators and the best checkpoint."""

    def __init__(self, cfg: CfgNode):
        super().__init__(cfg)
        read_as_data(self.checkpointer)

    def build_hooks(self) -> List[Optional[HookBase]]:
        """Detectron2's hooks, and the best checkpoint by PQ between evaluation and writing.

        From here on checkpoints are written whole or not at all and hold the optimizer's state and the order of the
        classes, which a training that is resumed compares.
        """
        write_whole(self.checkpointer)
        keep_optimizer(self.checkpointer, self._trainer)
        if names := ClassNames.of_config(self.cfg):
            self.checkpointer.add_checkpointable(CHECKPOINT_KEY, names)
        hooks = super().build_hooks()
        if comm.is_main_process():
            hooks.insert(-1, BestCheckpoint(self.checkpointer, "panoptic_seg/PQ"))
        return hooks

    @classmethod
    def build_train_loader(cls, cfg: CfgNode):
        """Detectron2's loader; data sets of a YAML are read from their panoptic PNGs.

        Raises:
            InputError: there are data sets of both kinds, or one cannot be read.
        """
        if len({hasattr(MetadataCatalog.get(name), "panoptic_categories") for name in cfg.DATASETS.TRAIN}) > 1:
            raise InputError(
                f"DATASETS.TRAIN {tuple(cfg.DATASETS.TRAIN)} mixes data sets of DATASETS.PANOPTIC_YAML with others, "
                "which are read in another way; train on one kind"
            )
        mapper = mapper_of(cfg, cfg.DATASETS.TRAIN[0], is_train=True)
        with reading(", ".join(cfg.DATASETS.TRAIN)):
            return build_detection_train_loader(cfg, mapper=mapper)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str):
        """Detectron2's loader; data sets of a YAML are read without any ground truth."""
        with reading(dataset_name):
            return build_detection_test_loader(cfg, dataset_name, mapper=mapper_of(cfg, dataset_name, is_train=False))

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> BackgroundEvaluators:
        """The evaluators of a data set; their files go to ``OUTPUT_DIR/inference/<data set>``."""
        return build_evaluator(cfg, dataset_name, os.path.join(cfg.OUTPUT_DIR, "inference", dataset_name))

    @classmethod
    def test(cls, cfg: CfgNode, model: torch.nn.Module, evaluators: Optional[List[DatasetEvaluator]] = None):
        """Evaluates on ``DATASETS.TEST``, and logs what the network waited for.

        The results are also written to ``OUTPUT_DIR/inference/results.json``, and the rules and
        thresholds that fused to ``fusion.json`` beside it.
        """
        with contextlib.ExitStack() as watches:
            if evaluators is None:
                evaluators = [cls.build_evaluator(cfg, name) for name in cfg.DATASETS.TEST]
                for one in evaluators:
                    # A class derived from this one may build others.
                    if isinstance(one, BackgroundEvaluators):
                        watches.enter_context(one.watching(model))
            results = super().test(cfg, model, evaluators)
        if comm.is_main_process():
            folder = os.path.join(cfg.OUTPUT_DIR, "inference")
            write_json(os.path.join(folder, "results.json"), _without_nan(results))
            if pipeline := pipeline_in_force(cfg):
                write_json(os.path.join(folder, "fusion.json"), pipeline.to_mapping())
        return results


def train(cfg: CfgNode, *, resume: bool) -> Optional[Dict[str, Any]]:
    """Trains a config and evaluates the result.

    Args:
        cfg: a frozen config.
        resume: continue from the last checkpoint in ``OUTPUT_DIR``, if there is one.

    Raises:
        InputError: there is nothing to train on, half precision is asked for without a GPU, or the weights to start
            from are missing or damaged.
    """
    check_training(cfg)
    trainer = Trainer(cfg)
    with told_plainly(cfg, trainer.checkpointer, resume):
        trainer.resume_or_load(resume=resume)
    return trainer.train()


def check_training(cfg: CfgNode) -> None:
    """Raises if a config cannot be trained; for before the work.

    Raises:
        InputError: there is nothing to train on, or half precision is asked for without a GPU.
    """
    if not cfg.DATASETS.TRAIN:
        raise InputError("DATASETS.TRAIN names no data set to train on")
    if cfg.SOLVER.AMP.ENABLED and not cfg.MODEL.DEVICE.startswith("cuda"):
        raise InputError(
            f"SOLVER.AMP.ENABLED trains in half precision, which Detectron2 does on GPUs only, but MODEL.DEVICE is "
            f"{cfg.MODEL.DEVICE}; add SOLVER.AMP.ENABLED False"
        )


def evaluate(cfg: CfgNode, *, resume: bool) -> Dict[str, Any]:
    """Evaluates ``MODEL.WEIGHTS``, or the last checkpoint in ``OUTPUT_DIR`` when resuming.

    Args:
        cfg: a frozen config.
        resume: prefer the last checkpoint, if there is one.

    Returns:
        Detectron2's nested dict of results; empty on processes other than the main one.

    Raises:
        InputError: there is nothing to evaluate on, or the weights are missing or damaged.
    """
    check_evaluating(cfg)
    return Trainer.test(cfg, load_model(cfg, resume=resume))


def check_evaluating(cfg: CfgNode) -> None:
    """Raises if there is nothing to evaluate on; for before the work.

    Raises:
        InputError: ``DATASETS.TEST`` is empty.
    """
    if not cfg.DATASETS.TEST:
        raise InputError("DATASETS.TEST names no data set to evaluate on")


def load_model(cfg: CfgNode, *, resume: bool = False) -> torch.nn.Module:
    """Builds the model of a config with ``MODEL.WEIGHTS``, or with the last checkpoint when resuming.

    Raises:
        InputError: see :func:`panoptic_heuristic.detectron.weights.load_weights`.
    """
    model = Trainer.build_model(cfg)
    load_weights(model, cfg, resume=resume)
    return model


def effective_instances_score_thresh(cfg: CfgNode) -> float:
    """The score below which no instance reaches the panoptic map: the detector has a threshold too."""
    return max(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, cfg.MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH)


def log_fusion(cfg: CfgNode) -> None:
    """Logs the rules and the thresholds in force, if those of the config are.

    Raises:
        InputError: they are wrong, or do not fit each other or the model.
    """
    pipeline = pipeline_in_force(cfg)
    if pipeline is None:
        _logger.info("MODEL.META_ARCHITECTURE %s has no fusion of this project", cfg.MODEL.META_ARCHITECTURE)
        return
    preset = f"preset {cfg.MODEL.PANOPTIC_FUSION.PRESET}" if fuses_by_pipeline(cfg) else "of Detectron2's PanopticFPN"
    _logger.info(
        "fusion %s: %s; effective instances_score_thresh %g, the larger of it and SCORE_THRESH_TEST %g",
        preset,
        pipeline,
        effective_instances_score_thresh(cfg),
        cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST,
    )
    if cfg.TEST.AUG.ENABLED:
        versions = len(cfg.TEST.AUG.MIN_SIZES) * (2 if cfg.TEST.AUG.FLIP else 1)
        _logger.info("TEST.AUG: the heads say the average of what they say about %d versions of each image", versions)


def warn_about_learning_rate(cfg: CfgNode, reference: Tuple[float, int]) -> None:
    """Warns if the learning rate does not grow linearly with the batch, give or take a factor of two.

    The rule is that of Goyal et al., "Accurate, Large Minibatch SGD", 2017.

    Args:
        cfg: a config.
        reference: a learning rate and the number of images per step that it is known to fit, from
            :func:`panoptic_heuristic.detectron.config.reference_schedule`.
    """
    rate, batch = reference
    fitting = rate * cfg.SOLVER.IMS_PER_BATCH / batch
    if not fitting / 2 <= cfg.SOLVER.BASE_LR <= fitting * 2:
        _logger.warning(
            "SOLVER.BASE_LR %g does not fit SOLVER.IMS_PER_BATCH %d: %g at %d images scales to %g",
            cfg.SOLVER.BASE_LR,
            cfg.SOLVER.IMS_PER_BATCH,
            rate,
            batch,
            fitting,
        )


def mapper_of(cfg: CfgNode, dataset_name: str, *, is_train: bool):
    """The mapper of a data set: ours for one from a YAML, otherwise Detectron2's behind a check."""
    metadata = MetadataCatalog.get(dataset_name)
    if not hasattr(metadata, "panoptic_categories"):
        return DepthCheckingMapper(cfg, is_train)
    things = ContiguousIds.of_metadata(metadata).things
    return PanopticPngMapper(cfg, is_train, categories=metadata.panoptic_categories, things=things)


def _without_nan(results: Any) -> Any:
    """None for NaN, which JSON does not have: Detectron2's AP of sizes that do not occur."""
    if isinstance(results, dict):
        return {key: _without_nan(value) for key, value in results.items()}
    return None if isinstance(results, float) and math.isnan(results) else results

