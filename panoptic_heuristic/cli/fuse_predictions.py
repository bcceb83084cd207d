"""Merges the results of two heads into COCO panoptic PNGs and one JSON.

The heads may be anyone's, and neither a model nor Detectron2 is needed. Instances take pixels by
score, stuff takes what they leave free, and the rest is void. With the default settings that is what
panopticapi's combine_semantic_and_instance_predictions.py does.
"""

import argparse
import math
from collections import Counter
from pathlib import Path
from typing import Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, add_workers_argument
from panoptic_heuristic.cli.head_flags import add_head_arguments, heads_of_flags
from panoptic_heuristic.cli.outputs import print_written, progress_bar
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.head_results.fuse import NAME, check_output, fuse_heads, fusible, missing_needs

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
    check_output(args.output, args.overwrite)
    # A wrong flag is told before files of minutes are read.
    if args.config_file is None:
        pipeline_of_flags(args)
    bad = BadAnnotations(args.bad_annotations)
    heads = heads_of_flags(args, bad)
    pipeline = pipeline_of_flags(args, heads.categories, missing_needs(heads, args.image_root))
    without = [len(heads.images) - len(images_with) for images_with in (heads.instances, heads.semantics)]
    not_finite = sum(not math.isfinite(entry.score) for entries in heads.instances.values() for entry in entries)
    # Under the same name: the entries below instances_score_thresh are most of the memory.
    heads = fusible(heads, pipeline)
    annotations = fuse_heads(
        heads,
        pipeline,
        args.output,
        image_root=args.image_root,
        workers=args.workers,
        overwrite=args.overwrite,
        progress=progress_bar("fuse"),
    )
    segments = Counter(heads.categories[s["category_id"]].isthing for one in annotations for s in one["segments_info"])
    print(f"fused by {pipeline}")
    print(f"{len(heads.images)} images, {without[0]} of them without instances and {without[1]} without semantics")
    if not_finite:
        print(f"{not_finite} instances dropped, for their score is NaN or infinite")
    for note in bad.notes():
        print(note)
    print(f"{segments[True]} thing segments, {segments[False]} stuff segments")
    print_written([args.output / f"{NAME}.json", args.output / NAME])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = add_head_arguments(parser)
    files.add_argument("--image-root", type=Path, help="the folder of the images, for the rules that look at them")
    add_output_arguments(files, f"{NAME}.json and {NAME}/*.png")
    add_pipeline_arguments(parser)
    add_workers_argument(parser)
    return parser
