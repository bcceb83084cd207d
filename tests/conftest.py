"""Fixtures that several folders share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports torch: maps of a few pixels gain nothing from threads, and pay for starting
# them. The processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"


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
