"""From the config that a command reads to one that can be run: what all commands with a model do before any work."""

from typing import Iterable, Set

from detectron2.config import CfgNode

from panoptic_heuristic.detectron.class_names import record_class_names
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.detectron.model_keys import check_model_keys
from panoptic_heuristic.detectron.readiness import check_data_sets, check_device
from panoptic_heuristic.detectron.weights import check_weights


def complete_config(
    cfg: CfgNode, explicit: Set[str], splits: Iterable[str], *, resume: bool, needs_weights: bool
) -> None:
    """Registers the data sets of a config and fills in what follows from them.

    Args:
        cfg: changed in place.
        explicit: the keys that the user set, from :func:`panoptic_heuristic.detectron.config.load_config`.
        splits: TRAIN, TEST or both: the keys of ``DATASETS`` whose data sets must be there.
        resume: see :func:`panoptic_heuristic.detectron.weights.check_weights`.
        needs_weights: likewise.

    Raises:
        InputError: a device, weights, a key or a data set is wrong or not there.
    """
    check_device(cfg)
    check_weights(cfg, resume=resume, needed=needs_weights)
    check_model_keys(cfg)
    use_dataset_yaml(cfg, explicit)
    for split in splits:
        check_data_sets(f"DATASETS.{split}", cfg.DATASETS[split])
    record_class_names(cfg)
