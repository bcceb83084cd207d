"""Packaging. Detectron2 and panopticapi are not asked for here: neither has an official package.

``panoptic-heuristic doctor`` says whether they are there and how to get them.
"""

import re
from pathlib import Path

from setuptools import Extension, find_packages, setup

ROOT = Path(__file__).resolve().parent

# Read, not imported: an import would need what this file is about to install.
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "panoptic_heuristic" / "__init__.py").read_text(), re.M).group(1)

# Optional: without a C compiler the package is installed without it, and does the same in NumPy and PyTorch.
# No contraction: a fused multiply-add would round otherwise than the operations that the kernels stand for. No trapping
# math: floating-point exceptions are nobody's business here, and minding them keeps GCC from vectorising choices.
KERNELS = Extension(
    "panoptic_heuristic.native._kernels",
    sources=sorted(str(path.relative_to(ROOT)) for path in (ROOT / "panoptic_heuristic" / "native").glob("*.c")),
    depends=["panoptic_heuristic/native/kernels.h", "panoptic_heuristic/native/png_rows.h"],
    define_macros=[("Py_LIMITED_API", "0x030A0000")],
    extra_compile_args=["-O3", "-std=c11", "-ffp-contract=off", "-fno-trapping-math", "-fvisibility=hidden"],
    py_limited_api=True,
    optional=True,
)

setup(
    name="panoptic_heuristic",
    version=VERSION,
    description="Fusion of a semantic and an instance head into one panoptic map, for Detectron2's Panoptic FPN",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["panoptic segmentation", "panoptic quality", "Detectron2", "COCO"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    # The configs stand at the top of the repository, where people look for them, and are installed with the package.
    packages=[*find_packages(include=["panoptic_heuristic*"]), "panoptic_heuristic.configs"],
    package_dir={"panoptic_heuristic.configs": "configs"},
    ext_modules=[KERNELS],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
    package_data={
        "panoptic_heuristic": ["py.typed"],
        "panoptic_heuristic.ablation.explorer": ["parts/*"],
        "panoptic_heuristic.configs": ["*.yaml", "*/*.yaml"],
    },
    entry_points={"console_scripts": ["panoptic-heuristic = panoptic_heuristic.__main__:main"]},
    install_requires=[
        "deflate>=0.8",
        "fvcore>=0.1.5",
        "iopath>=0.1.7",
        "matplotlib>=3.5",
        "numpy>=1.26",
        "opencv-python-headless>=4.5",
        "Pillow>=9.1",
        "pycocotools>=2.0.2",
        "PyYAML>=5.4",
        "tabulate>=0.8",
        "torch>=1.13",
        "torchvision>=0.14",
        "tqdm>=4.60",
        "yacs>=0.1.8",
    ],
    extras_require={
        "crf": ["pydensecrf2>=1.1"],
        "dev": [
            "fonttools>=4",
            "hypothesis>=6",
            "mypy>=1.8",
            "playwright>=1.40",
            "pytest>=7",
            "pytest-xdist>=3",
            "ruff>=0.5",
            "types-PyYAML>=6",
            "types-tabulate>=0.9",
            "types-tqdm>=4.60",
        ],
    },
)
