"""The settings that the model of a cache fuses by itself, kept beside its predictions.

::

    CACHE/fusion.json    see :meth:`panoptic_heuristic.fusion.Pipeline.to_mapping`

The predictions do not depend on them, so a cache of the same predictions stays the same when they change.
"""

from dataclasses import dataclass

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline

_FILE = "fusion.json"

MODELS_OWN = "the model's own settings"


@dataclass(frozen=True)
class Default:
    """The settings that gains are over.

    Attributes:
        pipeline: the model's own, or Detectron2's defaults where these are not known.
        meaning: which of them it is, and if it is not the model's own, why: words that can follow "the default,".
    """

    pipeline: Pipeline
    meaning: str


def remember_pipeline(cache: PredictionCache, pipeline: Pipeline) -> None:
    """Notes in a cache how its model fuses, for :func:`default_of`."""
    write_json(cache.folder / _FILE, pipeline.to_mapping())


def default_of(cache: PredictionCache, *, has_images: bool = False) -> Default:
    """The default of a cache: the settings of its model, if they are known and the cache holds all that they need.

    Args:
        cache: predictions.
        has_images: the images are at hand elsewhere.
    """
    path = cache.folder / _FILE
    if not path.exists():
        return Default(DEFAULT_PIPELINE, f"Detectron2's defaults, since {_why_unknown(cache)}")
    try:
        pipeline = Pipeline.from_file(path)
        cache.check_needs(pipeline, has_images=has_images)
    # A rule of the model's project that this process does not have, or one that needs what was not kept.
    except InputError as error:
        return Default(DEFAULT_PIPELINE, f"Detectron2's defaults, since the model's own cannot be used: {error}")
    return Default(pipeline, MODELS_OWN)


def _why_unknown(cache: PredictionCache) -> str:
    if "config" in cache.manifest.source:
        return f"{cache.folder} was made before the model's were kept; cache-predictions with the same config adds them"
    return "result files do not say how their model fuses"
