"""What an image is fused to, by the browser and by Python, in one form."""

import hashlib
from typing import Any, Dict, List, Sequence

import numpy as np

from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import count_image

# Fuses every image by every setting.
FUSE_ALL = """async (settings) => {
  const { readPage, imageReaders } = await import("explorer/page.js");
  const { fuse } = await import("explorer/fusing.js");
  const { score, countImage } = await import("explorer/counting.js");
  const page = readPage();
  const idOf = (place) => page.categories[place].id;
  const images = await Promise.all(imageReaders(page).map((read) => read()));
  const maps = await Promise.all(images.map((image) => image.readMap()));
  const digest = async (segmentOf, map) => {
    const ids = Uint16Array.from(map, (region) => segmentOf[region] + 1);
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", ids));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const fused = async (image, map, setting) => {
    const result = fuse(image, setting, page);
    const counts = countImage(image, result, score(image, result));
    return {
      segments: result.segments.map((one) => [one.isThing, idOf(one.place), one.area, one.instance ?? null]),
      map: await digest(result.segmentOf, map),
      things: result.reasons.flatMap((reason, instance) => (reason === null ? [] : [[instance, reason]])),
      stuff: [...result.stuffReasons].map(([place, reason]) => [idOf(place), reason]),
      counts: [...counts].map(([place, one]) => [idOf(place), `${one.iouSum}`, one.tp, one.fp, one.fn]),
    };
  };
  return Promise.all(settings.map((setting) => Promise.all(images.map((one, k) => fused(one, maps[k], setting)))));
}"""


def fused_by_python(store: RegionStore, image_id: Any, pipelines: Sequence[Pipeline]) -> List[Dict[str, Any]]:
    """The same of one image by Python, pixel by pixel."""
    heads, (gt_ids, gt_segments) = CachedHeads(store.cache, image_id), store.gt_of(image_id)
    return [_fused(heads.fuse(one), gt_ids, gt_segments, store.cache.manifest.categories) for one in pipelines]


def normal(fused: Dict[str, Any]) -> Dict[str, Any]:
    """Without the order of what has none."""
    return {**fused, **{name: sorted(fused[name]) for name in ("things", "stuff", "counts")}}


def _fused(result, gt_ids, gt_segments, categories) -> Dict[str, Any]:
    counts = count_image(gt_ids, gt_segments, result.panoptic_seg, result.segments_info, categories)
    return {
        "segments": [
            [one["isthing"], one["category_id"], one["area"], one.get("instance_id")] for one in result.segments_info
        ],
        "map": hashlib.sha256(result.panoptic_seg.astype(np.uint16).tobytes()).hexdigest(),
        "things": [[one.instance_id, one.reason] for one in result.dropped if one.isthing],
        "stuff": [[one.category_id, one.reason] for one in result.dropped if not one.isthing],
        "counts": [[key, str(one.iou_sum), one.tp, one.fp, one.fn] for key, one in counts.items()],
    }
