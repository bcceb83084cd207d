"""The ground-truth files that Detectron2's AP and mIoU evaluators open, made from panoptic PNGs.

They are kept in a cache whose folders are named by the content they were made from, so that
changed annotations never meet stale files.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional

import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils import comm
from PIL import Image
from tqdm import tqdm

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, read_annotation, segment_entries
from panoptic_heuristic.formats.files import NotWrittenError, folder_written_whole, inside, write_json
from panoptic_heuristic.formats.image_ids import ImageId, id_file_stem
from panoptic_heuristic.formats.runs import segment_rles
from panoptic_heuristic.formats.semantic_targets import semantic_labels

CACHE_VARIABLE = "PANOPTIC_HEURISTIC_CACHE"
_DATASET_ID = "dataset_image_id"
_LAYOUT = b"1"  # Part of the key: a change of what is written here must not meet old folders.


def prepare_evaluation(dataset_name: str) -> None:
    """Makes a registered split of a data set YAML ready for ``COCOEvaluator`` and ``SemSegEvaluator``.

    Writes an instances JSON and semantic PNGs to the cache if they are not there yet, and names
    them where the evaluators look: the metadata's ``json_file`` and the records'
    ``sem_seg_file_name``. Must be called by all processes.

    Pycocotools, which reads the JSON, wants numbers as ids of images. Where one is text, all are numbered from 1 in the
    order of the records, and the entry of each image keeps its id; :func:`image_numbers` reads it.

    Raises:
        InputError: a panoptic PNG is missing or wrong, or the cache cannot be written to.
    """
    records = DatasetCatalog.get(dataset_name)
    metadata = MetadataCatalog.get(dataset_name)
    folder = _cache_root() / f"{dataset_name}-{_content_key(records, metadata)}"
    if comm.is_main_process() and not folder.is_dir():
        try:
            _write_ground_truth(records, metadata.panoptic_categories, folder)
        except NotWrittenError as error:
            # Another command may have been faster; equal names mean equal content.
            if not folder.is_dir():
                raise InputError(f"{error}; set {CACHE_VARIABLE} to a folder for such files") from error
    comm.synchronize()
    for record in records:
        record["sem_seg_file_name"] = str(folder / "semantic" / _semantic_name(record))
    DatasetCatalog.remove(dataset_name)
    DatasetCatalog.register(dataset_name, lambda: records)
    # Not as an attribute: metadata refuse another value, but annotations may change between two evaluations.
    vars(metadata)["json_file"] = str(folder / "instances.json")


def _cache_root() -> Path:
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "panoptic_heuristic")


def _content_key(records: List[Dict[str, Any]], metadata: Any) -> str:
    digest = hashlib.sha256(_LAYOUT)
    digest.update(Path(metadata.panoptic_json).read_bytes())
    # They may come from another file.
    digest.update(repr(metadata.panoptic_categories.to_coco()).encode())
    for record in records:
        path = inside(record["panoptic_root"], record["panoptic_image"].png_name)
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()[:20]


def _semantic_name(record: Dict[str, Any]) -> str:
    return f"{id_file_stem(record['image_id'])}.png"


def _write_ground_truth(records: List[Dict[str, Any]], categories: Categories, folder: Path) -> None:
    with folder_written_whole(folder, replace=False) as temporary:
        (temporary / "semantic").mkdir()
        numbered = any(isinstance(record["image_id"], str) for record in records)
        images: List[Dict[str, Any]] = []
        annotations: List[Dict[str, Any]] = []
        for record in tqdm(records, desc="ground truth for AP and mIoU", unit="image"):
            image = record["panoptic_image"]
            ids = read_annotation(image, record["panoptic_root"])
            labels = semantic_labels(ids, image.segments_info, categories)
            Image.fromarray(labels).save(temporary / "semantic" / _semantic_name(record))
            # Ids count from 1: pycocotools takes a match with annotation 0 for none.
            entry = _image_entry(record, number=len(images) + 1 if numbered else None)
            annotations += _thing_annotations(ids, image, entry["id"], categories, first_id=len(annotations) + 1)
            images.append(entry)
        things = [entry for entry in categories.to_coco() if entry["isthing"]]
        write_json(
            temporary / "instances.json",
            {"info": {}, "images": images, "annotations": annotations, "categories": things},
        )


def image_numbers(entries: Iterable[Mapping[str, Any]]) -> Dict[ImageId, int]:
    """The number of each image by its id in the data set.

    Args:
        entries: ``images`` of an instances JSON.

    Returns:
        Empty for a JSON whose images keep their ids, such as any that :func:`prepare_evaluation` did not write.
    """
    return {entry[_DATASET_ID]: entry["id"] for entry in entries if _DATASET_ID in entry}


def _image_entry(record: Dict[str, Any], number: Optional[int]) -> Dict[str, Any]:
    entry = {key: record[key] for key in ("file_name", "height", "width")}
    if number is None:
        return {"id": record["image_id"], **entry}
    return {"id": number, _DATASET_ID: record["image_id"], **entry}


def _thing_annotations(
    ids: np.ndarray, image: PanopticImage, image_id: int, categories: Categories, *, first_id: int
) -> List[Dict[str, Any]]:
    category_of = {segment["id"]: segment["category_id"] for segment in image.segments_info}
    crowds = {segment["id"] for segment in image.segments_info if segment.get("iscrowd", 0)}
    entries = segment_entries(ids, category_of, crowds)
    things = [entry for entry in entries if categories[entry["category_id"]].isthing]
    rles = segment_rles(ids, [entry["id"] for entry in things])
    return [
        {
            **entry,
            "id": number,
            "image_id": image_id,
            "segmentation": {"size": rle["size"], "counts": rle["counts"].decode("ascii")},
        }
        for number, (entry, rle) in enumerate(zip(things, rles, strict=True), start=first_id)
    ]
