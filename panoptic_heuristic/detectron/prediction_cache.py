"""One pass of a model over a data set, to keep what its heads say."""

import functools
import os
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

import detectron2
import numpy as np
import torch
import yaml
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_test_loader
from detectron2.modeling import PanopticFPN
from detectron2.utils import comm
from detectron2.utils.file_io import PathManager

from panoptic_heuristic import __version__
from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.ground_truth import remember_gt
from panoptic_heuristic.ablation.cache.own_settings import remember_pipeline
from panoptic_heuristic.ablation.tuning.thresholds import raised_to_floor
from panoptic_heuristic.detectron.background import Background
from panoptic_heuristic.detectron.ids import ContiguousIds
from panoptic_heuristic.detectron.kept_predictions import CachingSettings, predictions_of
from panoptic_heuristic.detectron.meta_arch import check_class_counts
from panoptic_heuristic.detectron.model_keys import model_class, pipeline_in_force
from panoptic_heuristic.detectron.readiness import check_data_sets, reading
from panoptic_heuristic.detectron.trainer import load_model, mapper_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import file_sha256
from panoptic_heuristic.formats.image_ids import ImageId, id_order, is_image_id, twin_of

# What fusing does with the predictions, where the weights lie and what runs them changes no prediction.
_NOT_OF_PREDICTIONS = ("MODEL.WEIGHTS", "MODEL.DEVICE", "MODEL.PANOPTIC_FPN.COMBINE", "MODEL.PANOPTIC_FUSION")


class CachingTimes(NamedTuple):
    """The time that all processes together spent.

    Attributes:
        images: how many were run.
        reading: seconds of waiting for images.
        network: seconds in the network.
        waiting: seconds in which the network waited for keeping.
        keeping: seconds of pasting, measuring, encoding and writing, most of them beside the network.
    """

    images: int
    reading: float
    network: float
    waiting: float
    keeping: float


def with_floor(cfg: CfgNode, settings: CachingSettings) -> CfgNode:
    """The config whose detector cuts at the floor.

    That changes nothing above the floor: Detectron2 suppresses duplicates per class in the order of
    scores, and then keeps the best ``TEST.DETECTIONS_PER_IMAGE``.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, settings.score_floor)
    cfg.freeze()
    return cfg


def cache_predictions(
    cfg: CfgNode,
    folder: str,
    settings: CachingSettings,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
) -> CachingTimes:
    """Runs the model over the images that a cache lacks, and keeps its predictions.

    Every process of a distributed run calls this; each takes its part of the images. How many there
    are changes no byte, but on CPUs the number of threads of each does: PyTorch's sums then round
    otherwise, in the last bits of scores and, rarely, at the edge of a mask.

    Args:
        cfg: a frozen config; of ``DATASETS.TEST`` exactly one data set.
        folder: of the cache.
        settings: what to keep.
        progress: wraps the batches, given how many there are.

    Raises:
        InputError: there is not one data set, it is unknown, has no panoptic categories or cannot be
            read, the model is no Panoptic FPN, the weights are missing or damaged, or the folder
            holds a cache of something else.
    """
    if len(cfg.DATASETS.TEST) != 1:
        raise InputError(f"DATASETS.TEST must name one data set to cache, got {list(cfg.DATASETS.TEST)}")
    name = cfg.DATASETS.TEST[0]
    check_data_sets("DATASETS.TEST", [name])
    metadata = MetadataCatalog.get(name)
    ids = ContiguousIds.of_metadata(metadata)
    if ids is None:
        raise InputError(f"the data set {name} has no panoptic categories; see datasets/README.md")
    check_class_counts(cfg, ids, name)
    records = _records(name)
    detectors_cutoff = float(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST)
    cfg = with_floor(cfg, settings)
    if not (issubclass(model_class(cfg), PanopticFPN) and cfg.MODEL.MASK_ON):
        raise InputError(
            f"MODEL.META_ARCHITECTURE {cfg.MODEL.META_ARCHITECTURE} with MODEL.MASK_ON {cfg.MODEL.MASK_ON} does not "
            "have the two heads that are fused; take PanopticHeuristicFPN with masks"
        )
    model = load_model(cfg).eval()
    if comm.is_main_process():
        cache = PredictionCache.create(folder, _manifest(cfg, name, ids, records, settings))
        if own := pipeline_in_force(cfg):
            # The model itself never fuses what its detector cuts.
            remember_pipeline(cache, raised_to_floor(own, detectors_cutoff))
        if getattr(metadata, "panoptic_root", None):
            remember_gt(cache.folder, metadata.panoptic_json, metadata.panoptic_root)
    comm.synchronize()
    cache = PredictionCache.open(folder)
    missing = {image.image_id for image in cache.missing()}
    # All have looked before anyone writes.
    comm.synchronize()
    left = [record for record in records if record["image_id"] in missing]
    times = _run(cfg, model, left, cache, ids, settings, progress) if left else CachingTimes(0, 0.0, 0.0, 0.0, 0.0)
    # Waits for all, too.
    return CachingTimes(*map(sum, zip(*comm.all_gather(times), strict=True)))


def _records(name: str) -> List[Dict[str, Any]]:
    """The dataset dicts of a registered data set, whose ids name files."""
    with reading(name):
        records = DatasetCatalog.get(name)
    seen: Set[ImageId] = set()
    for record in records:
        if problem := _problem_of_id(record["image_id"], seen):
            raise InputError(f"the data set {name}: image_id {record['image_id']!r} of {record['file_name']} {problem}")
        seen.add(record["image_id"])
    return records


def _problem_of_id(image_id: Any, seen: Set[ImageId]) -> Optional[str]:
    if not is_image_id(image_id):
        return "is no integer and no text"
    if image_id in seen:
        return "occurs twice"
    twin = twin_of(image_id, seen)
    return None if twin is None else f"looks like {twin!r}, another image's; a number and a text are different ids"


def _run(
    cfg: CfgNode,
    model: torch.nn.Module,
    records: List[Dict[str, Any]],
    cache: PredictionCache,
    ids: ContiguousIds,
    settings: CachingSettings,
    progress: Callable[[Iterable, int], Iterable],
) -> CachingTimes:
    loader = build_detection_test_loader(
        records, mapper=mapper_of(cfg, cfg.DATASETS.TEST[0], is_train=False), num_workers=cfg.DATALOADER.NUM_WORKERS
    )
    images, network, started = 0, 0.0, time.perf_counter()
    with torch.no_grad(), Background("keeping predictions") as background:
        for batch in progress(loader, len(loader)):
            read = time.perf_counter()
            detections, logits = model.inference(batch, do_postprocess=False)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            network += time.perf_counter() - read
            for found in zip(batch, detections, logits, strict=True):
                background.add(functools.partial(_keep, cache, *found, ids, settings))
                images += 1
    waiting = background.waited
    return CachingTimes(images, time.perf_counter() - started - network - waiting, network, waiting, background.worked)


def _keep(cache: PredictionCache, *found: Any) -> None:
    cache.write(predictions_of(*found))


def _manifest(
    cfg: CfgNode, name: str, ids: ContiguousIds, records: List[Dict[str, Any]], settings: CachingSettings
) -> Manifest:
    root = getattr(MetadataCatalog.get(name), "image_root", None)
    images = [
        CachedImage(
            record["image_id"],
            os.path.relpath(record["file_name"], root) if root else os.path.basename(record["file_name"]),
            record["height"],
            record["width"],
        )
        for record in records
    ]
    return Manifest(
        dataset_name=name,
        categories=ids.categories,
        label_to_category=dict(enumerate(ids.labels)),
        images=tuple(sorted(images, key=lambda image: id_order(image.image_id))),
        floors=Floors(
            float(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST),
            cfg.TEST.DETECTIONS_PER_IMAGE if cfg.TEST.DETECTIONS_PER_IMAGE >= 0 else None,
            settings.stuff_probability,
        ),
        has_logits=settings.store_logits,
        source={"config": _config_of_predictions(cfg), **_weights(cfg), "versions": _versions()},
    )


def _config_of_predictions(cfg: CfgNode) -> Dict[str, Any]:
    """The part of a config that decides what the heads say, as JSON values."""
    values = yaml.safe_load(cfg.dump())
    for key in _NOT_OF_PREDICTIONS:
        *parents, last = key.split(".")
        node = values
        for parent in parents:
            node = node[parent]
        node.pop(last)
    sizes = {key: value for key, value in values["INPUT"].items() if key.endswith("_TEST") or key == "FORMAT"}
    # Only where it changes them, so that caches without it stay as they are.
    augmentation = {"TEST": {"AUG": values["TEST"]["AUG"]}} if cfg.TEST.AUG.ENABLED else {}
    return {"MODEL": values["MODEL"], "INPUT": sizes, **augmentation}


def _weights(cfg: CfgNode) -> Dict[str, str]:
    path = PathManager.get_local_path(cfg.MODEL.WEIGHTS)
    return {"weights": os.path.basename(cfg.MODEL.WEIGHTS), "weights_sha256": file_sha256(path)}


def _versions() -> Dict[str, str]:
    modules: Tuple[Any, ...] = (detectron2, torch, np)
    return {"panoptic_heuristic": __version__, **{module.__name__: module.__version__ for module in modules}}
