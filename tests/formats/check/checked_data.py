"""Checks the tiny data set, after a test has damaged it in one way, and asks for that one finding and no other."""

from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.check import check_dataset


def check(data, **kwargs):
    # Nothing about the stuff limit, unless asked for: every limit is large in an 8x10 image.
    return check_dataset(read_dataset_yaml(data.yaml), **{"stuff_area_thresh": 0, **kwargs})


def only_problem(data, kind, split="val", **kwargs):
    report = check(data, **kwargs)
    (problem,) = report.problems
    assert (problem.kind, problem.split) == (kind, split)
    assert "\n" not in problem.text
    return problem.text


def only_note(data, kind, split="val", **kwargs):
    report = check(data, **kwargs)
    assert report.problems == ()
    (note,) = report.notes
    assert (note.kind, note.split) == (kind, split)
    assert "\n" not in note.text
    return note.text


def segment(content, place, segment_id):
    (found,) = [s for s in content["annotations"][place]["segments_info"] if s["id"] == segment_id]
    return found
