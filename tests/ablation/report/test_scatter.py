import numpy as np
import pytest

from panoptic_heuristic.ablation.report.scatter import pareto_front


@pytest.mark.parametrize(
    "points, front",
    [
        ([(1, 1)], [0]),
        ([(1, 3), (3, 1), (2, 2), (1, 1)], [0, 2, 1]),
        # Equal in things: only the one better in stuff.
        ([(2, 1), (2, 3)], [1]),
        # Equal in both: the first.
        ([(2, 3), (2, 3)], [0]),
        ([(float("nan"), 9), (1, float("nan")), (0, 0)], [2]),
        ([], []),
        ([(float("nan"), 1)], []),
    ],
)
def test_drawn_fronts(points, front):
    things, stuff = np.array(points, dtype=float).reshape(-1, 2).T
    assert pareto_front(things, stuff).tolist() == front


def test_no_setting_beats_one_on_the_front_and_one_on_it_beats_every_other():
    things, stuff = np.random.default_rng(0).integers(0, 30, size=(2, 400)).astype(float)
    front = pareto_front(things, stuff).tolist()
    assert 1 < len(front) < 40

    def beats(a, b):
        return things[a] >= things[b] and stuff[a] >= stuff[b] and (things[a], stuff[a]) != (things[b], stuff[b])

    assert not any(beats(a, b) for a in range(400) for b in front)
    on_front = {(things[a], stuff[a]) for a in front}
    assert len(on_front) == len(front)
    for other in range(400):
        assert (things[other], stuff[other]) in on_front or any(beats(a, other) for a in front)
    assert things[front].tolist() == sorted(things[front])
