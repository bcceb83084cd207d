#!/usr/bin/env python
"""``panoptic-heuristic prepare-camvid-panoptic``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.prepare_camvid_panoptic import main

if __name__ == "__main__":
    sys.exit(main())
