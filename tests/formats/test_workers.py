import os
import time

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import default_workers, ordered_map
from tests.cli.processes import run


def slow_square(number):
    time.sleep(0.02 if number % 3 == 0 else 0)
    return number, number**2, os.getpid()


def fails_at_five(number):
    if number == 5:
        raise InputError("five is wrong")
    return number


def dies(number):
    os._exit(1)


def children():
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        return set(file.read().split())


@pytest.fixture(autouse=True)
def no_process_is_left():
    """Beside those of earlier tests, such as the tracker that Python starts with its first shared memory."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("jobs", [0, 1, 2, 25])
def test_results_are_in_order(workers, jobs):
    with ordered_map(slow_square, range(jobs), workers=workers) as results:
        got = list(results)
    assert [(number, square) for number, square, _ in got] == [(k, k * k) for k in range(jobs)]
    here = {pid for _, _, pid in got} == {os.getpid()}
    assert here == (workers == 1) or not jobs


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_are_taken_as_they_are_needed(workers):
    taken = []

    def jobs():
        for number in range(1000):
            taken.append(number)
            yield number

    with ordered_map(slow_square, jobs(), workers=workers, chunk=2) as results:
        next(results)
        assert len(taken) <= 2 * 3 * workers  # Three chunks per worker are under way.


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_job_raises_comes_out(workers):
    with pytest.raises(InputError, match="^five is wrong$"):
        with ordered_map(fails_at_five, range(100), workers=workers) as results:
            list(results)


def test_what_the_block_raises_ends_the_workers():
    with pytest.raises(KeyboardInterrupt):
        with ordered_map(slow_square, range(1000), workers=2) as results:
            next(results)
            raise KeyboardInterrupt


def test_a_killed_worker_is_one_sentence():
    with pytest.raises(InputError, match="a worker process was killed.*fewer workers"):
        with ordered_map(dies, range(10), workers=2) as results:
            list(results)


def test_at_least_one_worker():
    with pytest.raises(InputError, match="workers must be at least 1, got 0"):
        with ordered_map(slow_square, [1], workers=0):
            pass


def test_default_workers_are_few():
    assert 1 <= default_workers() <= 4
    assert default_workers(most=1) == 1


def threads_of_torch(number):
    import torch

    return torch.get_num_threads()


class TestOneCorePerWorker:
    """Processes share the cores already; a thread per core in each of them would make them slower."""

    def test_where_torch_is_loaded(self):
        torch = pytest.importorskip("torch")
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(3)
            with ordered_map(threads_of_torch, range(4), workers=2) as results:
                assert list(results) == [1] * 4
            with ordered_map(threads_of_torch, [0], workers=1) as results:
                assert list(results) == [3]
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)

    def test_where_a_worker_loads_it(self, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        code = (
            "import sys\n"
            "from panoptic_heuristic.formats.workers import ordered_map\n"
            "def threads(number): import torch; return torch.get_num_threads()\n"
            "with ordered_map(threads, range(4), workers=2) as results: print(list(results))\n"
            "print('torch' in sys.modules)"
        )
        assert run(["-c", code]).stdout.splitlines() == ["[1, 1, 1, 1]", "False"]
