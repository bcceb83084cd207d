"""Jobs behind the caller: their order, how many are under way, and what goes wrong. Events tell, not clocks."""

import threading

import pytest
import torch

from panoptic_heuristic.detectron.background import Background
from panoptic_heuristic.errors import InputError

# So long only a test that fails waits.
LONG = 30


def test_jobs_are_done_in_order_in_one_other_thread():
    done, threads = [], set()

    def job(number):
        done.append(number)
        threads.add(threading.current_thread())

    with Background("test") as background:
        for number in range(20):
            background.add(lambda number=number: job(number))
    assert done == list(range(20))
    assert len(threads) == 1 and threading.current_thread() not in threads


def test_the_caller_goes_on_and_waits_with_the_third_job():
    gates, added = [threading.Event() for _ in range(3)], threading.Event()
    done = []

    def job(number):
        assert gates[number].wait(LONG)
        done.append(number)

    with Background("test") as background:
        background.add(lambda: job(0))
        background.add(lambda: job(1))
        assert done == []

        def add_third():
            background.add(lambda: job(2))
            added.set()

        third = threading.Thread(target=add_third)
        third.start()
        assert not added.wait(0.05)
        gates[0].set()
        assert added.wait(LONG)
        third.join()
        for gate in gates:
            gate.set()
    assert done == [0, 1, 2]


def test_an_error_is_raised_by_the_next_job_and_ends_the_work():
    done, failed = [], threading.Event()

    def fail():
        failed.set()
        raise InputError("the disk is full")

    with pytest.raises(InputError, match="^the disk is full$"), Background("test") as background:
        background.add(fail)
        assert failed.wait(LONG)
        for number in range(3):
            background.add(lambda number=number: done.append(number))
    assert done == []


def test_an_error_of_the_last_job_is_raised_at_the_end():
    def fail():
        raise InputError("the disk is full")

    background = Background("test")
    background.add(fail)
    with pytest.raises(InputError, match="^the disk is full$"):
        background.finish()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, InputError])
def test_an_interruption_lets_the_job_under_way_end_and_gives_up_the_next(interruption):
    begun, gate, done = threading.Event(), threading.Event(), []

    def job():
        begun.set()
        assert gate.wait(LONG)
        done.append("first")

    with pytest.raises(interruption), Background("test") as background:
        background.add(job)
        background.add(lambda: done.append("second"))
        assert begun.wait(LONG)
        threading.Timer(0.05, gate.set).start()
        raise interruption
    assert done == ["first"]


def test_jobs_know_no_gradients_and_pytorch_keeps_its_number_of_threads():
    before, weights, seen = torch.get_num_threads(), torch.ones(1, requires_grad=True), []
    with Background("test") as background:
        background.add(lambda: seen.append((weights * 2).requires_grad))
        background.add(lambda: seen.append(torch.get_num_threads()))
        assert torch.get_num_threads() == before
    assert seen == [False, before] and torch.get_num_threads() == before
