"""Segment ids as the colours of a COCO panoptic PNG: id = R + 256 * G + 65536 * B; 0 is void."""

import cv2
import numpy as np

from panoptic_heuristic.errors import InputError

VOID_ID = 0
MAX_ID = 256**3 - 1


def ids_to_rgb(ids: np.ndarray) -> np.ndarray:
    """Turns segment ids into the colours of a panoptic PNG.

    Args:
        ids: (H, W) integers, each 0 to 2**24 - 1.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: they are no (H, W) integers, or an id is negative or does not fit into 24 bits.
    """
    ids = np.asarray(ids)
    if not np.issubdtype(ids.dtype, np.integer):
        raise InputError(f"segment ids must be integers, got an array of {ids.dtype}")
    if ids.ndim != 2:
        raise InputError(f"segment ids must be (H, W), got {ids.shape}")
    if ids.size and (ids.min() < 0 or ids.max() > MAX_ID):
        raise InputError(f"segment ids must be in [0, {MAX_ID}] to fit a PNG, got {ids.min()} to {ids.max()}")
    # The three low bytes of a little-endian integer are R, G and B already.
    bytes_of_ids = np.ascontiguousarray(ids, dtype="<i4").view(np.uint8).reshape(*ids.shape, 4)
    if not ids.size:
        return bytes_of_ids[..., :3].copy()
    # OpenCV drops and adds the fourth byte twenty times as fast as a strided copy.
    return cv2.cvtColor(bytes_of_ids, cv2.COLOR_RGBA2RGB)


def rgb_to_ids(rgb: np.ndarray) -> np.ndarray:
    """Turns the colours of a panoptic PNG into segment ids.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) int32.

    Raises:
        InputError: ``rgb`` has another shape or dtype.
    """
    rgb = np.asarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InputError(f"expected (H, W, 3) uint8 colours, got {rgb.shape} {rgb.dtype}")
    if not rgb.size:
        return np.zeros(rgb.shape[:2], dtype=np.int32)
    ids = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2RGBA).view("<i4")[..., 0]
    # OpenCV fills the fourth byte with ones.
    return np.bitwise_and(ids, MAX_ID, out=ids)
