#!/usr/bin/env python
"""``panoptic-heuristic prepare-ade20k-panoptic``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.prepare_ade20k_panoptic import main

if __name__ == "__main__":
    sys.exit(main())
