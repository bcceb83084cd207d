"""The mark of tests that need the compiled kernels; the fixture ``kernels`` runs a test with and without them."""

import pytest

from panoptic_heuristic import native

needs_kernels = pytest.mark.skipif(not native.are_there(), reason="the kernels are not built: pip install -e .")
