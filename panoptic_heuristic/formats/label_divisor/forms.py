"""Panoptic maps as the values of label-divisor PNGs, crowds included.

Two forms are in use. Both number the things of a category and give stuff no number:

    form        stuff            the k-th thing (k = 1, 2, ...)    crowd of a thing category
    plain       c * divisor      c * divisor + k                   c * divisor
    cityscapes  c                c * divisor + k - 1               c

"plain" is that of DeepLab2, which keeps instance 0 of a thing for its crowd; "cityscapes" is that of
Cityscapes' instanceIds. Either holds one crowd per category and image.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.label_divisor import VOID, decode_label_divisor, encode_label_divisor

FORMS = ("plain", "cityscapes")
CROWDS = ("keep", "void", "fail")
UNLISTED = ("fail", "void")


@dataclass(frozen=True)
class LabelDivisorForm:
    """The rule by which segments become values.

    Attributes:
        label_divisor: values per category, at least 2.
        void: the value of void pixels, >= 0.
        form: one of :data:`FORMS`.
        crowds: the fate of crowds: "keep" them as the table above says, make them "void", or
            "fail".
        unlisted: values of a category that the data set lacks "fail" or are "void". Cityscapes
            has many labels that are not evaluated.

    Raises:
        InputError: a value is out of its range.
    """

    label_divisor: int
    void: int
    form: str = "plain"
    crowds: str = "keep"
    unlisted: str = "fail"

    def __post_init__(self):
        if self.label_divisor < 2:
            raise InputError(f"label_divisor must be at least 2, got {self.label_divisor}")
        if self.void < 0:
            raise InputError(f"void must be at least 0, since PNGs hold nothing else, got {self.void}")
        for name, choices in (("form", FORMS), ("crowds", CROWDS), ("unlisted", UNLISTED)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")


def panoptic_to_labels(
    ids: np.ndarray,
    segments_info: Sequence[Mapping[str, Any]],
    categories: Categories,
    form: LabelDivisorForm,
) -> np.ndarray:
    """Writes a panoptic map as label-divisor values.

    Args:
        ids: (H, W) integers; 0 is void, every other id is listed in ``segments_info``.
        segments_info: dicts with ``id``, ``category_id`` (dataset ids) and ``iscrowd``. Things of
            a category are numbered in the order of this list.
        categories: the data set's categories.
        form: how segments become values.

    Returns:
        (H, W) int64, each >= 0.

    Raises:
        InputError: the form cannot hold the segments: a crowd where ``crowds`` is "fail", two
            crowds or two stuff segments of one category, more things than the divisor numbers, or
            ``void`` is the value of a segment.
    """
    ids, kept = np.asarray(ids), []
    crowds = [segment for segment in segments_info if segment.get("iscrowd", 0)]
    _check_crowds(crowds, categories, form)
    if form.crowds == "void":
        ids = np.where(np.isin(ids, [segment["id"] for segment in crowds]), 0, ids)
    else:
        # A crowd has no number, as stuff has none. It must come before the things of its category.
        kept = [{**segment, "isthing": False} for segment in crowds]
    kept += [
        {**segment, "isthing": categories[segment["category_id"]].isthing}
        for segment in segments_info
        if not segment.get("iscrowd", 0)
    ]
    # In "cityscapes" things count from 0, and so one more fits: that is divisor + 1 in the plain form.
    bare = form.form == "cityscapes"
    plain_divisor = form.label_divisor + bare
    codes, inverse = np.unique(
        encode_label_divisor(ids, kept, plain_divisor, void=VOID), return_inverse=True
    )
    is_void = codes == VOID
    category_ids, instances = np.divmod(codes, plain_divisor)
    if bare:
        _check_bare(category_ids[~is_void], instances[~is_void], form.label_divisor)
        codes = np.where(instances == 0, category_ids, category_ids * form.label_divisor + instances - 1)
    clash = (codes == form.void) & ~is_void
    if clash.any():
        category = int(category_ids[clash][0])
        raise InputError(f"void is {form.void}, which is also the value of category {category}; choose another void")
    codes[is_void] = form.void
    return codes[inverse.reshape(ids.shape)]


def labels_to_panoptic(
    labels: np.ndarray, categories: Categories, form: LabelDivisorForm
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """Reads label-divisor values back into a panoptic map.

    Args:
        labels: (H, W) integers >= 0.
        categories: the data set's categories.
        form: how segments became values.

    Returns:
        (H, W) int32 segment ids, 0 for void and 1 to n without gaps, and their
        ``segments_info``: dicts with ``id``, ``category_id`` and ``iscrowd``.

    Raises:
        InputError: a value means a category the data set lacks or a stuff instance, or there is a
            crowd where ``crowds`` is "fail".
    """
    labels = np.asarray(labels)
    codes, inverse = np.unique(labels, return_inverse=True)
    is_void = codes == form.void
    bare, plain_divisor = form.form == "cityscapes", form.label_divisor
    if bare:
        plain_divisor += 1
        category_ids, instances = np.divmod(codes, form.label_divisor)
        numbered = codes >= form.label_divisor
        codes = np.where(numbered, category_ids * plain_divisor + instances + 1, codes * plain_divisor)
    category_ids, instances = np.divmod(codes, plain_divisor)
    unlisted = ~np.isin(category_ids, list(categories)) & ~is_void
    if unlisted.any() and form.unlisted == "fail":
        value = int(np.unique(labels)[unlisted][0])
        raise InputError(
            f"the map holds {value}, which means category {category_ids[unlisted][0]}, and that is not among the "
            f"categories; are label_divisor {form.label_divisor} and void {form.void} right?"
        )
    is_void |= unlisted
    things = [category.id for category in categories.things]
    is_crowd = np.isin(category_ids, things) & (instances == 0) & ~is_void
    if is_crowd.any() and form.crowds == "fail":
        raise InputError(f"the map holds a crowd of category {category_ids[is_crowd][0]}, and crowds are to fail")
    rest = np.where(is_void | is_crowd, VOID, codes)
    # Decoding the values that occur is decoding the map.
    ids, segments = decode_label_divisor(rest, plain_divisor, things, void=VOID)
    entries = [{"id": one["id"], "category_id": one["category_id"], "iscrowd": 0} for one in segments]
    if form.crowds == "keep":
        for place in np.flatnonzero(is_crowd).tolist():
            ids[place] = len(entries) + 1
            entries.append({"id": int(ids[place]), "category_id": int(category_ids[place]), "iscrowd": 1})
    return ids[inverse.reshape(labels.shape)], entries


def _check_crowds(crowds: Sequence[Mapping[str, Any]], categories: Categories, form: LabelDivisorForm) -> None:
    seen = set()
    for segment in crowds:
        category_id = segment["category_id"]
        if not categories[category_id].isthing:
            raise InputError(f"segment {segment['id']} of stuff category {category_id} is a crowd; only things can be")
        if form.crowds == "fail":
            raise InputError(f"segment {segment['id']} of category {category_id} is a crowd, and crowds are to fail")
        if form.crowds == "keep" and category_id in seen:
            raise InputError(
                f"category {category_id} has several crowd segments, of which a label-divisor map holds one"
            )
        seen.add(category_id)


def _check_bare(category_ids: np.ndarray, instances: np.ndarray, label_divisor: int) -> None:
    """In "cityscapes" a bare category must not look like a numbered thing, or the reverse."""
    if (category_ids >= label_divisor).any():
        raise InputError(
            f"category {category_ids.max()} is not below label_divisor {label_divisor}, as the form cityscapes needs"
        )
    if ((category_ids == 0) & (instances > 0)).any():
        raise InputError("things of category 0 have no value of their own in the form cityscapes; use the form plain")
