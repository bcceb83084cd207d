"""Label-divisor maps: one integer per pixel that says category and instance, in tensors and in PNGs."""

from panoptic_heuristic.formats.label_divisor.codes import VOID, decode_label_divisor, encode_label_divisor
from panoptic_heuristic.formats.label_divisor.forms import (
    FORMS,
    LabelDivisorForm,
    labels_to_panoptic,
    panoptic_to_labels,
)
from panoptic_heuristic.formats.label_divisor.numbers import (
    CROWDS,
    STUFF_NUMBERS,
    THING_ZERO,
    UNLISTED,
    Fates,
    NumberedPairs,
    pairs_to_segments,
)

__all__ = [
    "CROWDS",
    "FORMS",
    "STUFF_NUMBERS",
    "THING_ZERO",
    "UNLISTED",
    "VOID",
    "Fates",
    "LabelDivisorForm",
    "NumberedPairs",
    "decode_label_divisor",
    "encode_label_divisor",
    "labels_to_panoptic",
    "pairs_to_segments",
    "panoptic_to_labels",
]
