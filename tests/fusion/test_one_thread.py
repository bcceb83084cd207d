import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.fusion import Greedy, InstanceSet, SemanticMap, fuse
from panoptic_heuristic.fusion.one_thread import one_thread


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_block_has_one_and_leaves_what_was_there():
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


def test_an_error_leaves_what_was_there():
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


def test_threads_whose_blocks_overlap_leave_what_was_there():
    """Each begins before the other ends, in a thread that has not met PyTorch before."""
    meet = threading.Barrier(2)

    def work():
        with one_thread():
            meet.wait(10)
            inside = torch.get_num_threads()
            meet.wait(10)
        return inside, torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        assert [one.result(10) for one in [pool.submit(work), pool.submit(work)]] == [(1, 3), (1, 3)]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result(10) == 3
    assert torch.get_num_threads() == 3


def test_fusing_is_on_one(monkeypatch):
    seen = []
    claim = Greedy.claim
    monkeypatch.setattr(Greedy, "claim", lambda *args: (seen.append(torch.get_num_threads()), claim(*args))[1])
    categories = Categories.from_lists(things=["cat"], stuff=["sky"])
    instances = InstanceSet.from_bitmaps(np.ones((1, 4, 4), dtype=bool), [0.9], [1])
    fuse(instances, SemanticMap(np.zeros((4, 4), dtype=int), {0: 2}), categories)
    assert seen == [1] and torch.get_num_threads() == 3
    with pytest.raises(InputError):
        fuse(instances, SemanticMap(np.zeros((4, 5), dtype=int), {0: 2}), categories)
    assert torch.get_num_threads() == 3
