#!/usr/bin/env python
"""``panoptic-heuristic visualize-panoptic``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.visualize_panoptic import main

if __name__ == "__main__":
    sys.exit(main())
