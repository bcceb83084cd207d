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
from panoptic_heuristic.formats.label_divisor.codes import VOID, encode_label_divisor
from panoptic_heuristic.formats.label_divisor.numbers import Fates, NumberedPairs, pairs_to_segments
from panoptic_heuristic.formats.runs import numbered_segments

FORMS = ("plain", "cityscapes")


@dataclass(frozen=True)
class LabelDivisorForm:
    """The rule by which segments become values.

    Attributes:
        label_divisor: values per category, at least 2.
        void: the value of void pixels, >= 0.
        form: one of :data:`FORMS`.
        crowds, unlisted, stuff_numbers, thing_zero: as in :class:`Fates`. Crowds that are kept are
            written as the table above says.

    Raises:
        InputError: a value is out of its range.
    """

    label_divisor: int
    void: int
    form: str = "plain"
    crowds: str = "keep"
    unlisted: str = "fail"
    stuff_numbers: str = "fail"
    thing_zero: str = "crowd"

    def __post_init__(self):
        if self.label_divisor < 2:
            raise InputError(f"label_divisor must be at least 2, got {self.label_divisor}")
        if self.void < 0:
            raise InputError(f"void must be at least 0, since PNGs hold nothing else, got {self.void}")
        if self.form not in FORMS:
            raise InputError(f"form must be one of {', '.join(FORMS)}, got {self.form!r}")
        _ = self.fates

    @property
    def fates(self) -> Fates:
        """The fates of numbers that the form leaves open."""
        return Fates(self.crowds, self.unlisted, self.stuff_numbers, self.thing_zero)

    def read(self, values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """The category and the instance that values mean.

        Args:
            values: integers >= 0; the meaning of void's is undefined.

        Returns:
            the category ids, and the instances counted from 1, with 0 for no instance number.
        """
        category_ids, numbers = np.divmod(values, self.label_divisor)
        if self.form == "plain":
            return category_ids, numbers
        bare = values < self.label_divisor
        return np.where(bare, values, category_ids), np.where(bare, 0, numbers + 1)


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
        InputError: a value means a category the data set lacks, a stuff instance, a thing without
            a number or a crowd, where the form says that such is to fail.
    """
    values, place = numbered_segments(np.asarray(labels))
    category_ids, numbers = form.read(values)
    advice = f"are label_divisor {form.label_divisor} and void {form.void} right?"
    if form.form != "plain":
        advice = f"are label_divisor {form.label_divisor}, form {form.form} and void {form.void} right?"
    pairs = NumberedPairs(category_ids, numbers, values == form.void, lambda k: str(values[k]), advice)
    ids, entries = pairs_to_segments(pairs, categories, form.fates)
    return ids[place], entries


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
