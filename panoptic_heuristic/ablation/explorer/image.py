"""The data of one image that a page fuses by: its regions, their map, its instances, its ground truth, its photo.

Shape legend: G regions, N instances, T ground-truth segments, L readings of the labels: the head's own, and one
without islands for each other value of ``island_area_fraction``; C categories in the order of the data set's list.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from panoptic_heuristic.ablation.cache.folder import CachedImage
from panoptic_heuristic.ablation.cache.fuse import read_cached_photo
from panoptic_heuristic.ablation.explorer.arrays import packed, packed_map
from panoptic_heuristic.ablation.regions.regions import NOTHING_SAID, Regions, sums
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.formats.runs import numbered_segments
from panoptic_heuristic.fusion import Calibrated, Power


@dataclass(frozen=True)
class Orders:
    """The orders of instances that a page knows; their keys are computed here, since a browser rounds otherwise.

    Attributes:
        exponents: of each measure of the rule ``power``.
        calibrations: the rules whose weights are known; their cuts do not matter.
    """

    exponents: Tuple[float, ...]
    calibrations: Tuple[Calibrated, ...]


@dataclass(frozen=True)
class PictureSettings:
    """The pictures of a page.

    Attributes:
        image_root: the folder of the photos; None to leave them out.
        longest_side: of photos and maps, in pixels; larger ones are made smaller, which changes no count.
        quality: of WebP, 1 to 100.
    """

    image_root: Optional[Path]
    longest_side: int = 1024
    quality: int = 70


def image_data(
    store: RegionStore,
    image: CachedImage,
    orders: Orders,
    pictures: PictureSettings,
    *,
    island_area_fractions: Sequence[float],
    with_best_stuff: bool,
) -> Dict[str, Any]:
    """JSON values of an image, see ``parts/image.js``.

    Args:
        store: predictions and ground truth.
        image: of the cache.
        orders: whose keys are wanted.
        pictures: how the photo is kept.
        island_area_fractions: the first is 0.
        with_best_stuff: tell pixels apart by their best stuff, too.

    Raises:
        InputError: a file is missing or damaged.
    """
    mapped = [
        store.read_mapped(image.image_id, with_best_stuff=with_best_stuff, island_area_fraction=fraction)
        for fraction in island_area_fractions
    ]
    regions = mapped[0][0]
    region_map, rows = _merged([one for _, one in mapped])
    own = rows[0]
    step = _step(regions.image_size, pictures.longest_side)
    shown = region_map[step // 2 :: step, step // 2 :: step]
    data = {
        "map": packed_map(shown),
        "step": step,
        "pixels": packed(sums(region_map.reshape(-1), np.ones(region_map.size), len(own)).astype(np.uint32)),
        "cover": packed(regions.cover[own].view(np.uint8)),
        "gt_place": packed(regions.gt_place[own].astype(np.uint16)),
        "gt_ids": regions.gt.ids.tolist(),
        "gt_category_ids": regions.gt.category_ids.tolist(),
        "gt_iscrowd": regions.gt.iscrowd.astype(int).tolist(),
        "category_ids": regions.category_ids.tolist(),
        "scores": packed(regions.scores),
        "boxes": packed(regions.boxes),
        "has_labels": bool((regions.agreeing != NOTHING_SAID).all()),
        "labels": [_labels(one, place) for (one, _), place in zip(mapped, rows, strict=True)],
        **_keys(regions, orders),
    }
    if pictures.image_root is not None:
        photo = read_cached_photo(pictures.image_root, image)
        data["photo"] = _photo(photo, shown.shape, pictures.quality)
    return data


def _merged(maps: Sequence[np.ndarray]) -> Tuple[np.ndarray, List[np.ndarray]]:
    """Regions that no map tells apart.

    Args:
        maps: (H, W) int32, one or more, each with all numbers from 0 up.

    Returns:
        (H, W) int64, their map, and for each of ``maps`` the (G,) number that it has there.
    """
    merged = maps[0].astype(np.int64)
    for one in maps[1:]:
        _, merged = numbered_segments(merged * (int(one.max()) + 1) + one)
    some_pixel = np.empty(int(merged.max()) + 1, dtype=np.int64)
    some_pixel[merged] = np.arange(merged.size).reshape(merged.shape)
    return merged, [one.reshape(-1)[some_pixel] for one in maps]


def _labels(regions: Regions, rows: np.ndarray) -> Dict[str, Any]:
    """One reading of the labels, for the G regions whose numbers in it are ``rows``."""
    data = {
        "island_area_fraction": regions.island_area_fraction,
        "semantic": packed(regions.semantic[rows].astype(np.int16)),
        "agreeing": packed(regions.agreeing.astype(np.int16)),
        "first_labels": packed(regions.first_labels.astype(np.int32)),
    }
    if regions.best_stuff is not None:
        data["best_stuff"] = packed(regions.best_stuff[rows].astype(np.int16))
    return data


def _keys(regions: Regions, orders: Orders) -> Dict[str, Any]:
    """The powers of each measure, (exponents, N), and the calibrated probabilities, (calibrations, N)."""
    scores = np.where(np.isfinite(regions.scores), regions.scores, 0)
    data = {
        "score_powers": _powers(scores, orders.exponents),
        "quality_powers": _powers(regions.mask_quality, orders.exponents),
        "agreement_powers": _powers(regions.semantic_agreement, orders.exponents),
    }
    if orders.calibrations:
        features, category_ids = regions.calibration_features, regions.category_ids.tolist()
        probabilities = [rule.probability(features, category_ids) for rule in orders.calibrations]
        data["probabilities"] = packed(np.stack(probabilities))
    return data


def _powers(values: np.ndarray, exponents: Sequence[float]) -> Optional[Dict[str, Any]]:
    """None if a value is not known."""
    if np.isnan(values).any():
        return None
    return packed(np.stack([Power(score_exponent=exponent).keys(values) for exponent in exponents]))


def _step(image_size: Tuple[int, int], longest_side: int) -> int:
    """Every how many-th row and column a page has."""
    return max(1, -(-max(image_size) // longest_side))


def _photo(photo: np.ndarray, size: Tuple[int, int], quality: int) -> str:
    """A WebP in base 64."""
    picture = Image.fromarray(photo).resize(size[::-1], Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, format="WEBP", quality=quality, method=6)
    return base64.b64encode(content.getvalue()).decode("ascii")
