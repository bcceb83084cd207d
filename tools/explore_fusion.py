#!/usr/bin/env python
"""``panoptic-heuristic explore-fusion``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.explore_fusion import main

if __name__ == "__main__":
    sys.exit(main())
