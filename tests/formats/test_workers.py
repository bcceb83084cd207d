import gc
import os
import signal
import time
from pathlib import Path

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import default_workers, ordered_map
from tests.cli.processes import needs_proc, run, start


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


def frozen(_):
    return gc.get_freeze_count()


def test_what_workers_share_is_left_alone_by_the_search_for_garbage_while_they_work():
    with ordered_map(frozen, range(4), workers=2) as results:
        assert min(results) > 10_000
    assert gc.get_freeze_count() == 0


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


def alive(pid):
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


HALF_WRITTEN = """
import os, sys, time
from pathlib import Path
from panoptic_heuristic.formats.files import written_whole
from panoptic_heuristic.formats.workers import ordered_map

def write(number):
    with written_whole(Path(sys.argv[1], f"{number}.txt")) as temporary:
        temporary.write_text("half")
        os.write(1, f"{os.getpid()}{os.linesep}".encode())
        time.sleep(0 if number == 0 else 60)

with ordered_map(write, range(5), workers=3, chunk=1) as results:
    list(results)
"""


@needs_proc
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_workers_end_with_their_parent_and_leave_nothing_half_written(tmp_path, stop):
    process = start(["-c", HALF_WRITTEN, tmp_path])
    # One job is done, so that a worker is at its second; one may wait for a job.
    workers = {int(process.stdout.readline()) for _ in range(4)}
    process.send_signal(stop)
    process.wait(timeout=10)
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    assert [path.name for path in tmp_path.iterdir()] == ["0.txt"]
