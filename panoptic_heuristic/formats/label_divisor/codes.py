"""Label-divisor maps: one integer per pixel, dataset category id * label_divisor + instance.

Instances count from 1 per category, stuff has instance 0, void is a value of its own
(-1 in tensors), since stuff of category 0 encodes to 0. The scheme is that of Cityscapes and
Panoptic-DeepLab; errors stand where their code wraps around.
"""

from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.runs import numbered_segments

VOID = -1


def encode_label_divisor(
    panoptic_seg: np.ndarray,
    segments_info: Sequence[Mapping[str, Any]],
    label_divisor: int,
    *,
    void: int = VOID,
    dtype: Any = np.int64,
) -> np.ndarray:
    """Writes a panoptic map as one integer per pixel.

    Args:
        panoptic_seg: (H, W) integers, or some of a map's ids, of any shape; 0 is void, every other id is listed in
            ``segments_info``.
        segments_info: dicts with ``id``, ``isthing`` and ``category_id`` (dataset ids). Things of
            a category are numbered from 1 in the order of this list.
        label_divisor: at least 1 (2 if there is a thing): the number of values per category.
        void: the value of void pixels; must differ from every code.
        dtype: integer type of the result.

    Returns:
        (H, W) of ``dtype``.

    Raises:
        InputError: a category has more instances than ``label_divisor - 1``, a stuff category
            or a segment id occurs twice, a value does not fit ``dtype``, ``void`` collides with a
            code, or the map holds an id that is not listed.
    """
    _check_divisor(label_divisor)
    ids = np.asarray(panoptic_seg)
    if not np.issubdtype(ids.dtype, np.integer):
        raise InputError(f"a panoptic map holds integers, got {ids.dtype}")
    code_of_id = _codes(segments_info, label_divisor)
    code_of_id[0] = void
    limits = np.iinfo(dtype)
    for segment_id, code in code_of_id.items():
        if segment_id and code == void:
            raise InputError(
                f"void is {void}, but segment {segment_id} encodes to the same value; choose another void"
            )
        if not limits.min <= code <= limits.max:
            what = f"segment {segment_id}" if segment_id else "void"
            raise InputError(
                f"{what} encodes to {code}, which does not fit {np.dtype(dtype).name}; "
                f"use a wider type or a smaller label_divisor than {label_divisor}"
            )
    present, place = numbered_segments(ids)
    unlisted = [int(i) for i in present if int(i) not in code_of_id]
    if unlisted:
        raise InputError(f"the map holds the ids {unlisted[:5]}, which segments_info does not list")
    return np.array([code_of_id[int(i)] for i in present], dtype=dtype)[place]


def decode_label_divisor(
    label_map: np.ndarray, label_divisor: int, things: Sequence[int], *, void: int = VOID
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """Reads a label-divisor map back into a panoptic map.

    Args:
        label_map: (H, W) integers, dataset category id * label_divisor + instance, or ``void``.
        label_divisor: the divisor it was written with, at least 1.
        things: dataset ids of the thing categories; every other category is stuff.
        void: the value of void pixels.

    Returns:
        ``panoptic_seg`` (H, W) int32 with 0 for void and ids 1 to n in the order of the codes,
        and ``segments_info``: dicts with ``id``, ``isthing``, ``category_id`` and ``area``.

    Raises:
        InputError: a value other than void is negative, a thing has instance 0, or a stuff
            category has an instance number.
    """
    _check_divisor(label_divisor)
    labels = np.asarray(label_map)
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"a label-divisor map holds integers, got {labels.dtype}")
    codes, inverse, areas = np.unique(labels, return_inverse=True, return_counts=True)
    thing_ids = set(things)
    ids = np.zeros(len(codes), dtype=np.int32)
    segments_info: List[Dict[str, Any]] = []
    for place, (code, area) in enumerate(zip(codes.tolist(), areas.tolist(), strict=True)):
        if code == void:
            continue
        if code < 0:
            raise InputError(f"the map holds {code}, which is neither void ({void}) nor a code >= 0")
        category_id, instance = divmod(code, label_divisor)
        isthing = category_id in thing_ids
        if isthing != (instance > 0):
            kind, expected = ("a thing", "counts from 1") if isthing else ("stuff", "must be 0")
            raise InputError(
                f"code {code} is category {category_id}, instance {instance}, but category {category_id} "
                f"is {kind}, whose instance number {expected}; is label_divisor {label_divisor} right?"
            )
        ids[place] = len(segments_info) + 1
        segments_info.append(
            {"id": int(ids[place]), "isthing": isthing, "category_id": category_id, "area": area}
        )
    return ids[inverse.reshape(labels.shape)], segments_info


def _check_divisor(label_divisor: int) -> None:
    integer = isinstance(label_divisor, (int, np.integer)) and not isinstance(label_divisor, bool)
    if not integer or label_divisor < 1:
        raise InputError(f"label_divisor must be an integer >= 1, got {label_divisor!r}")


def _codes(segments_info: Sequence[Mapping[str, Any]], label_divisor: int) -> Dict[int, int]:
    code_of_id: Dict[int, int] = {}
    last_instance: Dict[int, int] = {}
    for segment in segments_info:
        category_id = int(segment["category_id"])
        instance = 0
        if segment["isthing"]:
            instance = last_instance.get(category_id, 0) + 1
            if instance >= label_divisor:
                raise InputError(
                    f"category {category_id} has more than {label_divisor - 1} instances, "
                    f"the most that label_divisor {label_divisor} can number"
                )
        elif category_id in last_instance:
            raise InputError(f"stuff category {category_id} occurs twice in segments_info")
        segment_id = int(segment["id"])
        if segment_id == 0:
            raise InputError("segments_info lists segment id 0, which is void")
        if segment_id in code_of_id:
            raise InputError(f"segment id {segment_id} occurs twice in segments_info")
        last_instance[category_id] = instance
        code_of_id[segment_id] = category_id * label_divisor + instance
    return code_of_id
