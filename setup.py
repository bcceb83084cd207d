"""Packaging. Detectron2 and panopticapi are not asked for here: neither has an official package.

``python -m panoptic_heuristic.doctor`` says whether they are there and how to get them.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

# Read, not imported: an import would need what this file is about to install.
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "panoptic_heuristic" / "__init__.py").read_text(), re.M).group(1)

setup(
    name="panoptic_heuristic",
    version=VERSION,
    description="Fusion of a semantic and an instance head into one panoptic map, for Detectron2's Panoptic FPN",
    python_requires=">=3.10",
    packages=find_packages(include=["panoptic_heuristic*"]),
    install_requires=[
        "fvcore>=0.1.5",
        "iopath>=0.1.7",
        "matplotlib>=3.5",
        "numpy>=1.26",
        "opencv-python-headless>=4.5",
        "Pillow>=9.1",
        "pycocotools>=2.0.2",
        "PyYAML>=5.4",
        "tabulate>=0.8",
        "torch>=1.10",
        "torchvision>=0.11",
        "tqdm>=4.60",
        "yacs>=0.1.8",
    ],
    extras_require={
        "crf": ["pydensecrf2>=1.1"],
        "dev": ["hypothesis>=6", "pytest>=7", "ruff>=0.5"],
    },
)
