"""The depth of photographs: Pillow turns pixels of more than 8 bits to white, without a word."""

from pathlib import Path

from PIL import Image

from panoptic_heuristic.errors import InputError

_DEPTHS = {"I": "32-bit integers", "F": "floating-point numbers"}


def check_photo_depth(photo: Image.Image, path: Path) -> None:
    """Refuses a photograph whose pixels would be clipped when it is read with 8 bits per channel.

    Nothing is decoded. Channels of 16 bits in colour pass: Pillow reads their upper 8 bits, which is the right picture.

    Args:
        photo: as Pillow opened it.
        path: the file, for the error.

    Raises:
        InputError: it is grey with 16 bits, or of 32-bit integers or floating-point numbers.
    """
    mode = photo.mode
    if mode.startswith("I;16") or mode in _DEPTHS:
        depth = _DEPTHS.get(mode, "16-bit grey")
        raise InputError(
            f"{path} has pixels of {depth}, which would all become white; save it with 8 bits per channel, by a scale "
            "that fits its values and is the same for all images"
        )
