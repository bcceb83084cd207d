"""The files of an attribution::

OUTPUT/segments.csv       one line per missed segment and false positive
OUTPUT/attribution.json   all sums: causes by category, oracles, pixels, the images with most errors
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from panoptic_heuristic.ablation.attribution import disagreement as heads
from panoptic_heuristic.ablation.attribution import pixel_errors
from panoptic_heuristic.ablation.attribution.category_maps import BAND_RATIO
from panoptic_heuristic.ablation.attribution.causes import CAUSES, GROUPS, Cause, Counterpart, SegmentError
from panoptic_heuristic.ablation.attribution.oracles import AS_IT_IS, TITLES
from panoptic_heuristic.ablation.attribution.stuff_pixels import STUFF_PIXELS
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.csv_files import write_csv
from panoptic_heuristic.formats.files import write_json, writing_to
from panoptic_heuristic.formats.image_ids import ImageId, id_order
from panoptic_heuristic.quality import PQCounts, summarize

if TYPE_CHECKING:
    from panoptic_heuristic.ablation.attribution.result import Attribution

FORMAT = 2

FILES = ("segments.csv", "attribution.json")
"""The files that :func:`write_attribution` writes."""

WORST_IMAGES = 20
"""So many images with most errors are named in the JSON."""

_COLUMNS = (
    "image_id", "error", "segment_id", "category_id", "category", "cause", "by", "instance_id", "score", "iou", "area",
)  # fmt: skip
_SUMMARY = ("all", "things", "stuff")


def attribution_json(total: "Attribution") -> Dict[str, Any]:
    """Everything about an attribution but its single errors, as JSON values. PQ is in percent."""
    manifest, categories = total.manifest, total.categories
    return {
        "format": FORMAT,
        "dataset_name": manifest.dataset_name,
        "predictions": dict(manifest.source),
        "floors": vars(manifest.floors).copy(),
        "fingerprint": total.fingerprint,
        "pipeline": total.pipeline.to_mapping(),
        # For reports, which need not know rules of one's own.
        "described": total.pipeline.described(),
        "categories": [
            {"id": one.id, "name": one.name, "isthing": int(one.isthing)} for one in categories.values()
        ],
        "images": len(total.image_ids),
        "segments": dict(zip(_SUMMARY[1:], total.segments, strict=True)),
        "predicted": dict(zip(_SUMMARY[1:], total.predicted, strict=True)),
        "groups": [_group_json(group, total) for group in GROUPS],
        "oracles": _oracles_json(total.counts, categories),
        "stuff_pixels": _stuff_json(total, categories),
        "pixel_errors": _zones_json(total),
        "disagreement": _disagreement_json(total.disagreement),
        "worst_images": _worst_json(total),
    }


def write_attribution(folder: Path, total: "Attribution") -> List[Path]:
    """Writes both files; those of an attribution before are replaced.

    The JSON goes first and comes last: where it is, both are there and belong together.

    Raises:
        InputError: the folder cannot be written to.
    """
    segments, summary = (folder / name for name in FILES)
    with writing_to(folder):
        summary.unlink(missing_ok=True)
        write_csv(segments, [_COLUMNS, *(map(_cell, row.values()) for row in segment_rows(total))])
        write_json(summary, attribution_json(total))
    return [segments, summary]


def segment_rows(total: "Attribution") -> List[Dict[str, Any]]:
    """One row per error."""
    categories = total.categories
    rows = []
    for image_id, error in total.errors:
        category = categories[error.category_id]
        values = (
            image_id,
            error.group,
            error.segment_id,
            category.id,
            category.name,
            error.cause,
            name_of(error.by, categories),
            error.instance_id,
            error.score,
            error.iou,
            error.area,
        )
        rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return rows


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else value


def name_of(who: Optional[Counterpart], categories: Categories) -> str:
    """Somebody an error is due to, for people; empty for nobody."""
    if who is None:
        return ""
    form = {"instance": "{} #{}", "gt": "{} segment {}", "label": "{}"}[who.kind]
    return form.format(categories[who.category_id].name, who.id)


def oracle_of(cause: Cause, total: "Attribution") -> Optional[str]:
    """The name of the oracle that is about a cause; None if there is none, or it was left out."""
    return cause.oracle if cause.oracle in total.counts else None


def by_count(errors: Counter) -> List[Tuple[int, int]]:
    """(key, count), most first, of equal ones the lower key."""
    return sorted(errors.items(), key=lambda item: (-item[1], item[0]))


def _group_json(group: str, total: "Attribution") -> Dict[str, Any]:
    errors = [error for _, error in total.errors if error.group == group]
    return {
        "group": group,
        "title": GROUPS[group],
        "count": len(errors),
        "area": sum(error.area for error in errors),
        "causes": [
            {
                "cause": name,
                "title": cause.title,
                "oracle": oracle_of(cause, total),
                **_errors_json([error for error in errors if error.cause == name], len(errors)),
            }
            for name, cause in CAUSES[group].items()
        ],
    }


def _errors_json(errors: List[SegmentError], of: int) -> Dict[str, Any]:
    due = Counter((one.category_id, one.by.category_id) for one in errors if one.by is not None)
    return {
        "count": len(errors),
        "share": len(errors) / of if of else 0.0,
        "area": sum(error.area for error in errors),
        "categories": [
            {"category_id": category_id, "count": count}
            for category_id, count in by_count(Counter(error.category_id for error in errors))
        ],
        "by": [
            {"category_id": category_id, "by_category_id": other, "count": count}
            for (category_id, other), count in by_count(due)
        ],
    }


def _oracles_json(counts: Mapping[str, PQCounts], categories: Categories) -> List[Dict[str, Any]]:
    pq = {name: _percent(value, categories) for name, value in counts.items()}
    return [
        {
            "oracle": name,
            "title": TITLES.get(name, "as it is"),
            "pq": pq[name],
            "gain": {
                group: None if value is None or pq[AS_IT_IS][group] is None else value - pq[AS_IT_IS][group]
                for group, value in pq[name].items()
            },
            "counts": [
                {"category_id": key, "iou_sum": one.iou_sum, "tp": one.tp, "fp": one.fp, "fn": one.fn}
                for key, one in sorted(counts[name].items())
            ],
        }
        for name in counts
    ]


def _percent(counts: PQCounts, categories: Categories) -> Dict[str, Optional[float]]:
    summary = summarize(counts, categories)
    quality = {group: getattr(summary, group) for group in _SUMMARY}
    return {group: None if one is None else 100 * one.pq for group, one in quality.items()}


def _stuff_json(total: "Attribution", categories: Categories) -> Dict[str, Any]:
    return {
        **dict(zip(STUFF_PIXELS, total.stuff_pixels.sum(axis=0).tolist(), strict=True)),
        "categories": [
            {"category_id": category_id, **dict(zip(STUFF_PIXELS, row, strict=True))}
            for category_id, row in zip(categories, total.stuff_pixels.tolist(), strict=True)
            if any(row)
        ],
    }


def _zones_json(total: "Attribution") -> Dict[str, Any]:
    zones = {
        zone: dict(zip(pixel_errors.KINDS, row, strict=True))
        for zone, row in zip(pixel_errors.ZONES, total.pixel_errors.tolist(), strict=True)
    }
    for kinds in zones.values():
        kinds["pixels"] = sum(kinds.values())
        kinds["errors"] = kinds["pixels"] - kinds["right"]
    return {"band_ratio": BAND_RATIO, **zones}


def _disagreement_json(one: heads.Disagreement) -> Dict[str, Any]:
    differing = one.counts.sum(axis=(1, 2)).tolist()
    return {
        "images": one.images,
        "zones": {
            zone: {"pixels": pixels, "differing": count}
            for zone, pixels, count in zip(pixel_errors.ZONES, one.zones.tolist(), differing, strict=True)
        },
        "kinds": [
            {"kind": kind, "pixels": sum(row), "right": dict(zip(heads.RIGHT, row, strict=True))}
            for kind, row in zip(heads.KINDS, one.counts.sum(axis=0).tolist(), strict=True)
        ],
        "pairs": [
            {"thing_id": thing, "stuff_id": stuff, "pixels": pixels}
            for (thing, stuff), pixels in by_count(one.pairs)
        ],
        "map": {"differing": one.cells[0].tolist(), "pixels": one.cells[1].tolist()},
    }


def _worst_json(total: "Attribution") -> List[Dict[str, Any]]:
    errors_of: Dict[ImageId, List[SegmentError]] = {}
    for image_id, error in total.errors:
        errors_of.setdefault(image_id, []).append(error)
    worst = sorted(errors_of, key=lambda image_id: (-len(errors_of[image_id]), *id_order(image_id)))[:WORST_IMAGES]
    file_name = {image.image_id: image.file_name for image in total.manifest.images}
    return [
        {
            "image_id": image_id,
            "file_name": file_name[image_id],
            "errors": len(errors_of[image_id]),
            "causes": {
                group: dict(Counter(error.cause for error in errors_of[image_id] if error.group == group))
                for group in GROUPS
            },
        }
        for image_id in worst
    ]
