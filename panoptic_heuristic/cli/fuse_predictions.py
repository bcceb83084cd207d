"""Merges the results of two heads into COCO panoptic PNGs and one JSON.

The heads may be anyone's, and neither a model nor Detectron2 is needed. Instances take pixels by
score, stuff takes what they leave free, and the rest is void. With the default settings that is what
panopticapi's combine_semantic_and_instance_predictions.py does.
"""

import argparse
import functools
import math
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, add_workers_argument
from panoptic_heuristic.cli.outputs import print_written, progress_bar, writing_to
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.coco_results import InstanceEntry
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Need, Pipeline
from panoptic_heuristic.head_results.fuse import Fuser, ImageResults, fuse_image
from panoptic_heuristic.head_results.read import Heads, add_file_arguments, read_heads

NAME = "panoptic_predictions"

_EXAMPLES = """\
example:
  panoptic-heuristic fuse-predictions --images panoptic_val2017.json \\
      --instances inference/coco_instances_results.json \\
      --semantics inference/sem_seg_predictions.json --no-label 0 --output fused

--instances is a JSON list of {image_id, category_id, score, segmentation}. A segmentation is an RLE,
compressed or not, or polygons. An instance whose score is NaN or infinite is dropped and counted.

--semantics is one of
  a JSON list of {image_id or file_name, category_id, segmentation}: masks of thing categories are
      left out; several masks of one category are one segment; masks that share a pixel are an error,
      for nothing but their order in the file could say whose it is.
  a folder of PNGs, 8- or 16-bit grey, named as the images are: a pixel is a label.
  a folder of .npz files, named as the images are, each with one array (C, H, W) of logits at the
      size of the image: a pixel's label is the channel with the largest logit.
A label is a dataset category id, unless --label-to-category says what it is; for logits it must.

An image without instances gets stuff only, one without semantics things only, and one without
either is void. How many there are is printed.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if args.instances is None and args.semantics is None:
        raise InputError("there is nothing to fuse: give --instances, --semantics or both")
    _check_output(args.output, args.overwrite)
    # A wrong flag is told before files of minutes are read.
    if args.config_file is None:
        pipeline_of_flags(args)
    heads = read_heads(args)
    pipeline = pipeline_of_flags(args, heads.categories, _missing(args, heads))
    images, found, seen = heads.images, heads.instances, heads.semantics
    outputs = [
        ImageResults(image, _candidates(found.get(image.image_id, ()), pipeline), seen.get(image.image_id))
        for image in images
    ]
    without = [len(images) - len(images_with) for images_with in (found, seen)]
    not_finite = sum(not math.isfinite(entry.score) for entries in found.values() for entry in entries)
    image_entries, categories, category_entries = heads.image_entries, heads.categories, heads.category_entries
    make_fuser = functools.partial(Fuser, categories, pipeline, heads.meaning, image_root=args.image_root)
    # The entries below the cutoff are most of the memory.
    del heads, found, seen
    annotations = _fuse_into(args.output, outputs, make_fuser, args.workers)
    json_path = args.output / f"{NAME}.json"
    info = {"fusion": pipeline.to_mapping()}
    content = {"info": info, "images": image_entries, "annotations": annotations, "categories": category_entries}
    write_json(json_path, content)

    segments = Counter(categories[s["category_id"]].isthing for one in annotations for s in one["segments_info"])
    print(f"fused by {pipeline}")
    print(f"{len(images)} images, {without[0]} of them without instances and {without[1]} without semantics")
    if not_finite:
        print(f"{not_finite} instances dropped, for their score is NaN or infinite")
    print(f"{segments[True]} thing segments, {segments[False]} stuff segments")
    print_written([json_path, args.output / NAME])
    return 0


def _fuse_into(
    output: Path, outputs: Sequence[ImageResults], make_fuser: Callable[[Path], Fuser], workers: int
) -> List[Dict[str, Any]]:
    """Fuses all images; the folder of PNGs appears, or is replaced, when all of them are done."""
    folder, temporary = output / NAME, output / f".{NAME}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with writing_to(output):
            temporary.mkdir(parents=True)
            work = functools.partial(fuse_image, make_fuser(temporary))
            with ordered_map(work, outputs, workers=workers if len(outputs) > 1 else 1) as annotations:
                done = list(progress_bar("fuse")(annotations, len(outputs)))
            # The JSON goes first and comes last, so that it never describes PNGs of another run.
            (output / f"{NAME}.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return done


def _check_output(output: Path, overwrite: bool) -> None:
    json_path, folder = output / f"{NAME}.json", output / NAME
    for path in (json_path, folder):
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; give another --output, or --overwrite to replace it")
    if folder.exists():
        # It is replaced as a whole, so nothing else may be in it.
        strange = [path for path in sorted(folder.rglob("*")) if path.suffix != ".png" and not path.is_dir()]
        if strange or not folder.is_dir():
            raise InputError(f"{(strange or [folder])[0]} was not written by this command; move it away first")


def _candidates(entries: Sequence[InstanceEntry], pipeline: Pipeline) -> Tuple[InstanceEntry, ...]:
    """Without those that fusing drops for their score: they are most, and reading an RLE has its price."""
    return tuple(
        entry
        for entry in entries
        if math.isfinite(entry.score) and entry.score >= pipeline.score_cutoff(entry.category_id)
    )


def _missing(args: argparse.Namespace, heads: Heads) -> Dict[Need, str]:
    """The needs of rules that these files do not meet, and why."""
    missing = dict.fromkeys(
        (Need.ROI_PROBABILITIES, Need.MASK_QUALITY, Need.BOXES), "results of an instance head are masks and scores only"
    )
    if args.semantics is None:
        missing[Need.SEMANTIC_LABELS] = "there is no --semantics"
    if not heads.only_logits:
        missing.update(dict.fromkeys((Need.LOGITS, Need.BEST_STUFF), "--semantics is no folder of logits"))
    if not any(heads.categories[one].isthing for one in heads.meaning.values() if one is not None):
        missing[Need.THING_LABELS] = "no label of --semantics means a thing"
    if args.image_root is None:
        missing[Need.IMAGE] = "there is no --image-root"
    return missing


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = add_file_arguments(parser)
    files.add_argument("--image-root", type=Path, help="the folder of the images, for the rules that look at them")
    add_output_arguments(files, f"{NAME}.json and {NAME}/*.png")
    add_pipeline_arguments(parser)
    add_workers_argument(parser)
    return parser
