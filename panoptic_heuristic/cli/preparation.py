"""The prepare commands share this: worker processes, resuming, and the JSON that comes last."""

import argparse
import os
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar

import numpy as np

from panoptic_heuristic.cli.arguments import add_workers_argument
from panoptic_heuristic.cli.outputs import print_note, progress_bar
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_png, segment_entries, write_panoptic_png
from panoptic_heuristic.formats.dataset_yaml import datasets_root
from panoptic_heuristic.formats.files import check_writable, read_json, write_json
from panoptic_heuristic.formats.images import opened_image
from panoptic_heuristic.formats.listing import list_files
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.formats.yaml_files import read_yaml, write_yaml

Job = TypeVar("Job")
Result = TypeVar("Result")

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags all preparation scripts have: ``--workers`` and ``--overwrite``."""
    add_workers_argument(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="make every file again, also those that are there and whole"
    )


def prepare_splits(
    argv: Optional[Sequence[str]],
    parser: argparse.ArgumentParser,
    folder: str,
    splits: Sequence[str],
    prepare: Callable[..., None],
    describe: Optional[Callable[..., None]] = None,
) -> int:
    """The whole command line of a data set that is prepared split by split.

    Args:
        argv: the arguments; None for those of the program.
        parser: with the command's texts; the flags are added.
        folder: of the data set, below ``$DETECTRON2_DATASETS``.
        splits: all there are.
        prepare: called with the root, the output, a split, and ``workers`` and ``overwrite``.
        describe: called with the root, the output and ``overwrite`` once the splits are there.

    Returns:
        The exit code.
    """
    parser.add_argument(
        "--root", type=Path, metavar="FOLDER", help=f"the data set (default: $DETECTRON2_DATASETS/{folder})"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write to (default: the root)")
    parser.add_argument("--splits", nargs="+", choices=splits, default=splits)
    add_arguments(parser)
    args = parser.parse_args(argv)
    root = args.root or datasets_root() / folder
    output = args.output or root
    check_writable(output)
    for split in args.splits:
        prepare(root, output, split, workers=args.workers, overwrite=args.overwrite)
    if describe is not None:
        describe(root, output, overwrite=args.overwrite)
    return 0


def run_jobs(function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, title: str) -> List[Result]:
    """Runs a function over jobs in worker processes, with a progress bar.

    Args:
        function: a function of a module, or a ``functools.partial`` of one.
        jobs: its arguments.
        workers: the number of processes; 1 runs in this one.
        title: stands before the progress bar.

    Returns:
        the results in the order of the jobs.

    Raises:
        InputError: what a job raised first, or a worker was killed.
    """
    with ordered_map(function, jobs, workers=max(1, min(workers, len(jobs)))) as results:
        return list(progress_bar(title)(results, len(jobs)))


def image_size(path: Path) -> Tuple[int, int]:
    """Height and width of an image, from its header.

    Raises:
        InputError: the file is missing or no image.
    """
    with opened_image(path) as image:
        return image.height, image.width


def read_annotation(path: Path, modes: Collection[str], expected: str, *, height: int, width: int) -> np.ndarray:
    """Reads the PNG of an image's annotation as it is.

    Args:
        path: the PNG.
        modes: Pillow's modes that are right.
        expected: what is right, for people.
        height, width: of the image, in pixels.

    Raises:
        InputError: the file is missing or damaged, or of another mode or size.
    """
    with opened_image(path) as image:
        if image.mode not in modes:
            raise InputError(f"{path} has Pillow mode {image.mode}; {expected}")
        values = np.asarray(image)
    if values.shape[:2] != (height, width):
        raise InputError(f"{path} is {values.shape[1]}x{values.shape[0]} pixels, but its image is {width}x{height}")
    return values


def require_folder(path: Path, advice: str) -> None:
    """Raises an :class:`InputError` with the advice if the folder is not there."""
    if not path.is_dir():
        raise InputError(f"expected the folder {path}, which is not there; {advice}")


def find_images(folder: Path, ending: str) -> List[Path]:
    """The images in a folder, without those of its sub-folders, in the order of their names.

    Raises:
        InputError: there is none.
    """
    found = list_files(folder, ending, below=False)
    print_note(found)
    if not found.names:
        raise InputError(f"{folder} holds no *{ending}")
    return found.paths


def check_pairs(images: Sequence[Path], annotations: Path) -> None:
    """Checks that each image has an annotation of its name, and each annotation an image.

    Args:
        images: the images of one folder, at least one.
        annotations: the folder of the PNGs.

    Raises:
        InputError: one has no partner.
    """
    expected = {image.stem: image for image in images}
    present = {path.stem: path for path in list_files(annotations, ".png", below=False).paths}
    if missing := expected.keys() - present.keys():
        raise InputError(f"the image {expected[min(missing)].name} has no annotation in {annotations}")
    if left := present.keys() - expected.keys():
        raise InputError(f"the annotation {present[min(left)]} has no image in {images[0].parent}")


def ends_whole(path: Path) -> bool:
    """True if a PNG has its last chunk: Pillow decodes files without it, other readers refuse them.

    Raises:
        OSError: the file is missing or unreadable.
    """
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - len(_PNG_END)))
        return file.read() == _PNG_END


def convert_image(
    entry: Dict[str, Any],
    png: Path,
    make_ids: Callable[[], np.ndarray],
    category_of: Mapping[int, int],
    crowds: Collection[int] = (),
    *,
    overwrite: bool,
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Makes the panoptic PNG of an image, unless an earlier run has finished it.

    Args:
        entry: of the image in ``images``.
        png: the file.
        make_ids: gives (H, W) segment ids.
        category_of: the category of each id.
        crowds: the ids of crowds.
        overwrite: whether a PNG that is there and whole is made again.

    Returns:
        The entry, and that of the image in ``annotations``.

    Raises:
        InputError: what ``make_ids`` raises.
    """
    segments = None
    if not overwrite:
        segments = _finished_segments(
            png, height=entry["height"], width=entry["width"], category_of=category_of, crowds=crowds
        )
    if segments is None:
        ids = make_ids()
        write_panoptic_png(png, ids)
        segments = segment_entries(ids, category_of, crowds)
    return entry, {"image_id": entry["id"], "file_name": png.name, "segments_info": segments}


def _finished_segments(
    png: Path, *, height: int, width: int, category_of: Mapping[int, int], crowds: Collection[int] = ()
) -> Optional[List[Dict[str, Any]]]:
    """The segments of a panoptic PNG that an earlier run finished.

    Returns:
        its ``segments_info``; None if the file must be made (again): it is missing, damaged, of
        another size, or holds ids that ``category_of`` does not know.
    """
    try:
        if not ends_whole(png):
            return None
        ids = read_panoptic_png(png, height=height, width=width)
        return segment_entries(ids, category_of, crowds)
    except (InputError, KeyError, OSError):
        return None


def write_split(
    convert: Callable[[Job], Tuple[Dict[str, Any], Dict[str, Any]]],
    jobs: Sequence[Job],
    categories: Categories,
    output: Path,
    split: str,
    *,
    workers: int,
    overwrite: bool,
) -> None:
    """Converts the images of a split, and writes its JSON once all its PNGs are there.

    Args:
        convert: makes the PNG of one image, and gives the image's entries in ``images`` and ``annotations``.
        jobs: its arguments, one for each image.
        categories: of the data set.
        output: the folder to write to.
        split: names ``panoptic_<split>.json``.
        workers: the number of processes.
        overwrite: whether a JSON with other content is replaced.

    Raises:
        InputError: what a job raised first, or the JSON is there with other content.
    """
    name = f"panoptic_{split}"
    results = run_jobs(convert, jobs, workers=workers, title=name)
    content = {
        "categories": categories.to_coco(),
        "images": [image for image, _ in results],
        "annotations": [annotation for _, annotation in results],
    }
    write_last(output / f"{name}.json", content, overwrite=overwrite)


def write_last(path: Path, content: Dict[str, Any], *, overwrite: bool) -> None:
    """Writes the JSON of a split, once all its PNGs are there.

    Raises:
        InputError: the file is there with other content, and ``overwrite`` is not set.
    """
    _write_unless_other(path, content, read_json, write_json, overwrite=overwrite)


def write_description(path: Path, content: Dict[str, Any], *, overwrite: bool) -> None:
    """Writes the YAML file of a data set, which people add keys to.

    Raises:
        InputError: the file is there with other content, and ``overwrite`` is not set.
    """
    _write_unless_other(path, content, read_yaml, write_yaml, overwrite=overwrite)


def _write_unless_other(
    path: Path,
    content: Dict[str, Any],
    read: Callable[[Path], Any],
    write: Callable[[Path, Any], None],
    *,
    overwrite: bool,
) -> None:
    if path.exists() and not overwrite:
        if read(path) == content:
            print(f"{path} was there already and is right")
            return
        raise InputError(f"{path} is there already and holds something else; move it away and run this again")
    write(path, content)
    print(f"wrote {path}")
