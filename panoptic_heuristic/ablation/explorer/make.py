"""Makes the page: what it shows, and the data of its images."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from panoptic_heuristic.ablation.explorer.choice import Selection, choose_images
from panoptic_heuristic.ablation.explorer.heatmaps import heat_maps
from panoptic_heuristic.ablation.explorer.image import PictureSettings, image_data
from panoptic_heuristic.ablation.explorer.marks import Mark, Marks
from panoptic_heuristic.ablation.explorer.page import pack_page
from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.report.tuning import Tuning
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion.config_keys import PER_CLASS_KEYS, THRESHOLD_KEYS
from panoptic_heuristic.fusion.unused_keys import OWN_ARCHITECTURE

Progress = Callable[[Iterable, int], Iterable]


@dataclass(frozen=True)
class ExplorerSettings:
    """What a page shows.

    Attributes:
        title: of the page.
        select: how its images are chosen, or their ids.
        images: how many are chosen.
        pictures: of them.
        seed: decides what is random.
        workers: processes.
    """

    title: str
    select: Union[Selection, Sequence[ImageId]] = Selection.WORST
    images: int = 24
    pictures: PictureSettings = field(default_factory=lambda: PictureSettings(None))
    seed: int = 0
    workers: int = 1


def make_explorer(
    store: RegionStore,
    settings: ExplorerSettings,
    *,
    sweep: Optional[SweepResult] = None,
    tuning: Optional[Tuning] = None,
    progress: Callable[[str], Progress] = lambda what: lambda items, total: items,
) -> str:
    """The text of the HTML file.

    Args:
        store: predictions and ground truth.
        settings: what the page shows.
        sweep: for the heat map; its best setting is marked if there is no tuning.
        tuning: whose recommendation is marked.
        progress: of a word for what is done, wraps an iterable of images, given their number.

    Raises:
        InputError: a file is missing or damaged, or there is no such image.
    """
    cache = store.cache
    marks = Marks.of(cache, sweep, tuning)
    abilities = Abilities.of(cache, [marks.default.pipeline, marks.goal])
    chosen = choose_images(
        store,
        settings.select,
        settings.images,
        default=marks.default.pipeline,
        recommended=marks.goal,
        seed=settings.seed,
        progress=progress("choose"),
    )
    images = [cache.manifest.image(image_id) for image_id in chosen]
    make = partial(
        image_data,
        store,
        orders=abilities.orders,
        pictures=settings.pictures,
        island_area_fractions=abilities.island_area_fractions,
        with_best_stuff=cache.manifest.floors.stuff_probability is not None,
    )
    with ordered_map(make, images, workers=settings.workers) as made:
        data = list(progress("pack")(made, len(images)))
    page = {
        **_page_of(abilities, marks),
        "title": settings.title,
        "dataset": cache.manifest.dataset_name,
        "images": [[image.image_id, image.file_name, image.height, image.width] for image in images],
        "exponents": _exponents(abilities, data),
        "rules": _rules(abilities, data),
        "sweep": None if sweep is None else heat_maps(sweep, abilities),
    }
    return pack_page(settings.title, page, data)


def _rules(abilities: Abilities, data: Sequence[Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """:meth:`Abilities.rules`, without those that an image has not all for."""
    rules = abilities.rules()
    if not all(one["has_labels"] for one in data):
        rules["suppress"]["semantic_gate"] = "an image of the page has no semantic labels"
    return rules


def _exponents(abilities: Abilities, data: Sequence[Mapping[str, Any]]) -> Dict[str, List[float]]:
    """By path those that the page has keys of; 0 alone for a measure that an image lacks."""
    exponents = list(abilities.orders.exponents)
    return {
        f"order.{measure}_exponent": exponents if all(one[f"{measure}_powers"] is not None for one in data) else [0.0]
        for measure in ("score", "quality", "agreement")
    }


def _page_of(abilities: Abilities, marks: Marks) -> Dict[str, Any]:
    """JSON values: what the page can do, and what it marks."""
    manifest = abilities.cache.manifest

    def marked(mark: Optional[Mark]) -> Optional[Mapping[str, Any]]:
        return None if mark is None else {"words": mark.words, "settings": abilities.flat(mark.pipeline)}

    return {
        "categories": [
            {"id": one.id, "name": one.name, "isthing": one.isthing, "color": list(one.color)}
            for one in manifest.categories.values()
        ],
        "marks": {"default": marked(marks.default), "recommended": marked(marks.recommended)},
        "notes": list(marks.notes),
        "presets": abilities.presets(),
        "island_area_fractions": list(abilities.island_area_fractions),
        "calibrations": [
            {
                "weights": [[key, list(value)] for key, value in one.weights.items()],
                "default_weights": list(one.default_weights),
            }
            for one in abilities.orders.calibrations
        ],
        "keys": {"thresholds": dict(THRESHOLD_KEYS), "per_class": dict(PER_CLASS_KEYS)},
        "architecture": OWN_ARCHITECTURE,
        "floors": vars(manifest.floors).copy(),
    }
