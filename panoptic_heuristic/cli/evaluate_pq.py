"""Scores panoptic predictions by PQ, from files alone: no model, no torch, no Detectron2.

Ground truth and predictions are COCO panoptic JSONs with folders of PNGs, or folders of label-divisor PNGs
(Cityscapes and others). The counts are panopticapi's, with areas taken from the PNGs.
"""

import argparse
from typing import Any, Dict, Optional, Sequence, Tuple

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, add_workers_argument, whole_number
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.label_divisor import FORMS, STUFF_NUMBERS, THING_ZERO, UNLISTED, LabelDivisorForm
from panoptic_heuristic.formats.panoptic_pairs import (
    MISSING,
    GroundTruth,
    Pairs,
    coco_ground_truth,
    label_divisor_ground_truth,
    with_coco_predictions,
    with_label_divisor_predictions,
)
from panoptic_heuristic.quality import (
    RESULT_FILES,
    Coverage,
    MeasureSettings,
    PanopticQuality,
    Result,
    ScoringSettings,
    ScoringWarnings,
    bootstrap_intervals,
    class_table,
    group_table,
    measure_table,
    score_images,
    worst_table,
    write_result,
)

_EXAMPLES = """\
examples:
  panoptic-heuristic evaluate-pq --gt-json panoptic_val2017.json --gt-folder panoptic_val2017 \\
      --pred-json panoptic_predictions.json --pred-folder panoptic_predictions --output scores

  panoptic-heuristic evaluate-pq --gt-folder gtFine/val --categories panoptic.json \\
      --gt-suffix _gtFine_instanceIds.png --pred-folder predictions \\
      --label-divisor 1000 --void 0 --form cityscapes --unlisted void

With --output it writes quality.json (all counts, also those of each image), per_class.csv and images.csv
(worst first). Exit code: 0, or 2 for wrong input.
"""

_WORST_SHOWN = 5


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = parser.add_argument_group("files")
    files.add_argument("--gt-json", help="COCO panoptic JSON; without it --gt-folder holds label-divisor PNGs")
    files.add_argument("--gt-folder", required=True, help="the ground truth's PNGs")
    files.add_argument("--pred-json", help="COCO panoptic results; without it --pred-folder holds label-divisor PNGs")
    files.add_argument("--pred-folder", required=True, help="the predictions' PNGs")
    add_output_arguments(files, "the result files (default: nothing is written)", required=False)
    labels = parser.add_argument_group("label-divisor PNGs (value = category id * divisor + instance)")
    labels.add_argument("--label-divisor", type=int, metavar="D")
    labels.add_argument("--void", type=int, metavar="V", help="the value of void pixels")
    labels.add_argument(
        "--form",
        choices=FORMS,
        default="plain",
        help="cityscapes: values below the divisor are category ids (default: %(default)s)",
    )
    labels.add_argument(
        "--unlisted", choices=UNLISTED, default="fail", help="values of other categories (default: %(default)s)"
    )
    labels.add_argument(
        "--stuff-numbers",
        choices=STUFF_NUMBERS,
        default="fail",
        help="instance numbers of stuff end the run, or all pixels of a stuff category are one segment (ignore), as "
        "BDD100K and DeepLab2 need it (default: %(default)s)",
    )
    labels.add_argument(
        "--thing-zero",
        choices=THING_ZERO,
        default="fail",
        help="things without an instance number in predictions end the run, are void (ignore), or are one segment "
        "per category (crowd or segment: predictions have no crowds, so both count alike; default: %(default)s); in "
        "ground truth they are crowds",
    )
    labels.add_argument("--categories", metavar="JSON", help="categories, for ground truth without --gt-json")
    labels.add_argument("--gt-suffix", default=".png", help="end of the ground truth's names (default: %(default)s)")
    labels.add_argument("--pred-suffix", default=".png", help="end of the predictions' names (default: %(default)s)")
    rules = parser.add_argument_group("what is counted")
    rules.add_argument(
        "--missing",
        choices=MISSING,
        default="error",
        help="an image without a prediction ends the run, counts as all void, or is left out (default: %(default)s)",
    )
    rules.add_argument(
        "--all-crowds", action="store_true", help="count all crowds of a category, not the last as panopticapi does"
    )
    rules.add_argument(
        "--measures",
        nargs="*",
        default=["0.75", "sizes", "dagger"],
        metavar="M",
        help="beside PQ: sizes (small, medium, large segments), dagger, boundary (slow), and IoU thresholds such as "
        "0.75 (default: 0.75 sizes dagger; nothing after the flag: PQ alone)",
    )
    rules.add_argument(
        "--bootstrap", type=whole_number(0), default=0, metavar="N",
        help="95%% intervals from N resamplings of the images",
    )  # fmt: skip
    add_workers_argument(parser)
    return parser


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    settings = _settings(args)
    if args.output is not None:
        check_results(args.output, RESULT_FILES, args.overwrite)
    gt, pairs, scoring = _open(args, settings)

    quality, warnings = PanopticQuality(gt.categories, settings), ScoringWarnings()
    for image in score_images(pairs.images, scoring, workers=args.workers, progress=progress_bar("images")):
        warnings.add(image.warnings)
        quality.add(image.measures, image.image_id)
    result = quality.result(
        params=_params(args, gt.categories),
        coverage=Coverage(
            ground_truth=len(gt.images),
            scored=len(pairs.images),
            empty=sum(pair.prediction is None for pair in pairs.images),
        ),
    )
    intervals = None
    if args.bootstrap:
        intervals = bootstrap_intervals(result, gt.categories, replicates=args.bootstrap)
    name_of = {pair.image_id: pair.name for pair in pairs.images}
    blocks = [
        class_table(result, gt.categories, intervals),
        worst_table(result, name_of, _WORST_SHOWN),
        measure_table(result, gt.categories),
        group_table(result, gt.categories, intervals),
        "\n".join([_coverage(result, gt, pairs), *warnings.lines()]),
    ]
    written = []
    if args.output is not None:
        written = write_result(args.output, result, gt.categories, name_of, intervals)
    print("\n\n".join(block for block in blocks if block))
    if written:
        print()
        print_written(written)
    return 0


def _settings(args: argparse.Namespace) -> MeasureSettings:
    chosen, thresholds = set(), []
    for name in args.measures:
        if name in ("sizes", "dagger", "boundary"):
            chosen.add(name)
        elif name != "pq":
            try:
                thresholds.append(float(name))
            except ValueError:
                expected = "pq, sizes, dagger, boundary and IoU thresholds"
                raise InputError(f"--measures takes {expected}, got {name!r}") from None
    return MeasureSettings(
        iou_thresholds=tuple(thresholds),
        sizes="sizes" in chosen,
        boundary="boundary" in chosen,
        dagger="dagger" in chosen,
        all_crowds=args.all_crowds,
    )


def _open(args: argparse.Namespace, settings: MeasureSettings) -> Tuple[GroundTruth, Pairs, ScoringSettings]:
    if args.gt_json is None or args.pred_json is None:
        if args.label_divisor is None or args.void is None:
            absent = "--gt-json" if args.gt_json is None else "--pred-json"
            raise InputError(f"without {absent} its PNGs hold label-divisor values; give --label-divisor and --void")
        if args.gt_json is None and args.categories is None:
            raise InputError("without --gt-json, --categories must name a JSON with the categories")
    elif args.label_divisor is not None or args.void is not None:
        raise InputError("--label-divisor and --void are for label-divisor PNGs, but both JSONs are given")
    if args.gt_json is not None:
        gt = coco_ground_truth(args.gt_json, args.gt_folder)
    else:
        gt = label_divisor_ground_truth(args.gt_folder, args.categories, args.gt_suffix)
    if args.pred_json is not None:
        pairs = with_coco_predictions(gt, args.pred_json, args.pred_folder, args.missing)
    else:
        suffixes = (args.gt_suffix, args.pred_suffix)
        pairs = with_label_divisor_predictions(gt, args.pred_folder, suffixes, args.missing)
    return gt, pairs, ScoringSettings(
        gt.categories,
        settings,
        gt_form=_form(args, thing_zero="crowd") if args.gt_json is None else None,
        prediction_form=_form(args, args.thing_zero) if args.pred_json is None else None,
    )


def _form(args: argparse.Namespace, thing_zero: str) -> LabelDivisorForm:
    return LabelDivisorForm(
        args.label_divisor,
        args.void,
        args.form,
        unlisted=args.unlisted,
        stuff_numbers=args.stuff_numbers,
        thing_zero=thing_zero,
    )


def _params(args: argparse.Namespace, categories: Categories) -> Dict[str, Any]:
    params = {
        "missing": args.missing,
        "categories": [
            {"id": category.id, "name": category.name, "isthing": int(category.isthing)}
            for category in categories.values()
        ],
    }
    if args.gt_json is None or args.pred_json is None:
        params["label_divisor"] = {
            key: getattr(args, key)
            for key in ("label_divisor", "void", "form", "unlisted", "stuff_numbers", "thing_zero")
        }
    return params


def _coverage(result: Result, gt: GroundTruth, pairs: Pairs) -> str:
    coverage = result.coverage
    parts = [f"coverage: {coverage.scored} of {coverage.ground_truth} annotated images scored"]
    if coverage.skipped:
        parts.append(f"{coverage.skipped} without a prediction left out")
    if coverage.empty:
        parts.append(f"{coverage.empty} without a prediction counted as all void")
    if gt.unannotated:
        parts.append(f"{gt.unannotated} images have no annotation")
    if pairs.surplus:
        parts.append(f"{pairs.surplus} predictions are of images without ground truth")
    parts.extend(pairs.notes)
    if result.pixels:
        parts.append(f"{result.void_pixels / result.pixels:.2%} of the pixels predicted void")
    return "; ".join(parts)
