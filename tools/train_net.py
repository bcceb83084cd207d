#!/usr/bin/env python
"""``panoptic-heuristic train-net``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.train_net import main

if __name__ == "__main__":
    sys.exit(main())
