#!/usr/bin/env python
"""``panoptic-heuristic evaluate-pq``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.evaluate_pq import main

if __name__ == "__main__":
    sys.exit(main())
