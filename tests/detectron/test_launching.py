import argparse
import multiprocessing
import signal
import time

import pytest
import torch

from panoptic_heuristic.detectron import launching
from panoptic_heuristic.errors import InputError


def run(args):
    args.seen.append(args)


def options(**values):
    common = {"num_gpus": 1, "num_machines": 2, "machine_rank": 1, "dist_url": "tcp://first:1", "num_cpu_processes": 1}
    return argparse.Namespace(**{**common, **values})


@pytest.fixture
def launched(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(launching, "launch", lambda *args, **named: calls.append(("launch", args, named)))
    monkeypatch.setattr(launching, "launch_on_cpu", lambda *args: calls.append(("launch_on_cpu", args)))
    return calls


def test_detectron2_gets_its_own_options(launched):
    args = options(num_gpus=8)
    launching.launch_processes(run, args)
    named = {"num_machines": 2, "machine_rank": 1, "dist_url": "tcp://first:1", "args": (args,)}
    assert launched == [("launch", (run, 8), named)]


@pytest.mark.parametrize(
    "there, advice", [(0, "leave it out, and add MODEL.DEVICE cpu"), (7, "--num-gpus 7 takes all")]
)
def test_more_processes_than_gpus_are_refused(launched, monkeypatch, there, advice):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    message = f"^--num-gpus is 8, but the number of GPUs here is {there}; {advice}$"
    with pytest.raises(InputError, match=message):
        launching.launch_processes(run, options(num_gpus=8, num_machines=1))
    assert launched == []


def test_several_processes_on_the_cpu_go_first(launched):
    args = options(num_cpu_processes=2)
    launching.launch_processes(run, args)
    assert launched == [("launch_on_cpu", (run, 2, (args,)))]


def test_one_process_is_this_one():
    args = options(num_machines=1, machine_rank=0, seen=[])
    launching.launch_processes(run, args)
    assert args.seen == [args]


def sleep(args):
    time.sleep(60)


def test_who_is_stopped_stops_the_processes_that_it_started(monkeypatch):
    process = multiprocessing.get_context("spawn").Process(target=sleep, args=(None,))

    def stopped(*_):
        process.start()
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "launch_on_cpu", stopped)
    with pytest.raises(KeyboardInterrupt):
        launching.launch_processes(run, options(num_cpu_processes=2))
    process.join(timeout=10)
    assert process.exitcode == -signal.SIGTERM
