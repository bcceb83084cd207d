"""Starts the processes that a command's options ask for."""

import argparse
import multiprocessing
from typing import Callable

from detectron2.engine import launch

from panoptic_heuristic.detectron.compat import launch_on_cpu
from panoptic_heuristic.detectron.readiness import check_gpus


def launch_processes(run: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Runs a function in one process per GPU of all machines, or in several on the CPU, or in this one.

    Args:
        run: a function of a module; what it returns is lost.
        args: passed to it. Read are Detectron2's own options ``num_gpus``, ``num_machines``, ``machine_rank`` and
            ``dist_url``, and ``num_cpu_processes``, which goes first if it is above 1.

    Raises:
        InputError: this machine has fewer GPUs.
    """
    try:
        _launch(run, args)
    except KeyboardInterrupt:
        # Python would wait for them before it ends; of SIGTERM they know nothing.
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def _launch(run: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    if args.num_cpu_processes > 1:
        launch_on_cpu(run, args.num_cpu_processes, (args,))
        return
    if args.num_gpus * args.num_machines > 1:
        check_gpus(args.num_gpus)
    launch(
        run,
        args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        args=(args,),
    )
