"""The files a conversion writes, and the images it is about."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from panoptic_heuristic.cli.outputs import print_note, progress_bar
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage, read_panoptic_json
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.conversions import image_files as convert
from panoptic_heuristic.formats.files import check_writable, write_json, writing_to
from panoptic_heuristic.formats.listing import list_files
from panoptic_heuristic.formats.png import read_png_header
from panoptic_heuristic.formats.workers import ordered_map


class ConversionOutput:
    """The folder a conversion writes: one JSON, last, and a folder of PNGs, one per image.

    Args:
        args: the parsed flags.
        json_name: of the JSON.
        folder: of the PNGs, in ``--output``; None if the conversion writes none.
        images: what to convert.
        read_from: the folders of the PNGs to read, which are not to be written over.

    Raises:
        InputError: a folder to read from is missing or would be written over, a file is there already,
            or two images would have one PNG.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        json_name: str,
        folder: Optional[str],
        images: Sequence[PanopticImage],
        read_from: Sequence[Path] = (),
    ):
        self.json, self.workers = args.output / json_name, args.workers
        self.pngs = None if folder is None else args.output / folder
        self.images = [convert.image_entry(image) for image in images]
        for root in read_from:
            if not root.is_dir():
                raise InputError(f"{root} is no folder")
            if self.pngs is not None and root.resolve() == self.pngs.resolve():
                raise InputError(f"{self.pngs} is the folder to read from; choose another --output")
        check_writable(self.pngs or args.output)
        # An empty folder may be left of a conversion that failed at once.
        there = [] if self.pngs is None else self.pngs.glob("*")
        taken = [path for path in (self.json, *there) if path.exists()]
        if taken and not args.overwrite:
            raise InputError(f"{taken[0]} is there already; choose another --output, or --overwrite it")
        # An old JSON would vouch for PNGs of which some are new.
        with writing_to(self.json):
            self.json.unlink(missing_ok=True)
        if self.pngs is not None:
            convert.check_png_names(images, self.pngs)

    def run(self, function: Callable, jobs: Sequence, **settings: Any) -> list:
        """Runs a conversion of one image on all; it writes the PNG, if there is one, and returns the rest."""
        if self.pngs is not None:
            settings["output"] = self.pngs
        with ordered_map(partial(function, **settings), jobs, workers=self.workers) as results:
            return list(progress_bar("convert")(results, len(jobs)))

    def write(self, categories: List[Dict[str, Any]], annotations: Optional[List[Dict[str, Any]]] = None) -> None:
        """Writes the JSON."""
        listed = {} if annotations is None else {"annotations": annotations}
        write_json(self.json, {"images": self.images, **listed, "categories": categories})
        pngs = "" if self.pngs is None else f" and {len(self.images)} PNGs in {self.pngs}"
        print(f"wrote {self.json}{pngs}")


def images_to_convert(
    folder: Path, images_json: Optional[Path], categories: Categories, suffix: str = ".png"
) -> Sequence[PanopticImage]:
    """The images of a JSON; without one, an image per PNG of the folder, numbered from 1 in the order of their names.

    Args:
        folder: of the PNGs.
        images_json: the JSON, or None.
        categories: the data set's categories, which the JSON need not have.
        suffix: the end of the names of the PNGs, in place of which images have ".png".

    Raises:
        InputError: the JSON is wrong, or the folder holds no PNG.
    """
    if images_json is not None:
        return read_panoptic_json(images_json, categories).images
    images = []
    found = list_files(folder, suffix)
    print_note(found)
    for number, name in enumerate(found.names, start=1):
        header = read_png_header(folder / name)
        stem = name[: -len(suffix)]
        images.append(PanopticImage(number, f"{stem}.png", header.height, header.width, None, ()))
    if not images:
        raise InputError(f"{folder} holds no PNG" + ("" if suffix == ".png" else f" whose name ends in {suffix!r}"))
    return images


def numbered(annotations: Iterable[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The annotations with ids from 1."""
    return [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=1)]


def print_notes(merged: Sequence[convert.Merged], overlap: str, bad: BadAnnotations) -> None:
    """Says what was left out of the images, or taken from one annotation and given to another."""
    for key, what in (
        ("contested_pixels", f"pixels claimed by several instances (--overlap {overlap})"),
        ("lost_instances", "instances without a pixel of their own, left out"),
        ("bare_pixels", "pixels labelled as a thing that no instance covers, now void"),
    ):
        total = sum(getattr(one, key) for one in merged)
        if total:
            print(f"note: {total} {what}")
    for problem in (problem for one in merged for problem in one.bad_annotations):
        bad.add(problem)
    for note in bad.notes():
        print(note)
