"""Keeps the results of two heads, anyone's, as a prediction cache."""

import functools
import hashlib
from pathlib import Path
from typing import Callable, Dict, Iterable, Optional

import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.formats.files import PathLike, file_sha256
from panoptic_heuristic.formats.image_ids import id_order
from panoptic_heuristic.formats.rle import run_ends
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import SemanticMap
from panoptic_heuristic.fusion.instance_measures import semantic_agreement
from panoptic_heuristic.fusion.rules.leftover_best_stuff import best_stuff
from panoptic_heuristic.head_results.image import ImageResults
from panoptic_heuristic.head_results.labels import LabelMeaning
from panoptic_heuristic.head_results.read import Heads


def cache_heads(
    folder: PathLike,
    heads: Heads,
    *,
    score_floor: float,
    stuff_probability: float = 0.25,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> int:
    """Keeps the images that a cache lacks.

    Args:
        folder: of the cache.
        heads: the results.
        score_floor: instances with a lower score are not kept.
        stuff_probability: the floor that ``above_floor`` is about, if the semantic results are logits.
        workers: processes; the files do not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Returns:
        How many images were kept now.

    Raises:
        InputError: a mask, a label map or logits are wrong, or the folder holds a cache of something else.
    """
    images = sorted(heads.images, key=lambda image: id_order(image.image_id))
    manifest = Manifest(
        dataset_name=heads.paths["images"].stem,
        categories=heads.categories,
        label_to_category=_labels(heads),
        images=tuple(CachedImage(image.image_id, image.file_name, image.height, image.width) for image in images),
        floors=Floors(score_floor, None, stuff_probability if heads.only_logits else None),
        has_logits=False,
        source={"files_sha256": _hashes(heads)},
    )
    cache = PredictionCache.create(folder, manifest)
    missing = {image.image_id for image in cache.missing()}
    # A score that is NaN stays: fusing drops it with its reason.
    kept = heads.keeping(lambda entry: not entry.score < score_floor)
    jobs = [kept.of_image(image) for image in images if image.image_id in missing]
    work = functools.partial(_keep, cache, heads.meaning)
    with ordered_map(work, jobs, workers=workers if len(jobs) > 1 else min(workers, 1)) as results:
        for _ in progress(results, len(jobs)):
            pass
    return len(jobs)


def _labels(heads: Heads) -> LabelMeaning:
    """The labels of the cache: the place of a category in the data set's list, from 1, and 0 for none.

    Masks of things are left out of semantic results, so that only label maps can mean things.
    """
    with_things = any(isinstance(one, Path) for one in heads.semantics.values())
    known = set(heads.meaning.values())
    return {0: None} | {
        place: category.id
        for place, category in enumerate(heads.categories.values(), start=1)
        if category.id in known and (with_things or not category.isthing)
    }


def _keep(cache: PredictionCache, meaning: LabelMeaning, outputs: ImageResults) -> None:
    manifest, image = cache.manifest, outputs.image
    instances, semantics = outputs.read(manifest.categories, meaning)
    relabelled = None if semantics is None else _relabelled(semantics, manifest.label_to_category)
    count = len(instances)
    cache.write(
        ImagePredictions(
            image_id=image.image_id,
            image_size=(image.height, image.width),
            scores=instances.scores.numpy(),
            category_ids=np.array(instances.category_ids, dtype=np.int64),
            boxes=np.full((count, 4), np.nan, dtype=np.float32),
            mask_quality=np.full(count, np.nan),
            semantic_agreement=semantic_agreement(instances, relabelled, manifest.categories),
            masks=_compressed(outputs),
            semantics=None if semantics is None else _runs(semantics, relabelled, manifest),
        )
    )


def _relabelled(semantics: SemanticMap, label_to_category: LabelMeaning) -> SemanticMap:
    label_of = _label_of(label_to_category)
    values = {label: label_of[semantics.label_to_category[label]] for label in semantics.areas}
    return SemanticMap(semantics.look_up(values), label_to_category)


def _compressed(outputs: ImageResults) -> tuple:
    """The masks as compressed run lengths, whatever they came as."""
    height, width = outputs.image.height, outputs.image.width
    ends = run_ends([entry.segmentation for entry in outputs.instances], height, width, "mask {}".format)
    runs = [{"size": [height, width], "counts": np.diff(one, prepend=0).tolist()} for one in ends]
    return encoded_masks(rle_codec.frPyObjects(runs, height, width)) if runs else ()


def _label_of(label_to_category: LabelMeaning) -> Dict[Optional[int], int]:
    return {category_id: label for label, category_id in label_to_category.items()}


def _runs(semantics: SemanticMap, relabelled: SemanticMap, manifest: Manifest) -> SemanticRuns:
    """The labels of the cache. Underneath a label that means no stuff, only logits say which stuff is best."""
    labels, categories = relabelled.labels.numpy(), manifest.categories
    if semantics.logits is None:
        stuff = categories.labels_of_stuff(relabelled.label_to_category)
        best = np.where(np.isin(labels, stuff), labels, NO_STUFF)
        return SemanticRuns.of_maps(labels, best, np.zeros(labels.shape, dtype=bool))
    stuff = categories.labels_of_stuff(semantics.label_to_category)
    label_of = _label_of(manifest.label_to_category)
    channels, above = best_stuff(semantics.logits, stuff, manifest.floors.stuff_probability)
    label_of_channel = np.full(NO_STUFF + 1, NO_STUFF)
    label_of_channel[stuff] = [label_of[semantics.label_to_category[channel]] for channel in stuff]
    return SemanticRuns.of_maps(labels, label_of_channel[channels.numpy()], above.numpy())


def _hashes(heads: Heads) -> Dict[str, str]:
    """SHA-256 of each file; of a folder, of the names and contents of the files that are used."""
    hashes = {}
    for name, path in heads.paths.items():
        if path.is_dir():
            digest = hashlib.sha256()
            for one in sorted(used for used in heads.semantics.values() if isinstance(used, Path)):
                digest.update(f"{one.relative_to(path)}\n{file_sha256(one)}\n".encode())
            hashes[name] = digest.hexdigest()
        else:
            hashes[name] = file_sha256(path)
    return hashes
