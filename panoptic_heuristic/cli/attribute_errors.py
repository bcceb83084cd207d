"""Says what caused each missed segment and each false positive.

Also what PQ each kind of perfection would bring. It starts from predictions kept by cache-predictions; neither the
model nor the images are needed.
"""

import argparse
from typing import Optional, Sequence

from panoptic_heuristic.ablation.attribution.attribute import attribute
from panoptic_heuristic.ablation.attribution.explanation_table import explanation_table
from panoptic_heuristic.ablation.attribution.files import FILES
from panoptic_heuristic.ablation.attribution.tables import attribution_tables, error_table
from panoptic_heuristic.ablation.attribution.tracing import check_traceable, trace_image
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_output_arguments,
    add_workers_argument,
)
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.image_ids import ImageId, id_meant
from panoptic_heuristic.fusion import Pipeline, explain

_EXAMPLES = """\
examples:
  panoptic-heuristic attribute-errors --cache cache --output attribution

  what became of every candidate of one image, and its errors:
  panoptic-heuristic attribute-errors --cache cache --image 285

  other rules: a preset, a tuned YAML, a config with rules of your own
  panoptic-heuristic attribute-errors --cache cache --config-file tuned/calibrated.yaml --output attribution

It writes segments.csv (one line per missed segment and false positive) and attribution.json (causes by category,
oracles, pixels, the images with most errors).

An oracle knows the ground truth and makes one thing perfect, while all else stays as it is. What it gains is what
better rules of that kind could bring at most. Rules that see more of pixels than their regions, and your own, are
fused pixel by pixel; of them the oracles of masks and of semantic labels are not known.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if (args.output is None) == (args.image is None):
        raise InputError("give --output for all images, or --image to see one; not both")
    if args.output is not None:
        check_results(args.output, FILES, args.overwrite)
    store = open_store(args.cache, args.gt_json, args.gt_folder)
    pipeline = pipeline_of_flags(args, store.cache.manifest.categories)
    if args.image is not None:
        print(explained(store, pipeline, id_meant(args.image, store.image_ids)))
        return 0
    total = attribute(store, pipeline, workers=args.workers, progress=progress_bar("attribute"))
    written = total.write(args.output)
    things, stuff = total.segments
    print(f"{len(total.image_ids)} images with {things} things and {stuff} stuff segments, crowds left out")
    print(f"\n{attribution_tables(total)}\n")
    print_written(written)
    return 0


def explained(store: RegionStore, pipeline: Pipeline, image_id: ImageId) -> str:
    """The fate of every candidate of an image, and its errors.

    Raises:
        InputError: the pipeline asks for something that the cache lacks, or the image or a file is missing or damaged.
    """
    check_traceable(store, pipeline)
    heads, result, _, _, errors = trace_image(store, pipeline, image_id)
    blocks = [
        explanation_table(explain(result, heads.instances, heads.semantics), heads.categories),
        error_table(errors, heads.categories) or "no errors",
    ]
    return "\n\n".join(block for block in blocks if block)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = parser.add_argument_group("files")
    add_cache_arguments(files)
    add_output_arguments(files, " and ".join(FILES), required=False)
    files.add_argument("--image", metavar="ID", help="print what became of this image; write nothing")
    add_pipeline_arguments(parser)
    add_workers_argument(parser)
    return parser
