"""Says what caused each missed segment and each false positive, and what PQ each kind of perfection would bring.

It starts from predictions kept by tools/cache_predictions.py; neither the model nor the images are needed.
"""

import argparse
from pathlib import Path
from typing import Optional, Sequence

from panoptic_heuristic.ablation.attribution.attribute import AttributionJob, attribute, attribute_image, fuse_cached
from panoptic_heuristic.ablation.attribution.explanation_table import explanation_table
from panoptic_heuristic.ablation.attribution.files import FILES, write_attribution
from panoptic_heuristic.ablation.attribution.tables import attribution_tables, error_table
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.cli.common import add_cache_arguments, add_workers_argument, check_results, progress_bar
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.fusion import explain

_EXAMPLE = """\
examples:
  python tools/attribute_errors.py --cache cache --output attribution

  what became of every candidate of one image, and its errors:
  python tools/attribute_errors.py --cache cache --image 285

It writes segments.csv (one line per missed segment and false positive) and attribution.json (causes by category,
oracles, pixels, the images with most errors).

An oracle knows the ground truth and makes one thing perfect, while all else stays as it is. What it gains is what
better rules of that kind could bring at most.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if args.workers < 1:
        raise InputError(f"--workers must be at least 1, got {args.workers}")
    if (args.output is None) == (args.image is None):
        raise InputError("give --output for all images, or --image to see one; not both")
    pipeline = pipeline_of_flags(args)
    if args.output is not None:
        check_results(args.output, FILES, args.overwrite)
    job = AttributionJob(open_store(args.cache, args.gt_json, args.gt_folder), pipeline)
    if args.image is not None:
        print(explained(job, args.image))
        return 0
    total = attribute(job, workers=args.workers, progress=progress_bar("attribute"))
    written = write_attribution(args.output, job, total)
    things, stuff = total.segments
    print(f"{len(total.image_ids)} images with {things} things and {stuff} stuff segments, crowds left out")
    print(f"\n{attribution_tables(total, job.categories)}\n")
    print(f"written: {', '.join(map(str, written))}")
    return 0


def explained(job: AttributionJob, image_id: int) -> str:
    """What became of every candidate of an image, and its errors."""
    instances, semantics, result = fuse_cached(job, image_id)
    blocks = [
        explanation_table(explain(result, instances, semantics), job.categories),
        error_table(attribute_image(job, image_id).errors, job.categories) or "no errors",
    ]
    return "\n\n".join(block for block in blocks if block)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    files = parser.add_argument_group("files")
    add_cache_arguments(files)
    files.add_argument("--output", type=Path, help=f"a folder for {' and '.join(FILES)}")
    files.add_argument("--overwrite", action="store_true", help="replace the files that are there")
    files.add_argument("--image", type=int, metavar="ID", help="print what became of this image; write nothing")
    add_pipeline_arguments(parser)
    add_workers_argument(parser)
    return parser
