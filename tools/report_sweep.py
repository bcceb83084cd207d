#!/usr/bin/env python
"""``panoptic-heuristic report-sweep``, for who works in a clone; ``--help`` says what it does."""

import sys

from panoptic_heuristic.cli.report_sweep import main

if __name__ == "__main__":
    sys.exit(main())
