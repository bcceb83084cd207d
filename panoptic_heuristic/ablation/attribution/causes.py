"""The causes of errors, and what is known of each missed segment and each false positive."""

from typing import Dict, NamedTuple, Optional

MISSED_THING, MISSED_STUFF, FALSE_THING, FALSE_STUFF = "missed_thing", "missed_stuff", "false_thing", "false_stuff"


class Cause(NamedTuple):
    """A reason why a segment was missed, or is false.

    Attributes:
        title: for people.
        oracle: the one of :mod:`panoptic_heuristic.ablation.attribution.oracles` that is about the cause, or
            None.
    """

    title: str
    oracle: Optional[str]


GROUPS = {
    MISSED_THING: "missed things",
    MISSED_STUFF: "missed stuff",
    FALSE_THING: "false things",
    FALSE_STUFF: "false stuff",
}
"""The groups of errors, and what people call them: ground-truth segments without a match, and false positives."""

CAUSES: Dict[str, Dict[str, Cause]] = {
    MISSED_THING: {
        "score": Cause("right instance, score below the threshold", "acceptance"),
        "overlap": Cause("right instance, rejected for overlap", "acceptance"),
        "covered": Cause("right instance, wholly covered", "acceptance"),
        "otherwise": Cause("right instance, dropped by another rule", "acceptance"),
        "used": Cause("right instance, matched another segment", "order"),
        "starved": Cause("right instance, kept with too few pixels", "order"),
        "wrong_category": Cause("right mask, wrong category", "category"),
        "poor_mask": Cause("right category, poor mask", None),
        "not_detected": Cause("not detected", None),
    },
    MISSED_STUFF: {
        "stuff_area": Cause("right labels, under the area limit", None),
        "false_things": Cause("right labels, lost to false things (holes)", "acceptance"),
        "right_things": Cause("right labels, lost to right things", "masks"),
        "otherwise": Cause("right labels, dropped or moved by another rule", None),
        "poor_labels": Cause("poor labels", "semantics"),
        "wrong_labels": Cause("wrong labels", "semantics"),
    },
    FALSE_THING: {
        "duplicate": Cause("duplicate", "acceptance"),
        "starved": Cause("right instance, kept with too few pixels", "order"),
        "wrong_category": Cause("right mask, wrong category", "category"),
        "poor_mask": Cause("right category, poor mask", "acceptance"),
        "sliver": Cause("sliver, under 0.1 % of the image", "acceptance"),
        "background": Cause("background", "acceptance"),
    },
    FALSE_STUFF: {
        "starved": Cause("right labels, too many lost to things", "acceptance"),
        "wrong_category": Cause("labels of another category's segment", "semantics"),
        "poor_labels": Cause("poor labels", "semantics"),
        "sliver": Cause("sliver, under 0.1 % of the image", "semantics"),
        "background": Cause("background", "semantics"),
    },
}
"""The causes of each group. Of several that apply an error has the first.

Missed things. A *right instance* has the category and, before fusing, an IoU above 0.5; of several the one with the
highest score counts.
    score, overlap, covered: what it was dropped for; score is any threshold on what ranks instances, and a score that
        is not finite is one below it.
    otherwise: it was dropped for anything else, such as by nms or a veto.
    used: it was kept, and with what it kept it matches another ground-truth segment.
    starved: it was kept, and matches nothing with what better instances left it.
    wrong_category: an instance of another category has an IoU above 0.5.
    poor_mask: an instance of the category has an IoU above 0.1.
    not_detected: none has.

Missed stuff. The *labels are right* if those of its category have an IoU above 0.5 before fusing.
    stuff_area: too few of its labels' pixels were free.
    false_things: of the right labels that things took, those that are false positives took more than half.
    right_things: they did not.
    otherwise: it was dropped for anything else, or what things left of its labels would match, had no rule moved them.
    poor_labels: the labels of its category have an IoU above 0.1.
    wrong_labels: they have not.

False positives. Things count with their masks, stuff with all its labels, and both also with the pixels they kept
where that is said.
    duplicate: an IoU above 0.5 with a segment of its category that another instance matches.
    starved: the same with a segment that was missed.
    wrong_category: an IoU above 0.5 with a segment of another category, also with what it kept.
    poor_mask, poor_labels: an IoU above 0.1 with a segment of its category, also with what it kept.
    sliver: it kept less than 0.1 % of the image.
    background: anything else.

Crowds are no segments here. An IoU is that of PQ: the prediction's pixels on void do not count.
"""


class Counterpart(NamedTuple):
    """Somebody an error is due to.

    Attributes:
        kind: ``instance``, ``gt`` (a ground-truth segment) or ``label`` (a category of the semantic head).
        id: the instance's place in the input, the segment's id, or the category's.
        category_id: of it, a dataset id.
    """

    kind: str
    id: int
    category_id: int


class SegmentError(NamedTuple):
    """A missed ground-truth segment or a false positive.

    Attributes:
        group: a key of :data:`CAUSES`.
        cause: a key of that group.
        segment_id: in the ground truth if missed, in the fused map if false.
        category_id: of the segment, a dataset id.
        area: pixels of the ground-truth segment, or those the false positive has.
        intersection, union: of what decided the cause: their ratio is the IoU.
        instance_id: the instance concerned, its place in the input; None if there is none.
        score: of that instance.
        by: whom it is due to: who took the pixels, who matched the segment, what else is there; None if nobody.
    """

    group: str
    cause: str
    segment_id: int
    category_id: int
    area: int
    intersection: int
    union: int
    instance_id: Optional[int] = None
    score: Optional[float] = None
    by: Optional[Counterpart] = None

    @property
    def iou(self) -> float:
        """0 to 1."""
        return self.intersection / self.union if self.union else 0.0

