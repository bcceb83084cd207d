"""Compares published fusion rules on the same predictions, as published and tuned.

Predictions come from cache-predictions; neither the model nor the images are needed. Tuned thresholds are
found on one half of the images and counted on the other, both ways, so that every row of the table is of all images.
"""

import argparse
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.compare import compare
from panoptic_heuristic.ablation.tuning.comparison import (
    CHART,
    FILES,
    PUBLISHED,
    TABLE,
    TUNED,
    Comparison,
    Difference,
)
from panoptic_heuristic.ablation.tuning.rounds import MOST_TRIALS
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_output_arguments,
    add_seed_argument,
    add_workers_argument,
    whole_number,
)
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.packaged import CONFIGS, config_path
from panoptic_heuristic.formats.tables import text_table
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.fusion.category_lists import CategoryError

PRESETS = CONFIGS / "presets"
REFERENCE = "detectron2"

_EXAMPLES = f"""\
example:
  panoptic-heuristic compare-fusion --cache cache --output comparison

It writes {TABLE} (one line per preset and kind of thresholds, with the thresholds) and {CHART} (a bar chart).

Tuned are instances_score_thresh (or the threshold on the key, where a preset has one), what an instance may lose to
others, and the limit of stuff, as a fraction of the image; at most {MOST_TRIALS} settings of each preset are tried. All
else stays as published, but for a limit of things in pixels, which may be scaled to the images. Presets that need mask
probabilities or logits are compared if the cache was made with --store-logits.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    check_results(args.output, FILES, args.overwrite)
    store = open_store(args.cache, args.gt_json, args.gt_folder)
    pipelines, refused = read_presets(preset_files(args.presets), store.cache.manifest.categories)
    comparison = compare(
        store,
        pipelines,
        reference=REFERENCE,
        groups=args.groups,
        tuning_images=args.tuning_images,
        seed=args.seed,
        workers=args.workers,
        progress=progress_bar("compare"),
    )
    written = comparison.write(args.output)
    print(table(comparison))
    print("\n".join(notes(comparison, refused, store.cache.manifest.floors.instances_score_thresh)))
    print_written(written)
    return 0


def preset_files(given: Optional[Sequence[Path]]) -> Dict[str, Path]:
    """The configs to compare by name; that of the reference is always there.

    Raises:
        InputError: a file is missing, or two have one name.
    """
    paths = sorted(PRESETS.glob("*.yaml")) if given is None else list(given)
    if REFERENCE not in [path.stem for path in paths]:
        paths.insert(0, PRESETS / f"{REFERENCE}.yaml")
    files: Dict[str, Path] = {}
    for path in map(config_path, paths):
        if path.stem in files:
            raise InputError(f"{files[path.stem]} and {path} are both called {path.stem!r}; rename one of them")
        files[path.stem] = path
    return files


def read_presets(
    files: Mapping[str, Path], categories: Categories
) -> Tuple[Dict[str, Pipeline], Dict[str, str]]:
    """Reads the fusion keys of configs.

    Args:
        files: by name.
        categories: of the predictions that they will fuse.

    Returns:
        The pipelines by name, and why others cannot be had with these categories.

    Raises:
        InputError: a file is no config, or that of the reference names other categories.
    """
    pipelines: Dict[str, Pipeline] = {}
    refused: Dict[str, str] = {}
    for name, path in files.items():
        try:
            pipelines[name] = Pipeline.from_file(path, categories)
        except CategoryError as error:
            if name == REFERENCE:
                raise
            refused[name] = str(error)
    return pipelines, refused


def table(comparison: Comparison) -> str:
    """All rows for people, highest PQ first."""
    headers = ["preset", "thresholds", "PQ", "SQ", "RQ", "PQ th", "SQ th", "RQ th", "PQ st", "SQ st", "RQ st"]
    rows = []
    for row in comparison.table:
        values = [_number(value) for value in row.measures.values()]
        gains = [_gain(row.gains.get(kind)) for kind in (PUBLISHED, TUNED)]
        rows.append([row.name, row.thresholds, *values, *gains, f"{row.milliseconds:.2f}"])
    headers += [f"over {comparison.reference}", f"over tuned {comparison.reference}", "ms"]
    return text_table(rows, headers, "ll" + "r" * (len(headers) - 2))


def notes(comparison: Comparison, refused: Mapping[str, str], floor: float) -> List[str]:
    """The sentences below the table: how to read it, and why presets are not in it."""
    first, second = comparison.tuned_on
    lines = [
        f"{comparison.images} images. tuned: each half by the thresholds found on {first} and {second} images of the "
        f"other half, at most {MOST_TRIALS} settings of each preset. th: things, st: stuff",
        f"over: PQ less that of {comparison.reference}, with its 95 % interval by a paired bootstrap over images "
        "or their groups",
        "ms: processor time of fusing an image, from decoded predictions to the map, on one thread; the median over "
        "images, and longer on a busy machine",
    ]
    if comparison.raised:
        which = ", ".join(f"{name} (published {value:g})" for name, value in comparison.raised.items())
        lines.append(f"instances_score_thresh raised to {floor:g}, below which the cache holds no instance: {which}")
    unable = {**refused, **comparison.failed}
    return lines + [f"not compared: {name}: {reason}" for name, reason in unable.items()]


def _gain(gain: Optional[Difference]) -> str:
    if gain is None:
        return ""
    interval = "" if gain.interval is None else f" [{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"
    return f"{gain.pq:+.2f}{interval}"


def _number(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = parser.add_argument_group("files")
    add_cache_arguments(files)
    files.add_argument(
        "--presets", type=Path, nargs="+", metavar="FILE",
        help=f"configs, whose fusion keys count; {REFERENCE} is compared anyway (default: configs/presets/*.yaml)",
    )  # fmt: skip
    add_output_arguments(files, " and ".join(FILES), default=Path("output/comparison"))
    parser.add_argument(
        "--tuning-images", type=whole_number(1), default=100, metavar="N",
        help="tune on at most so many images of each half, chosen at random (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--groups", metavar="HOW",
        help="images that are not to be parted, such as frames of a video: column:NAME, name:PATTERN or blocks:N, as "
        "for tune-fusion; intervals take a group as one",
    )  # fmt: skip
    add_seed_argument(parser, "the halves, the tuning images and the intervals")
    add_workers_argument(parser)
    return parser
