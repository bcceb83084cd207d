"""Says what is installed, what works, and how to get the rest.

Each line is the result of really trying the thing. Without Detectron2 all works but training and running a model. The
exit code is 0 when fusing, scoring and ablation work, else 2; with --all, training and its tests must work, too.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import json
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.errors import command

# What one may want to do, in the order it is told.
CORE = "fusing, scoring, files, ablation"
MODEL = "training and running a model"
REFERENCE = "Detectron2's own panoptic evaluator, and the project's tests"
SPEED = "speed alone"
DENSE_CRF = "the border rule dense_crf"
USES = (CORE, MODEL, REFERENCE, SPEED, DENSE_CRF)

GET_OURS = "pip install -e . in the project's folder, or `make env`"
GET_DETECTRON2 = "https://detectron2.readthedocs.io/tutorials/install.html (from its Git repository), or `make env`"
GET_PANOPTICAPI = "pip install git+https://github.com/cocodataset/panopticapi.git, or `make env`"


class NotThere(Exception):
    """Nothing is broken: the thing is just not available here. The message says what was found instead."""


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: of the thing.
        attempt: tries it; returns what to show, raises when it does not work.
        advice: how to get it.
        use: which of :data:`USES` needs it.
    """

    name: str
    attempt: Callable[[], str]
    advice: str
    use: str = CORE


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: ``problem`` is None when it works, else why not; ``detail`` is for the reader."""

    check: Check
    detail: str
    problem: Optional[str]


def installed_version(module_name: str, *distributions: str) -> str:
    """Imports a module and returns its version.

    Args:
        module_name: what is imported.
        distributions: packages that may have brought it; the first that is installed names the version. Without
            any, the module's own ``__version__`` counts.
    """
    module = importlib.import_module(module_name)
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{importlib.metadata.version(name)}" + ("" if name == distributions[0] else f" ({name})")
    return str(getattr(module, "__version__", "version unknown"))


def try_python() -> str:
    """Python is 3.10 or newer."""
    if sys.version_info < (3, 10):
        raise RuntimeError(f"{platform.python_version()} at {sys.executable}")
    return f"{platform.python_version()} at {sys.executable}"


def try_torch() -> str:
    """A matrix product and its gradient."""
    import torch

    x = torch.ones(2, 2, requires_grad=True)
    (x @ x).sum().backward()
    if x.grad.sum() != 16:
        raise RuntimeError(f"a gradient that sums to 16 came out as {x.grad.sum().item()}")
    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def try_torchvision_ops() -> str:
    """NMS and RoIAlign on the CPU: what Panoptic FPN needs of compiled operators."""
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4]])
    if torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() != [0]:
        raise RuntimeError("NMS of two equal boxes did not keep the first")
    if torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), [boxes], output_size=2).shape != (2, 1, 2, 2):
        raise RuntimeError("RoIAlign gave another shape than asked for")
    return "NMS and RoIAlign on the CPU"


def try_cuda() -> str:
    """A sum on the first GPU."""
    import torch

    if not torch.cuda.is_available():
        raise NotThere("PyTorch sees no GPU")
    torch.ones(2, device="cuda").sum().item()
    return f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}"


def try_detectron2() -> str:
    """The import of its models, with what ``detectron/compat.py`` does for it."""
    importlib.import_module("torch")
    if importlib.util.find_spec("detectron2") is None:
        raise NotThere("not installed")
    from panoptic_heuristic.detectron import compat

    compat.make_detectron2_importable()
    importlib.import_module("detectron2.modeling")
    return compat.detectron2_build()


def try_compiled_ops() -> str:
    """The import of Detectron2's extension, which may be there and not fit the installed PyTorch."""
    if importlib.util.find_spec("detectron2") is None:
        raise NotThere("no Detectron2")
    from panoptic_heuristic.detectron import compat

    if not compat.has_compiled_ops():
        raise NotThere("Detectron2 without its extension; Panoptic FPN does not need it")
    importlib.import_module("detectron2._C")
    return "Detectron2's extension loads"


def try_kernels() -> str:
    """The loading of this package's own compiled loops."""
    from panoptic_heuristic import native

    if not native.are_there():
        raise NotThere(f"not built, or switched off by {native.SWITCH}; NumPy and PyTorch do the same")
    return "this package's own loops"


def try_pycocotools() -> str:
    """A mask to RLE and back."""
    import numpy as np
    import pycocotools.mask

    mask = np.asfortranarray([[0, 1], [1, 1]], dtype=np.uint8)
    if not (pycocotools.mask.decode(pycocotools.mask.encode(mask)) == mask).all():
        raise RuntimeError("a mask did not survive its RLE")
    return f"{installed_version('pycocotools', 'pycocotools')}, RLE round trip"


def try_panopticapi() -> str:
    """PQ of a picture of four pixels against itself."""
    import numpy as np
    from panopticapi.evaluation import pq_compute_single_core
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        Image.fromarray(np.full((2, 2, 3), (1, 0, 0), np.uint8)).save(Path(folder, "four_pixels.png"))
        annotation = {"image_id": 1, "file_name": "four_pixels.png"}
        annotation["segments_info"] = [{"id": 1, "category_id": 7, "iscrowd": 0, "area": 4}]
        gt, prediction = annotation, json.loads(json.dumps(annotation))
        counts = pq_compute_single_core(0, [(gt, prediction)], folder, folder, {7: {"id": 7, "isthing": 1}})
    if (counts[7].tp, counts[7].iou) != (1, 1.0):
        raise RuntimeError(f"PQ of a picture against itself has {counts[7].tp} true positives of IoU {counts[7].iou}")
    return f"{installed_version('panopticapi', 'panopticapi', 'panopticapi-lite')}, PQ of four pixels"


def try_pydensecrf() -> str:
    """The import of its compiled part."""
    importlib.import_module("pydensecrf.densecrf")
    return installed_version("pydensecrf", "pydensecrf2", "pydensecrf")


def module_check(name: str, module_name: str, use: str = CORE) -> Check:
    """A check that only imports."""
    return Check(name, lambda: installed_version(module_name), GET_OURS, use)


def all_checks() -> List[Check]:
    """The checks, in the order they are printed."""
    return [
        Check("Python", try_python, "Python 3.10 or newer from https://www.python.org"),
        module_check("NumPy", "numpy"),
        Check("PyTorch", try_torch, "https://pytorch.org/get-started/locally, or `make env`"),
        Check("CUDA", try_cuda, "a GPU, its driver, and a PyTorch built for it; the CPU is enough", SPEED),
        Check("fvcore", lambda: installed_version("fvcore", "fvcore"), GET_OURS),
        Check("pycocotools", try_pycocotools, GET_OURS),
        module_check("OpenCV", "cv2"),
        module_check("Pillow", "PIL"),
        Check("compiled kernels", try_kernels, "a C compiler, then " + GET_OURS, SPEED),
        module_check("libdeflate", "deflate"),
        module_check("PyYAML", "yaml"),
        module_check("tabulate", "tabulate"),
        module_check("tqdm", "tqdm"),
        module_check("Matplotlib", "matplotlib"),
        Check("pydensecrf", try_pydensecrf, "pip install pydensecrf2 (needs a C++ compiler)", DENSE_CRF),
        module_check("torchvision", "torchvision", MODEL),
        Check("torchvision ops", try_torchvision_ops, "the torchvision release that belongs to this PyTorch", MODEL),
        Check("Detectron2", try_detectron2, GET_DETECTRON2, MODEL),
        Check("compiled ops", try_compiled_ops, GET_DETECTRON2.replace(", or `make env`", ""), SPEED),
        Check("panopticapi", try_panopticapi, GET_PANOPTICAPI, REFERENCE),
    ]


def examine(check: Check) -> Finding:
    """Runs one check; whatever it raises becomes its result."""
    try:
        return Finding(check, check.attempt(), None)
    except NotThere as reason:
        return Finding(check, str(reason), "missing")
    except ModuleNotFoundError as error:
        return Finding(check, str(error), "missing")
    # A broken installation may raise anything, and its message is what the reader came for.
    except Exception as error:
        return Finding(check, f"{type(error).__name__}: {error}", "broken")


def lines_of(finding: Finding) -> List[str]:
    """One line for what works, two for what does not."""
    check = finding.check
    # Messages of broken extensions run over many lines; the first says what it is about.
    detail = finding.detail.strip().splitlines()[0] if finding.detail.strip() else ""
    lines = [f"{finding.problem or 'ok':8} {check.name:16} {detail}"]
    if finding.problem:
        lines.append(f"{'':8} {'':16} for {check.use}; to get it: {check.advice}")
    return lines


def missing_for(use: str, findings: Sequence[Finding]) -> List[str]:
    """The names of what a use needs and that does not work; each needs the core, too."""
    return [one.check.name for one in findings if one.problem and one.check.use in (CORE, use)]


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Command line. Returns 0 when the core works (with ``--all`` the model and the reference, too), else 2."""
    parser = CommandParser(__doc__)
    parser.add_argument("--all", action="store_true", help="exit code 2 also if a model cannot be trained and tested")
    args = parser.parse_args(argv)
    findings = []
    for check in all_checks():
        findings.append(examine(check))
        print("\n".join(lines_of(findings[-1])), flush=True)
    print()
    for use in USES[:3]:
        missing = missing_for(use, findings)
        print(f"{use}: {'does not work, for want of ' + ', '.join(missing) if missing else 'works'}")
    return 2 if any(missing_for(use, findings) for use in (USES[:3] if args.all else [CORE])) else 0
