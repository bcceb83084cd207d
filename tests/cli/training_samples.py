"""The samples a Panoptic FPN gets to train on from a prepared data set."""

from pathlib import Path

from panoptic_heuristic.detectron import load_config
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.detectron.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]


def first_batch(config: str, dataset_yaml: str, tmp_path: Path):
    """The config fitted to the data set, and the first batch of its training loader."""
    cfg, explicit = load_config(
        str(ROOT / "configs" / config),
        ["DATASETS.PANOPTIC_YAML", str(ROOT / "datasets" / dataset_yaml), "OUTPUT_DIR", str(tmp_path / "run"),
         "SOLVER.IMS_PER_BATCH", "2", "DATALOADER.NUM_WORKERS", "0"],
    )  # fmt: skip
    use_dataset_yaml(cfg, explicit)
    return cfg, next(iter(Trainer.build_train_loader(cfg)))
