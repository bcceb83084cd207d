"""Draws images, ground truth, predictions and their difference side by side.

Files are all it needs. Writes OUTPUT/image_<id>.png for each chosen image and OUTPUT/sheet_<n>.png, contact sheets of
them, worst images first. Without predictions it draws the ground truth.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, add_workers_argument, whole_number
from panoptic_heuristic.cli.outputs import check_folder, progress_bar
from panoptic_heuristic.errors import InputError, command, printable
from panoptic_heuristic.formats import Categories, PanopticImage, read_annotation, read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.coco_panoptic import PredictedImage, read_predictions
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.image_ids import ImageId, check_no_twins, id_file_stem, id_meant, id_order
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.quality import add_counts, count_image, match_image, summarize
from panoptic_heuristic.visual.names import names_note
from panoptic_heuristic.visual.panels import SegmentMap, class_legend, difference_legend, draw_panels
from panoptic_heuristic.visual.photo import is_stretched, read_photo
from panoptic_heuristic.visual.sheet import Row, Swatch, make_sheet, save_picture

_EXAMPLES = """\
example:
  panoptic-heuristic visualize-panoptic --image-root val2017 --gt-json panoptic_val2017.json \\
      --gt-folder panoptic_val2017 --pred-json predictions.json --pred-folder predictions --worst 30 --output pictures
"""
_DEFAULT_NUMBER = 20
_ROWS_PER_SHEET = 8
_SHEET_SIDE = 420


@dataclass(frozen=True)
class Sources:
    """The places of the files of all images.

    Attributes:
        categories: the data set's categories.
        gt_folder: the ground truth's PNGs.
        image_root: the images; None to draw none.
        pred_folder: the predictions' PNGs; None without predictions.
        predictions: the predictions by image id; images may be absent.
    """

    categories: Categories
    gt_folder: Path
    image_root: Optional[Path]
    pred_folder: Optional[Path]
    predictions: Mapping[ImageId, PredictedImage]


@dataclass(frozen=True)
class Score:
    """The quality of one image.

    Attributes:
        pq: mean over the classes of this image alone, 0 to 1; None if it has no segment at all.
        tp, fp, fn: segments.
    """

    pq: Optional[float]
    tp: int
    fp: int
    fn: int


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    _check(args)
    content = read_panoptic_json(args.gt_json)
    images = [image for image in content.images if image.png_name is not None]
    if not images:
        raise InputError(f"{args.gt_json} has no annotations; there is nothing to draw")
    predictions = read_predictions(args.pred_json, content.categories) if args.pred_json else {}
    sources = Sources(content.categories, args.gt_folder, args.image_root, args.pred_folder, predictions)
    check_no_twins(predictions, {image.image_id for image in content.images}, str(args.pred_json), str(args.gt_json))
    if args.images is not None:
        images = _chosen(images, args.images, args.gt_json)
    number = len(images) if args.images is not None else args.worst or _DEFAULT_NUMBER
    if args.pred_json:
        scores = _score_all(images, sources, args.workers)
        ranked = sorted(zip(images, scores, strict=True), key=_badness)[:number]
    else:
        ranked = [(image, None) for image in images[:number]]
    written = _draw_all(ranked, sources, args.output, args.panel_size)
    written += _draw_sheets(ranked, sources, args.output)
    print(f"drawn: {len(ranked)} of {len(images)} images" + (", worst first" if args.pred_json else ""))
    if deep := _number_stretched([image for image, _ in ranked], sources.image_root):
        print(f"deeper than 8 bits: {deep} images; each is drawn from its own darkest to its brightest pixel")
    for image, score in ranked[:_ROWS_PER_SHEET] if args.pred_json else ():
        print(f"  {printable(_caption(image, score, sources))}")
    if note := names_note(sources.categories):
        print(f"note: {note}")
    print(f"written: {len(written)} files in {args.output}, such as {written[-1].name}")
    return 0


def _number_stretched(images: Sequence[PanopticImage], image_root: Optional[Path]) -> int:
    return 0 if image_root is None else sum(is_stretched(image_root, image.file_name) for image in images)


def score_one(image: PanopticImage, sources: Sources) -> Score:
    """Reads and scores one image."""
    gt, prediction = read_maps(image, sources)
    counts = _compared(count_image, image, gt, prediction, sources)
    quality = summarize(counts, sources.categories).all
    # Whatever the category: one count over all.
    total = add_counts({0: one} for one in counts.values()).get(0)
    if quality is None:
        return Score(None, 0, 0, 0)
    return Score(quality.pq, total.tp, total.fp, total.fn)


def read_maps(image: PanopticImage, sources: Sources) -> Tuple[SegmentMap, Optional[SegmentMap]]:
    """The ground truth of an image and its prediction, which is all void if the image has none.

    Returns:
        Both; the prediction is None if there are no predictions at all.
    """
    gt = SegmentMap(read_annotation(image, sources.gt_folder), image.segments_info)
    if sources.pred_folder is None:
        return gt, None
    predicted = sources.predictions.get(image.image_id)
    if predicted is None:
        return gt, SegmentMap(np.zeros_like(gt.ids), ())
    path = inside(sources.pred_folder, predicted.png_name)
    ids = read_panoptic_png(path, height=image.height, width=image.width)
    return gt, SegmentMap(ids, predicted.segments_info)


def draw_one(image: PanopticImage, sources: Sources, side: int):
    """The pictures of an image, their titles, and the maps they show."""
    gt, prediction = read_maps(image, sources)
    photo = None
    if sources.image_root is not None:
        size = image.height, image.width
        photo = read_photo(sources.image_root, image.file_name, size, "the JSON", for_the_eye=True)
    matching = None if prediction is None else _compared(match_image, image, gt, prediction, sources)
    pictures, titles = draw_panels(
        gt, sources.categories, side=side, photo=photo, prediction=prediction, matching=matching
    )
    return pictures, titles, [one for one in (gt, prediction) if one is not None]


def _compared(function: Callable, image: PanopticImage, gt: SegmentMap, prediction: SegmentMap, sources: Sources):
    maps = (gt.ids, gt.segments_info, prediction.ids, prediction.segments_info)
    try:
        return function(*maps, sources.categories)
    except InputError as error:
        raise InputError(f"image {image.image_id} ({image.file_name}): {error}") from error


def _score_all(images: Sequence[PanopticImage], sources: Sources, workers: int) -> List[Score]:
    with ordered_map(partial(score_one, sources=sources), images, workers=workers) as results:
        return list(progress_bar("score")(results, len(images)))


def _badness(scored: Tuple[PanopticImage, Score]) -> Tuple[float, int, bool, ImageId]:
    """The order of :func:`panoptic_heuristic.quality.worst_images`, and then images without any segment."""
    image, score = scored
    return 2.0 if score.pq is None else score.pq, -(score.fp + score.fn), *id_order(image.image_id)


def _draw_all(ranked: Sequence[Tuple[PanopticImage, Optional[Score]]], sources: Sources, output: Path, side: int):
    written = []
    for image, score in progress_bar("draw")(ranked, len(ranked)):
        pictures, titles, maps = draw_one(image, sources, side)
        sheet = make_sheet([Row(_caption(image, score, sources), pictures)], titles, _legends(maps, sources))
        written.append(output / f"image_{id_file_stem(image.image_id)}.png")
        save_picture(written[-1], sheet)
    return written


def _draw_sheets(ranked: Sequence[Tuple[PanopticImage, Optional[Score]]], sources: Sources, output: Path) -> List[Path]:
    written = []
    starts = range(0, len(ranked), _ROWS_PER_SHEET)
    for page, start in enumerate(progress_bar("sheets")(starts, len(starts)), start=1):
        rows, drawn = [], []
        for image, score in ranked[start : start + _ROWS_PER_SHEET]:
            pictures, titles, maps = draw_one(image, sources, _SHEET_SIDE)
            rows.append(Row(_caption(image, score, sources), pictures))
            drawn += maps
        written.append(output / f"sheet_{page}.png")
        save_picture(written[-1], make_sheet(rows, titles, _legends(drawn, sources)))
    return written


def _legends(maps: Sequence[SegmentMap], sources: Sources) -> List[List[Swatch]]:
    differences = [] if sources.pred_folder is None else [difference_legend()]
    return [*differences, class_legend(maps, sources.categories)]


def _caption(image: PanopticImage, score: Optional[Score], sources: Sources) -> str:
    caption = f"image {image.image_id}, {image.file_name}"
    if score is None:
        return caption
    if image.image_id not in sources.predictions:
        caption += ", no prediction"
    if score.pq is None:
        return f"{caption}, no segments"
    return f"{caption}: PQ {100 * score.pq:.1f}, {score.tp} matched, {score.fn} missed, {score.fp} false"


def _chosen(images: Sequence[PanopticImage], words: Sequence[str], where: Path) -> List[PanopticImage]:
    by_id = {image.image_id: image for image in images}
    image_ids = [id_meant(word, by_id) for word in words]
    for image_id in image_ids:
        if image_id not in by_id:
            raise InputError(f"{where} has no annotated image {image_id}")
    return [by_id[image_id] for image_id in dict.fromkeys(image_ids)]


def _check(args: argparse.Namespace) -> None:
    if (args.pred_json is None) != (args.pred_folder is None):
        raise InputError("--pred-json and --pred-folder belong together; give both or neither")
    if args.worst is not None and args.pred_json is None:
        raise InputError("--worst needs --pred-json and --pred-folder: without predictions no image is worse")
    for flag in ("image_root", "gt_folder", "pred_folder"):
        folder = getattr(args, flag)
        if folder is not None and not folder.is_dir():
            raise InputError(f"--{flag.replace('_', '-')} {folder} is no folder")
    check_folder(args.output, args.overwrite)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument("--image-root", type=Path, help="the folder of the images (default: they are not drawn)")
    parser.add_argument("--gt-json", type=Path, required=True, help="ground truth, a COCO panoptic JSON")
    parser.add_argument("--gt-folder", type=Path, required=True, help="the folder of its PNGs")
    parser.add_argument("--pred-json", type=Path, help="predictions in COCO panoptic format")
    parser.add_argument("--pred-folder", type=Path, help="the folder of their PNGs")
    add_output_arguments(parser, "the pictures")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--images", nargs="+", metavar="ID", help="ids of the images to draw")
    choice.add_argument(
        "--worst",
        type=whole_number(1),
        metavar="N",
        help=f"draw the N images of the lowest PQ (default: {_DEFAULT_NUMBER}; without predictions, the first "
        f"{_DEFAULT_NUMBER} images)",
    )
    parser.add_argument(
        "--panel-size", type=whole_number(100, 4096), default=720,
        help="pixels of the longer side of a picture (default: %(default)s)",
    )  # fmt: skip
    add_workers_argument(parser)
    return parser
