"""Fuses the result files of two heads into COCO panoptic PNGs and one JSON."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.coco_panoptic import with_colored_ids, write_panoptic_png
from panoptic_heuristic.formats.files import PathLike, check_writable, folder_written_whole, inside, write_json
from panoptic_heuristic.formats.listing import LITTER, list_files
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Need, Pipeline, fuse
from panoptic_heuristic.head_results.image import ImageResults
from panoptic_heuristic.head_results.labels import LabelMeaning
from panoptic_heuristic.head_results.read import Heads
from panoptic_heuristic.visual.photo import read_photo

NAME = "panoptic_predictions"
"""The name of the JSON, with the suffix ``.json``, and of the folder of PNGs."""


@dataclass(frozen=True)
class Fuser:
    """The way images are fused.

    Attributes:
        categories: the data set's categories.
        pipeline: rules and thresholds.
        meaning: the meaning of the semantic labels.
        folder: the folder of the PNGs to write.
        image_root: the folder of the images, for the rules that look at them; or None.
    """

    categories: Categories
    pipeline: Pipeline
    meaning: LabelMeaning
    folder: Path
    image_root: Optional[PathLike] = None


def fuse_heads(
    heads: Heads,
    pipeline: Pipeline,
    output: PathLike,
    *,
    image_root: Optional[PathLike] = None,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> List[Dict[str, Any]]:
    """Fuses all images; writes ``panoptic_predictions.json`` and the folder ``panoptic_predictions`` of PNGs.

    The folder appears, or is replaced, when all PNGs are done.

    Args:
        heads: the results.
        pipeline: rules and thresholds.
        output: the folder of both; made if it is missing.
        image_root: the folder of the images, for the rules that look at them.
        workers: processes; the files do not depend on it.
        overwrite: replaces what is there already.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Returns:
        The ``annotations`` of the JSON, in the order of the images, as :func:`fuse_image` gives them.

    Raises:
        InputError: an RLE cannot be read, stuff masks overlap, or a label map is wrong; a rule needs something that
            these files do not have; or the output is there already or cannot be written.
    """
    output = Path(output)
    check_output(output, overwrite)
    pipeline.check_needs(missing_needs(heads, image_root))
    heads = fusible(heads, pipeline)
    json_path = output / f"{NAME}.json"
    with folder_written_whole(output / NAME, replace=overwrite) as folder:
        fuser = Fuser(heads.categories, pipeline, heads.meaning, folder, image_root)
        images = [heads.of_image(image) for image in heads.images]
        work = functools.partial(fuse_image, fuser)
        with ordered_map(work, images, workers=workers if len(images) > 1 else min(workers, 1)) as results:
            annotations = list(progress(results, len(images)))
        # The JSON goes first and comes last, so that it never describes PNGs of another run.
        if overwrite:
            json_path.unlink(missing_ok=True)
    content = {"images": heads.image_entries, "annotations": annotations, "categories": heads.category_entries}
    write_json(json_path, {"info": {"fusion": pipeline.to_mapping()}, **content})
    return annotations


def fuse_image(fuser: Fuser, outputs: ImageResults) -> Dict[str, Any]:
    """Fuses one image and writes its PNG.

    Returns:
        Its annotation in a panoptic JSON; segments have ``id``, ``category_id``, ``area``, and
        things ``score``.

    Raises:
        InputError: an RLE cannot be read, stuff masks overlap, or a label map is wrong.
    """
    image, photo = outputs.image, None
    if Need.IMAGE in fuser.pipeline.needs:
        photo = read_photo(Path(fuser.image_root), image.file_name, (image.height, image.width), "--images")
    result = fuse(*outputs.read(fuser.categories, fuser.meaning), fuser.categories, fuser.pipeline, photo)
    ids, segments = with_colored_ids(result.panoptic_seg, result.segments_info, fuser.categories)
    write_panoptic_png(inside(fuser.folder, image.png_name), ids)
    segments = [
        {key: segment[key] for key in ("id", "category_id", "area", "score") if key in segment} for segment in segments
    ]
    return {"image_id": image.image_id, "file_name": image.png_name, "segments_info": segments}


def fusible(heads: Heads, pipeline: Pipeline) -> Heads:
    """The results without the instances that fusing drops for their score: most are, and each RLE costs time."""
    needed = pipeline.instances_score_thresh_for
    return heads.keeping(lambda entry: math.isfinite(entry.score) and entry.score >= needed(entry.category_id))


def missing_needs(heads: Heads, image_root: Optional[PathLike]) -> Dict[Need, str]:
    """The needs of rules that these files cannot fill, and why, see :meth:`Pipeline.check_needs`."""
    missing = dict.fromkeys(
        (Need.ROI_PROBABILITIES, Need.MASK_QUALITY, Need.BOXES), "results of an instance head are masks and scores only"
    )
    if "semantics" not in heads.paths:
        missing[Need.SEMANTIC_LABELS] = "there is no --semantics"
    if not heads.only_logits:
        missing.update(dict.fromkeys((Need.LOGITS, Need.BEST_STUFF), "--semantics is no folder of logits"))
    if not any(heads.categories[one].isthing for one in heads.meaning.values() if one is not None):
        missing[Need.THING_LABELS] = "no label of --semantics means a thing"
    if image_root is None:
        missing[Need.IMAGE] = "there is no --image-root"
    return missing


def check_output(output: Path, overwrite: bool) -> None:
    """Checks that :func:`fuse_heads` may write to a folder.

    Raises:
        InputError: its JSON or its folder is there and not to be overwritten, or holds other files, or nothing can be
            written there.
    """
    check_writable(output)
    json_path, folder = output / f"{NAME}.json", output / NAME
    for path in (json_path, folder):
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; give another --output, or --overwrite to replace it")
    if folder.exists():
        # It is replaced as a whole, so nothing else may be in it.
        strange = _strangers(folder) if folder.is_dir() else [folder]
        if strange:
            raise InputError(f"{strange[0]} was not written by this command; move it away first")


def _strangers(folder: Path) -> List[Path]:
    """The files in a folder that are no PNGs; what file managers leave there is nobody's."""
    found = list_files(folder, ".png")
    return [folder / name for reason, names in found.left_out.items() if reason != LITTER for name in names]
