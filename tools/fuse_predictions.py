#!/usr/bin/env python
"""``panoptic-heuristic fuse-predictions``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.fuse_predictions import main

if __name__ == "__main__":
    sys.exit(main())
