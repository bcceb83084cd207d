"""Fixtures that several folders share."""

import contextlib
import os
from pathlib import Path

import pytest

from panoptic_heuristic import native
from tests.kernels import needs_kernels

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports torch: maps of a few pixels gain nothing from threads, and pay for starting
# them. The processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(params=[pytest.param(True, id="kernels", marks=needs_kernels), pytest.param(False, id="no_kernels")])
def kernels(request):
    """Runs a test with the compiled kernels and without them; True or False says which."""
    with contextlib.nullcontext() if request.param else native.switched_off():
        yield request.param


@pytest.fixture(scope="session")
def coco_sample() -> Path:
    """A folder with real COCO images: ``images/``, ``panoptic/``, ``panoptic.json``.

    Taken from ``$COCO_SAMPLE``, or from ``../shared/coco_sample`` beside the repository.
    """
    folder = Path(os.environ.get("COCO_SAMPLE", ROOT.parent / "shared" / "coco_sample"))
    if not (folder / "panoptic.json").is_file():
        pytest.skip(
            f"no real COCO images: {folder}/panoptic.json is missing; set COCO_SAMPLE to a folder that has it"
        )
    return folder
