"""What tests of convert-panoptic share: running it, and its results up to the numbering of segments."""

from panoptic_heuristic.cli import convert_panoptic
from panoptic_heuristic.formats import read_annotation, read_panoptic_json
from tests.formats.panoptic_maps import up_to_numbering


def convert(*arguments):
    return convert_panoptic.main([*map(str, arguments), "--workers", "1"])


def coco(data):
    """The flags that name a tiny data set."""
    return ["--panoptic-json", data.json("val"), "--panoptic-root", data.root / "panoptic_val"]


def segments_of(json_path, root):
    """Of each image, its entry and its segments without their numbers."""
    return {
        (image.image_id, image.file_name, image.height, image.width): up_to_numbering(
            read_annotation(image, root), image.segments_info
        )
        for image in read_panoptic_json(json_path).images
    }


def segments_in(output):
    """The segments of a conversion to COCO panoptic."""
    return segments_of(output / "panoptic.json", output / "panoptic")
