#!/usr/bin/env python
"""``panoptic-heuristic generate-shapes``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.generate_shapes import main

if __name__ == "__main__":
    sys.exit(main())
