"""Keeps what both heads say about a data set, for sweeping and tuning without the network.

The predictions come from a model, in one pass, or from the result files of any other system. Stopped and started again,
it goes on where it was; images that are there already are left alone.
"""

import argparse
import functools
from pathlib import Path
from typing import List, Optional

from tqdm import tqdm

from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_register_argument,
    add_workers_argument,
    number,
    register_data_sets,
    whole_number,
)
from panoptic_heuristic.cli.head_flags import add_head_arguments, heads_of_flags
from panoptic_heuristic.cli.outputs import progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.files import check_writable

_MODEL_FLOOR, _STUFF_FLOOR = 0.01, 0.25

_EXAMPLES = """\
examples:
  panoptic-heuristic cache-predictions --config-file output/config.yaml --num-gpus 8 --cache cache \\
      MODEL.WEIGHTS output/model_best.pth

  panoptic-heuristic cache-predictions --images val.json --instances coco_instances_results.json \\
      --semantics sem_seg_predictions.json --no-label 0 --cache cache

The cache holds manifest.json and one checked file per image: final masks, boxes, scores, and semantic labels with the
best stuff label underneath. The files of another system are those of fuse-predictions; see its --help.
"""


@command
def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if (args.config_file is None) == (args.images is None):
        raise InputError("give --config-file to run a model, or --images to take the result files of another system")
    if args.cache.exists() and not args.cache.is_dir():
        raise InputError(f"--cache {args.cache} is a file; expected a folder, new or with a cache")
    check_writable(args.cache)
    if args.config_file is None:
        _check_unused(args, ("store_logits", "register", "opts"), "--images")
        _from_files(args)
    else:
        if args.bad_annotations != "fail":
            raise InputError("--bad-annotations means nothing with --config-file; leave it out")
        _check_unused(args, ("instances", "semantics", "categories", "label_to_category", "no_label"), "--config-file")
        _from_model(args)
    _print_cache(args.cache)
    return 0


def _check_unused(args: argparse.Namespace, names, with_what: str) -> None:
    for name in names:
        if getattr(args, name):
            flag = "KEY VALUE" if name == "opts" else f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} means nothing with {with_what}; leave it out")


def _from_model(args: argparse.Namespace) -> None:
    from panoptic_heuristic.detectron.launching import launch_processes

    # Before there are several processes, for one sentence.
    register_data_sets(args.register)
    launch_processes(run_model, args)


def run_model(args: argparse.Namespace) -> None:
    """Runs the model in this process, one of possibly many."""
    from detectron2.utils import comm
    from detectron2.utils.logger import setup_logger

    from panoptic_heuristic.detectron import load_config
    from panoptic_heuristic.detectron.complete_config import complete_config
    from panoptic_heuristic.detectron.kept_predictions import CachingSettings
    from panoptic_heuristic.detectron.prediction_cache import cache_predictions

    register_data_sets(args.register)
    cfg, explicit = load_config(args.config_file, args.opts)
    for name in ("fvcore", "panoptic_heuristic"):
        setup_logger(None, distributed_rank=comm.get_rank(), name=name)
    complete_config(cfg, explicit, ("TEST",), resume=False, needs_weights=True)
    cfg.freeze()
    settings = CachingSettings(
        _MODEL_FLOOR if args.score_floor is None else args.score_floor,
        _STUFF_FLOOR if args.stuff_probability_floor is None else args.stuff_probability_floor,
        args.store_logits,
    )
    # disable=None: silent when stderr is no terminal.
    bar = functools.partial(tqdm, desc="cache", unit="batch", disable=None if comm.is_main_process() else True)
    times = cache_predictions(cfg, args.cache, settings, lambda batches, total: bar(batches, total=total))
    if comm.is_main_process():
        print(f"{times.images} images run")
        if times.images:
            reading, network, waiting, keeping = (1000 * seconds / times.images for seconds in times[1:])
            print(
                f"per image {reading:.0f} ms reading, {network:.0f} ms in the network, {waiting:.0f} ms waiting until "
                f"others were kept, which took {keeping:.0f} ms beside the network"
            )


def _from_files(args: argparse.Namespace) -> None:
    from panoptic_heuristic.head_results import cache_heads

    if args.instances is None and args.semantics is None:
        raise InputError("there is nothing to keep: give --instances, --semantics or both")
    bad = BadAnnotations(args.bad_annotations)
    heads = heads_of_flags(args, bad)
    if args.stuff_probability_floor is not None and not heads.only_logits:
        raise InputError("--stuff-probability-floor needs logits of every image; labels have no probabilities")
    score_floor = 0.0 if args.score_floor is None else args.score_floor
    below = sum(one.score < score_floor for entries in heads.instances.values() for one in entries)
    done = cache_heads(
        args.cache,
        heads,
        score_floor=score_floor,
        stuff_probability=_STUFF_FLOOR if args.stuff_probability_floor is None else args.stuff_probability_floor,
        workers=args.workers,
        progress=progress_bar("cache"),
    )
    print(f"{done} images converted, {below} instances below a score of {score_floor:g} left out")
    for note in bad.notes():
        print(note)


def _print_cache(folder: Path) -> None:
    from panoptic_heuristic.ablation.cache.folder import PredictionCache

    cache = PredictionCache.open(folder)
    images = cache.manifest.images
    size = sum(cache.path_of(image.image_id).stat().st_size for image in images)
    per_image = f", {size / 1e3 / len(images):.1f} KB each" if images else ""
    print(f"{len(images)} images in {folder}, {size / 1e6:.1f} MB{per_image}")
    print(f"instances down to a score of {cache.manifest.floors.instances_score_thresh:g}")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument("--cache", type=Path, required=True, help="the folder to make or to go on with")
    parser.add_argument(
        "--score-floor", type=number(0, 1),
        help="keep no instance with a lower score: no sweep can go below it; for result files, what the other system "
        f"cut at (default: {_MODEL_FLOOR} for a model, 0 for files)",
    )  # fmt: skip
    parser.add_argument(
        "--stuff-probability-floor", type=number(0, 1),
        help=f"note where the best stuff label is at least this probable; needs logits (default: {_STUFF_FLOOR})",
    )  # fmt: skip
    model = parser.add_argument_group("from a model")
    model.add_argument("--config-file", help="as for train-net; KEY VALUE pairs may follow")
    add_register_argument(model)
    model.add_argument("--num-gpus", type=whole_number(0), default=1, help="per machine")
    model.add_argument("--num-machines", type=int, default=1)
    model.add_argument("--machine-rank", type=int, default=0)
    model.add_argument("--dist-url", default="auto", help="of the first machine, for several")
    model.add_argument(
        "--num-cpu-processes", type=whole_number(1), default=1, help="processes that share the work on the CPU"
    )
    model.add_argument("--store-logits", action="store_true", help="for rules that need more than masks and labels")
    model.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="changes of the config")
    files = add_head_arguments(parser, required=False)
    files.title = "from result files"
    add_workers_argument(files)
    return parser
