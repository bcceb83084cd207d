"""Label-divisor maps: one integer per pixel that says category and instance, in tensors and in PNGs."""

from panoptic_heuristic.formats.label_divisor.codes import VOID, decode_label_divisor, encode_label_divisor
from panoptic_heuristic.formats.label_divisor.forms import (
    CROWDS,
    FORMS,
    UNLISTED,
    LabelDivisorForm,
    labels_to_panoptic,
    panoptic_to_labels,
)

__all__ = [
    "CROWDS",
    "FORMS",
    "UNLISTED",
    "VOID",
    "LabelDivisorForm",
    "decode_label_divisor",
    "encode_label_divisor",
    "labels_to_panoptic",
    "panoptic_to_labels",
]
