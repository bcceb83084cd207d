#!/usr/bin/env python
"""``panoptic-heuristic convert-panoptic``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.convert_panoptic import main

if __name__ == "__main__":
    sys.exit(main())
