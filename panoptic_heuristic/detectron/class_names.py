"""The order of a model's classes: written into configs and checkpoints, and compared when they are read.

A head's channels mean classes by their place only, so weights of another order give garbage, and no error.
"""

import logging
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional

from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog

from panoptic_heuristic.detectron.ids import THINGS_NAME, ContiguousIds
from panoptic_heuristic.detectron.meta_arch import ids_and_divisor
from panoptic_heuristic.errors import InputError

_logger = logging.getLogger(__name__)

CHECKPOINT_KEY = "panoptic_heuristic_class_names"
"""A checkpoint holds :meth:`ClassNames.state_dict` under this name."""


@dataclass(frozen=True)
class ClassNames:
    """The names of the classes by contiguous id, under the names of Detectron2's metadata.

    Attributes:
        thing_classes: of the instance head.
        stuff_classes: of the semantic head, that of all things together included.
    """

    thing_classes: List[str]
    stuff_classes: List[str]

    @classmethod
    def of_ids(cls, ids: ContiguousIds) -> "ClassNames":
        """Those of a data set."""
        stuff = [THINGS_NAME if one is None else ids.categories[one].name for one in ids.labels]
        return cls([ids.categories[one].name for one in ids.things], stuff)

    @classmethod
    def of_config(cls, cfg: CfgNode) -> Optional["ClassNames"]:
        """Those of the first known data set in ``DATASETS.TEST`` and ``DATASETS.TRAIN``; None if none is known."""
        ids, _ = ids_and_divisor(cfg)
        return cls.of_ids(ids) if ids.from_dataset else None

    def state_dict(self) -> Dict[str, List[str]]:
        """For a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Compares itself with what a checkpoint says; see :meth:`check`."""
        self.check(state, "the checkpoint")

    def check(self, state: Mapping[str, Any], where: str, here: str = "the data set") -> None:
        """Raises if weights, or another data set, have another order of these classes.

        A name that only one side has may be another name for the same class, and is only warned of.

        Args:
            state: of :meth:`state_dict`.
            where: what says so, for the message.
            here: what has these classes, likewise.

        Raises:
            InputError: names the first class that has another place.
        """
        for key, names in asdict(self).items():
            trained = list(state[key])
            for place, (theirs, ours) in enumerate(zip(trained, names, strict=False)):
                if theirs != ours and (theirs in names or ours in trained):
                    kind = "things" if key == "thing_classes" else "stuff"
                    raise InputError(
                        f"{where} has {theirs!r} as class {place} of {key}, where {here} has {ours!r}; name the "
                        f"order of the weights as class_order: {{{kind}: [...]}} in the YAML file of a data set, or "
                        "register it in that order"
                    )
            renamed = [f"{one!r} is {other!r}" for one, other in zip(trained, names, strict=False) if one != other]
            if renamed:
                _logger.warning("%s has other names than %s in %s: %s", where, here, key, ", ".join(renamed))


def record_class_names(cfg: CfgNode) -> None:
    """Writes the order of the classes into a config, from where it is saved.

    Args:
        cfg: changed in place. If it was saved by an earlier run, the order of then is compared.

    Raises:
        InputError: the data sets have different orders, or another one than that of the earlier run.
    """
    names = ClassNames.of_config(cfg)
    if names is None:
        return
    for name in (*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST):
        if ids := ContiguousIds.of_metadata(MetadataCatalog.get(name)):
            of_name = ClassNames.of_ids(ids).state_dict()
            names.check(of_name, f"the data set {name}", "the first of DATASETS.TEST and TRAIN")
    if cfg.DATASETS.THING_CLASSES:
        saved = {"thing_classes": cfg.DATASETS.THING_CLASSES, "stuff_classes": cfg.DATASETS.STUFF_CLASSES}
        names.check(saved, "the config, in DATASETS.THING_CLASSES and STUFF_CLASSES,")
    cfg.DATASETS.THING_CLASSES, cfg.DATASETS.STUFF_CLASSES = names.thing_classes, names.stuff_classes
