"""The run lengths of COCO's masks: compressed ones unpacked, and all of them checked."""

import ctypes
import re
from typing import Callable, List, Optional, Sequence, Union

import numpy as np

from panoptic_heuristic import native
from panoptic_heuristic.errors import InputError

UNREADABLE = np.array([-1])
"""In place of the runs of a mask that cannot be read: no run is negative."""

_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_KERNEL_TYPES = (_POINTER, _POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER)
_MOST_DIGITS = 7
# At most seven characters per run, the last of them below "P".
_LEGAL = re.compile(rb"(?:[P-o]{0,6}[0-O])+").fullmatch


class MaskError(InputError):
    """A mask cannot be read, or is of another size than its image."""


def ends_of_counts(
    counts: Sequence[Union[bytes, np.ndarray]], pixels: int, where: Callable[[int], str]
) -> List[np.ndarray]:
    """The ends of the runs of masks, one int64 array each, see :func:`panoptic_heuristic.formats.rle.run_ends`.

    Args:
        counts: compressed, or int64 lengths of runs.
        pixels: of the image.
        where: gives a mask's name for error messages by its place.

    Raises:
        MaskError: a mask cannot be read, or has other pixels than the image.
    """
    texts = [one for one in counts if isinstance(one, bytes)]
    found = _ends_by_kernel(texts, pixels) if len(texts) == len(counts) else None
    if found is not None:
        return found
    unpacked = iter(_decompressed(texts))
    runs = [next(unpacked) if isinstance(one, bytes) else one for one in counts]
    ends = [one.cumsum() for one in runs]
    for place, (one, last) in enumerate(zip(runs, ends, strict=True)):
        # pycocotools hands out uninitialised memory where the runs do not fill the image.
        # A sum that leaves int64 is negative before it can come round to the right number.
        if not one.size or one.min() < 0 or last.min() < 0 or last[-1] != pixels:
            raise MaskError(
                f"{where(place)}: counts must be run lengths >= 0 that add up to the {pixels} pixels of the "
                f"image, got a sum of {sum(one.tolist())}"
            )
    return ends


def _ends_by_kernel(texts: Sequence[bytes], pixels: int) -> Optional[List[np.ndarray]]:
    """The ends of compressed runs; None where there are no kernels, or a mask is wrong, which others say better."""
    kernel = native.function("ph_rle_ends", _KERNEL_TYPES)
    if kernel is None or not texts or pixels >= 2**63:
        return None
    text = np.frombuffer(b"".join(texts), np.uint8)
    stops = np.cumsum([len(one) for one in texts], dtype=np.int64)
    # A run takes at least a byte.
    ends, run_stops = np.empty(len(text), dtype=np.int64), np.empty(len(texts), dtype=np.int64)
    pointers = (one.ctypes.data for one in (ends, run_stops))
    runs = kernel(text.ctypes.data, stops.ctypes.data, len(texts), pixels, *pointers)
    if runs < 0:
        return None
    # A copy keeps no more in memory than there is to say.
    ends, borders = ends[:runs].copy(), run_stops.tolist()
    return [ends[first:stop] for first, stop in zip([0, *borders[:-1]], borders, strict=True)]


def _decompressed(texts: Sequence[bytes]) -> List[np.ndarray]:
    """The runs of compressed encodings, int64; whatever cannot be read gives a negative run.

    A run is a little-endian sequence of 5-bit digits, one per character, 0x20 marking those that
    are followed by another; from the fourth run on, the difference to the run before the last.
    """
    if not texts:
        return []
    sizes = np.array([len(text) for text in texts])
    # Whatever is no digit is 64 or more.
    digits = np.frombuffer(b"".join(texts), np.uint8) - np.uint8(48)
    lasts = np.flatnonzero(digits < 0x20)
    lengths = np.diff(lasts, prepend=-1)
    # All at once; a pattern takes as long to go through the texts as all the rest here.
    if not sizes.all() or digits.max() > 63 or digits[sizes.cumsum() - 1].max() > 0x1F or lengths.max() > _MOST_DIGITS:
        return _decompressed_where_legal(texts)
    starts = lasts + 1 - lengths
    place_in_run = np.arange(digits.size) - starts.repeat(lengths)
    runs = np.add.reduceat((digits & 0x1F).astype(np.int64) << (5 * place_in_run), starts)
    # The highest bit of the last digit is the sign.
    runs -= (digits[lasts] >> 4 & 1).astype(np.int64) << (5 * lengths)
    borders = np.searchsorted(lasts, sizes.cumsum()).tolist()
    per_text = [runs[first:last] for first, last in zip([0, *borders[:-1]], borders, strict=True)]
    for one in per_text:
        one[1::2] = one[1::2].cumsum()
        one[2::2] = one[2::2].cumsum()
    return per_text


def _decompressed_where_legal(texts: Sequence[bytes]) -> List[np.ndarray]:
    legal = [bool(_LEGAL(text)) for text in texts]
    readable = iter(_decompressed([text for text, is_legal in zip(texts, legal, strict=True) if is_legal]))
    return [next(readable) if is_legal else UNREADABLE for is_legal in legal]
