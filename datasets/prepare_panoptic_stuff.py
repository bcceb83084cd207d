#!/usr/bin/env python
"""``panoptic-heuristic prepare-panoptic-stuff``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.prepare_panoptic_stuff import main

if __name__ == "__main__":
    sys.exit(main())
