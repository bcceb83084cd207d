"""COCO panoptic with numbers as image ids, and the public panoptic JSONs of Cityscapes and Mapillary Vistas."""

import argparse
from dataclasses import replace
from functools import partial

from panoptic_heuristic.cli.conversions.flags import add_coco_arguments, add_conversion
from panoptic_heuristic.cli.conversions.output import ConversionOutput
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.conversions.named_image_files import (
    CITYSCAPES,
    MAPILLARY,
    NamedForm,
    coco_to_named,
    named_to_coco,
)

_FORMS = {"cityscapes": CITYSCAPES, "mapillary": MAPILLARY}
_HELP = {
    "cityscapes": """\
cityscapes_panoptic_*.json of cityscapesScripts, with label ids or train ids: an image's id is its name's beginning
(aachen_000000_000019). The COCO JSON numbers the images in file order, keeps the id as dataset_image_id, and names
them as they lie in leftImg8bit/<split>: aachen/aachen_000000_000019_leftImg8bit.png.
""",
    "mapillary": """\
panoptic_2020.json of Mapillary Vistas v2.0 (or panoptic_2018.json of v1.2): an image's id is its name without the
suffix. The COCO JSON numbers the images in file order and keeps the id as dataset_image_id.
""",
}


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds two sub-commands for each of the forms."""
    for name, form in _FORMS.items():
        there, back = partial(to_coco, form), partial(from_coco, form)
        there.__doc__ = f"{form.title} panoptic JSON to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."
        back.__doc__ = f"COCO panoptic to {form.title} OUTPUT/{form.json_name} and OUTPUT/{form.folder}/*.png."
        for command, run in ((f"{name}-to-coco", there), (f"coco-to-{name}", back)):
            add_coco_arguments(add_conversion(commands, command, run, _HELP[name]))


def to_coco(form: NamedForm, args: argparse.Namespace) -> int:
    """A public panoptic JSON to COCO's."""
    content = read_panoptic_json(args.panoptic_json)
    renamed = [
        replace(image, image_id=number, file_name=form.on_disk(image))
        for number, image in enumerate(content.images, start=1)
    ]
    output = ConversionOutput(args, "panoptic.json", "panoptic", renamed, read_from=[args.panoptic_root])
    for entry, image in zip(output.images, content.images, strict=True):
        entry["dataset_image_id"] = image.image_id
    jobs = list(zip(content.images, renamed, strict=True))
    output.write(content.categories.to_coco(), output.run(named_to_coco, jobs, panoptic_root=args.panoptic_root))
    return 0


def from_coco(form: NamedForm, args: argparse.Namespace) -> int:
    """COCO's panoptic JSON to a public one."""
    content = read_panoptic_json(args.panoptic_json)
    named = [form.named(image) for image in content.images]
    output = ConversionOutput(args, form.json_name, form.folder, named, read_from=[args.panoptic_root])
    jobs = list(zip(content.images, named, strict=True))
    output.write(content.categories.to_coco(), output.run(coco_to_named, jobs, panoptic_root=args.panoptic_root))
    return 0
