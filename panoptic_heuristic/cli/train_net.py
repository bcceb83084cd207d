"""Trains and evaluates a Panoptic FPN with configurable fusion.

The options are those of Detectron2's own train_net.py.
"""

import argparse
from typing import List, Optional, Set

from panoptic_heuristic.cli.arguments import CommandParser, add_register_argument, register_data_sets, whole_number
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.files import check_writable, writing_to
from panoptic_heuristic.formats.packaged import config_path

_EXAMPLES = """\
examples:
  train on a data set of one's own with 8 GPUs, starting from the config's weights:
  panoptic-heuristic train-net --num-gpus 8 \\
      --config-file COCO-PanopticSegmentation/panoptic_heuristic_fpn_R_50_1x.yaml \\
      DATASETS.PANOPTIC_YAML balloons.yaml DATASETS.TRAIN '("balloons_train",)' DATASETS.TEST '("balloons_val",)'

  the same on data sets that your own Python registers:
  panoptic-heuristic train-net --register my_datasets.py --config-file my_config.yaml

  evaluate a checkpoint with other thresholds, and keep the predictions as PNGs and JSON:
  panoptic-heuristic train-net --eval-only --config-file output/config.yaml MODEL.WEIGHTS output/model_best.pth \\
      MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH 0.7 TEST.KEEP_PANOPTIC_PREDICTIONS True
"""


def build_parser() -> argparse.ArgumentParser:
    """Detectron2's options, the number of CPU processes, and data sets of one's own."""
    import panoptic_heuristic.detectron  # noqa: F401, I001  first: it makes Detectron2 importable
    from detectron2.engine import default_argument_parser

    parser = CommandParser(__doc__, _EXAMPLES, parents=[default_argument_parser()], add_help=False)
    parser.add_argument(
        "--num-cpu-processes", type=whole_number(1), default=1, help="processes that share an evaluation on the CPU"
    )
    add_register_argument(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Trains or evaluates in this process, one of possibly many."""
    from detectron2.engine import default_setup
    from detectron2.evaluation import verify_results
    from detectron2.utils import comm

    from panoptic_heuristic.detectron import trainer
    from panoptic_heuristic.detectron.config import reference_schedule

    cfg = set_up_config(args, distributed_rank=comm.get_rank())
    with writing_to(cfg.OUTPUT_DIR):
        default_setup(cfg, args)
    trainer.log_fusion(cfg)
    if args.eval_only:
        results = trainer.evaluate(cfg, resume=args.resume)
        if comm.is_main_process():
            verify_results(cfg, results)
    else:
        trainer.warn_about_learning_rate(cfg, reference_schedule(args.config_file, args.opts))
        trainer.train(cfg, resume=args.resume)


def set_up_config(args: argparse.Namespace, distributed_rank: int = 0):
    """The frozen config that the options ask for; its data set is registered."""
    from panoptic_heuristic.detectron import load_config
    from panoptic_heuristic.detectron.logs import logged_later, start_log

    register_data_sets(args.register)
    cfg, explicit = load_config(args.config_file, args.opts)
    with logged_later():
        _check(cfg, explicit, args)
        # Only now, so that a command that is refused leaves no folder and no log.
        start_log(cfg.OUTPUT_DIR, distributed_rank)
    cfg.freeze()
    return cfg


def _check(cfg, explicit: Set[str], args: argparse.Namespace) -> None:
    """Registers the data sets of a config, completes it, and raises what is wrong before anything is written."""
    from panoptic_heuristic.detectron.complete_config import complete_config
    from panoptic_heuristic.detectron.evaluation import check_evaluation
    from panoptic_heuristic.detectron.model_keys import pipeline_in_force
    from panoptic_heuristic.detectron.trainer import check_evaluating, check_training

    splits = ("TEST",) if args.eval_only else ("TRAIN", "TEST")
    complete_config(cfg, explicit, splits, resume=args.resume, needs_weights=args.eval_only)
    check_writable(cfg.OUTPUT_DIR)
    for name in cfg.DATASETS.TEST:
        check_evaluation(cfg, name)
    pipeline_in_force(cfg)
    (check_evaluating if args.eval_only else check_training)(cfg)


@command
def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = build_parser().parse_args(argv)
    if not args.config_file:
        raise InputError("--config-file is needed; see --help")
    # Detectron2 opens it as it is, for its log.
    args.config_file = str(config_path(args.config_file))
    if args.num_cpu_processes > 1 and not args.eval_only:
        raise InputError("--num-cpu-processes shares an evaluation; training in several processes needs --num-gpus")

    from panoptic_heuristic.detectron.launching import launch_processes
    from panoptic_heuristic.detectron.logs import drop_full_logs

    # Before there are several processes, for one sentence.
    register_data_sets(args.register)
    try:
        launch_processes(run, args)
    finally:
        drop_full_logs()
    return 0
