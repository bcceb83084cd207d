"""Annotations whose mask cannot be read: an error, or left out and counted."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.bad_annotations import BadAnnotations, readable_run_ends
from panoptic_heuristic.formats.rle import run_ends
from tests.formats.drawn_results import rle

GOOD = rle("#.. ##.")
BAD = {
    "no polygon": [],
    "two points": [[0, 0, 2, 2]],
    "two points beside a good polygon": [[0, 0, 2, 0, 2, 2], [0, 0, 1, 1]],
    "an odd number of coordinates": [[0, 0, 2, 0, 2, 2, 1]],
    "another size": rle("#. ##"),
    "too few pixels": {"size": [2, 3], "counts": [1, 2]},
    "no mask at all": None,
    "a text": "abc",
}


def name(place):
    return f"annotation {place}"


class TestReadable:
    @pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
    @pytest.mark.parametrize("place", range(5))
    def test_the_bad_one_is_found_wherever_it_is(self, bad, place):
        masks = [GOOD] * 4
        masks.insert(place, bad)
        found, problems = readable_run_ends(masks, 2, 3, name)
        assert list(found) == [k for k in range(5) if k != place]
        for ends in found.values():
            np.testing.assert_array_equal(ends, run_ends([GOOD], 2, 3, name)[0])
        assert len(problems) == 1 and problems[0].startswith(f"annotation {place}")

    def test_any_subset(self):
        rng = np.random.default_rng(0)
        for _ in range(30):
            bad = rng.random(rng.integers(1, 12)) < 0.4
            masks = [list(BAD.values())[rng.integers(len(BAD))] if one else GOOD for one in bad]
            found, problems = readable_run_ends(masks, 2, 3, name)
            assert list(found) == np.flatnonzero(~bad).tolist()
            # In the order of the file, which is what "the first" means.
            assert [int(one.split(":")[0].split()[1]) for one in problems] == np.flatnonzero(bad).tolist()

    def test_none_at_all(self):
        assert readable_run_ends([], 2, 3, name) == ({}, [])

    def test_one_bad_mask_of_many_is_found_by_halving(self, monkeypatch):
        from panoptic_heuristic.formats import bad_annotations

        calls = []
        monkeypatch.setattr(
            bad_annotations, "run_ends", lambda masks, *rest: calls.append(len(masks)) or run_ends(masks, *rest)
        )
        readable_run_ends([*[GOOD] * 500, [], *[GOOD] * 523], 2, 3, name)
        assert sum(calls) < 4 * 1024


class TestCount:
    def test_the_first_is_told(self):
        bad = BadAnnotations("skip")
        assert bad.notes() == []
        assert bad.readable([GOOD, [], GOOD, None], 2, 3, name) == [0, 2]
        assert bad.count == 2
        assert bad.notes() == [
            "note: 2 annotations left out (--bad-annotations skip), the first: annotation 1: expected at least one "
            "polygon, got an empty list"
        ]

    def test_to_fail(self):
        bad = BadAnnotations()
        assert bad.readable([GOOD], 2, 3, name) == [0]
        with pytest.raises(InputError, match="annotation 1: expected at least one polygon.*; --bad-annotations skip"):
            bad.readable([GOOD, [], []], 2, 3, name)
        with pytest.raises(InputError, match="annotation 1 is odd; --bad-annotations skip leaves such annotations out"):
            bad.add("annotation 1 is odd")
        assert bad.count == 0

    def test_another_fate(self):
        with pytest.raises(InputError, match="bad annotations can fail or skip, got 'ignore'"):
            BadAnnotations("ignore")
