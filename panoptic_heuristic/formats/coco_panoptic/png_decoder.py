"""The decoder of plain PNGs: kornia-rs where it is installed (``panoptic_heuristic[fast]``), OpenCV elsewhere.

Both give the same ids. OpenCV takes 1.1 to 1.6 ms for panoptic PNGs of 480x360 and 640x427, kornia-rs 0.1 to 0.4.
"""

from typing import Optional

import cv2
import numpy as np

from panoptic_heuristic.formats.coco_panoptic.ids import bgr_to_ids, rgb_to_ids

try:
    from kornia_rs.io import decode_image_png_u8
except ImportError:
    decode_image_png_u8 = None


def decoder_name() -> str:
    """The library that :func:`plain_ids` decodes with."""
    return "OpenCV" if decode_image_png_u8 is None else "kornia-rs"


def plain_ids(content: bytes, height: int, width: int) -> Optional[np.ndarray]:
    """The ids of an 8-bit RGB PNG whose chunks have been checked.

    Args:
        content: the whole file.
        height, width: of its header, in pixels.

    Returns:
        (height, width) int32, or None where the decoder refuses it.
    """
    if decode_image_png_u8 is None:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        return bgr_to_ids(pixels) if pixels is not None and pixels.shape == (height, width, 3) else None
    try:
        return rgb_to_ids(decode_image_png_u8(content, (height, width), "rgb"))
    # It has no other kind of exception.
    except Exception:
        return None
