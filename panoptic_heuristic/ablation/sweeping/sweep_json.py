"""``sweep.json``: what was swept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from panoptic_heuristic.ablation.cache.folder import FLOORS_FORM
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, FORMAT
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import schema
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, read_json

FILE = "sweep.json"

_FORM = schema.fields(
    {
        "buckets": schema.one_of(BUCKETS),
        "grid": schema.fields(
            {
                "base": schema.object_of(schema.anything),
                "axes": schema.list_of(schema.list_of(schema.list_of(schema.row_of(schema.text, schema.anything)))),
                "rule_files": schema.list_of(schema.text),
            }
        ),
        "dataset_name": schema.text,
        "categories": schema.list_of(schema.anything),
        "images": schema.whole(0),
        "floors": FLOORS_FORM,
        "predictions": schema.object_of(schema.anything),
        "fingerprint": schema.text,
    }
)


@dataclass(frozen=True)
class SweptManifest:
    """The content of a ``sweep.json``.

    Attributes:
        values: as they stand there.
        grid: the settings.
        categories: the data set's.
    """

    values: Mapping[str, Any]
    grid: Grid
    categories: Categories


def read_sweep_json(folder: PathLike) -> SweptManifest:
    """Reads the ``sweep.json`` of a folder. Files of rules that it names are not run.

    Raises:
        InputError: there is none, it is something else or damaged, or a rule is not there.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no {FILE}; make a sweep there with sweep-fusion")
    values = read_json(path)
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise InputError(f"{path} is no sweep of format {FORMAT} (it says {found!r}); sweep anew")
    _FORM(values, str(path))
    categories = Categories.from_coco(values["categories"], str(path))
    try:
        return SweptManifest(values, Grid.from_json(values["grid"]), categories)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
