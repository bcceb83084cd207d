"""The result files of two heads, as the commands that take them ask for and read them."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.coco_results import InstanceEntry, MaskEntry, read_instances
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.head_results.fuse import LabelMeaning, find_semantics, read_images, read_meaning

Semantics = Union[None, Path, Sequence[MaskEntry]]


@dataclass(frozen=True)
class Heads:
    """What the files say.

    Attributes:
        image_entries: ``images`` as it is in the file.
        images: the images.
        categories: the data set's.
        category_entries: the list they were read from.
        meaning: what the semantic labels mean.
        instances: image id -> results of the instance head.
        semantics: image id -> results of the semantic head.
        paths: the files and folders, by the name of their flag.
    """

    image_entries: List[Any]
    images: Tuple[PanopticImage, ...]
    categories: Categories
    category_entries: List[Any]
    meaning: LabelMeaning
    instances: Dict[int, List[InstanceEntry]]
    semantics: Dict[int, Semantics]
    paths: Dict[str, Path]

    @property
    def only_logits(self) -> bool:
        """Whether the semantic head's results are logits, of each image that has any."""
        kinds = {isinstance(one, Path) and one.suffix == ".npz" for one in self.semantics.values()}
        return kinds == {True}


def add_file_arguments(parser: argparse.ArgumentParser, *, required: bool = True):
    """Adds the flags that name the files; returns their group."""
    files = parser.add_argument_group("files")
    files.add_argument(
        "--images", type=Path, required=required,
        help="a panoptic, instances or image-info JSON: which images, what size",
    )  # fmt: skip
    files.add_argument(
        "--categories", type=Path, help="a JSON with panoptic categories, or a list of them (default: --images)"
    )
    files.add_argument("--instances", type=Path, help="results of the instance head, see below")
    files.add_argument("--semantics", type=Path, help="results of the semantic head, see below")
    files.add_argument(
        "--label-to-category", type=Path, help="a JSON list or object: the category id a label means, null for none"
    )
    files.add_argument(
        "--no-label", type=int, action="append", default=[], metavar="LABEL",
        help="a label that is no stuff, such as 0 in Detectron2's results for COCO; may be given several times",
    )  # fmt: skip
    return files


def read_heads(args: argparse.Namespace) -> Heads:
    """Reads what the flags of :func:`add_file_arguments` name.

    Raises:
        InputError: a file is missing or wrong; which, and where.
    """
    image_entries, images = read_images(args.images)
    categories, category_entries = _read_categories(args.categories or args.images)
    meaning = _meaning(args, categories)
    instances = read_instances(args.instances, images, categories) if args.instances else {}
    semantics = find_semantics(args.semantics, images, meaning) if args.semantics else {}
    _check_logits(semantics.values(), args.label_to_category, meaning)
    named = {name: getattr(args, name) for name in ("images", "categories", "instances", "semantics")}
    paths = {name: path for name, path in named.items() if path is not None}
    return Heads(image_entries, tuple(images), categories, category_entries, meaning, instances, semantics, paths)


def _read_categories(path: Path) -> Tuple[Categories, List[Any]]:
    """Panoptic categories and the list they were read from, of a file that is it or has it."""
    data = read_json(path)
    entries = data.get("categories") if isinstance(data, Mapping) else data
    try:
        return Categories.from_coco(entries, str(path)), entries
    except InputError as error:
        raise InputError(f"{error}; name a file that has them with --categories") from error


def _meaning(args: argparse.Namespace, categories: Categories) -> LabelMeaning:
    meaning: Dict[int, Optional[int]] = {category_id: category_id for category_id in categories}
    if args.label_to_category is not None:
        meaning = dict(read_meaning(args.label_to_category, categories))
    for label in args.no_label:
        if meaning.get(label) is not None:
            raise InputError(
                f"--no-label {label} is the label of category {meaning[label]}; "
                "say what every label means with --label-to-category"
            )
        meaning[label] = None
    return meaning


def _check_logits(semantics: Any, label_file: Optional[Path], meaning: LabelMeaning) -> None:
    logits = any(isinstance(one, Path) and one.suffix == ".npz" for one in semantics)
    if logits and (label_file is None or sorted(meaning) != list(range(len(meaning)))):
        raise InputError("logits need --label-to-category: a list with a category id or null for each channel")
