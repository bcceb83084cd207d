"""The rooms of the package lie in layers, which is the point of the folders: none imports from one above it."""

import ast
import subprocess
import sys
from typing import Iterator, Set

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "panoptic_heuristic"

LIGHT = {"numpy", "pycocotools", "PIL", "cv2", "yaml", "tabulate"}
CORE = LIGHT | {"torch", "fvcore"}

# Folder of the package: third-party modules, and folders of the package, that its files may import.
# "detectron" and "cli" are not here: they may import everything.
MAY_IMPORT = {
    "native": (set(), set()),
    "formats": (LIGHT, {"formats"}),
    "quality": (LIGHT, {"formats", "quality"}),
    "visual": (LIGHT | {"matplotlib"}, {"formats", "quality", "visual"}),
    "fusion": (CORE, {"formats", "fusion"}),
    "ablation": (CORE | {"tqdm"}, {"formats", "quality", "visual", "fusion", "ablation"}),
    "head_results": (CORE, {"formats", "quality", "visual", "fusion", "ablation", "head_results"}),
    "testing": (CORE, {"formats", "fusion", "testing"}),
}

# Allowed in the files of a folder whose path in it contains a word only: (folder, word, module).
IN_SOME_FILES = {
    ("fusion", "border", "pydensecrf"),
    ("ablation", "report", "matplotlib"),
    ("formats", "png", "deflate"),
}


def imported(source: str, package: str) -> Iterator[str]:
    """Full names of the modules that a file of ``package`` imports anywhere, functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(parents + ([node.module] if node.module else []))
            # `from panoptic_heuristic import fusion` imports a folder, too.
            yield from (f"{base}.{name.name}" for name in node.names) if base == PACKAGE.name else (base,)


def breaches(folder: str, file_name: str, source: str) -> Set[str]:
    """The imports of a file in ``folder`` that its folder may not have."""
    third_party, folders = MAY_IMPORT[folder]
    extra = {module for where, word, module in IN_SOME_FILES if where == folder and word in file_name}
    found = set()
    for name in imported(source, f"{PACKAGE.name}.{folder}"):
        top, *rest = name.split(".")
        if top == PACKAGE.name:
            allowed = not rest or rest[0] in folders | {"errors", "native", "__version__"}
        else:
            allowed = top in sys.stdlib_module_names or top in third_party | extra
        if not allowed:
            found.add(name)
    return found


def files_of(folder: str) -> list:
    return sorted((PACKAGE / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_each_folder_imports_what_it_may(folder):
    found = {
        str(path.relative_to(ROOT)): names
        for path in files_of(folder)
        if (names := breaches(folder, str(path.relative_to(PACKAGE / folder)), path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_formats_is_there():
    """A wrong path would let the test above pass on no files at all."""
    assert len(files_of("formats")) > 5


def test_only_detectron_and_commands_import_detectron2():
    # doctor.py asks whether Detectron2 is there, which it cannot find out otherwise.
    exempt = {PACKAGE / "doctor.py", *files_of("detectron"), *files_of("cli")}
    found = [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path not in exempt
        for name in imported(path.read_text(encoding="utf-8"), PACKAGE.name)
        if name.split(".")[0] in ("detectron2", "panopticapi")
    ]
    assert found == []


def test_no_folder_is_without_a_rule():
    folders = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    assert folders <= set(MAY_IMPORT) | {"detectron", "cli"}


@pytest.mark.parametrize(
    "folder, source, found",
    [
        ("formats", "import numpy as np\nfrom PIL import Image\nimport os.path", set()),
        ("formats", "import torch", {"torch"}),
        ("formats", "def f():\n    from torch.nn import functional", {"torch.nn"}),
        ("formats", "import tqdm", {"tqdm"}),
        ("formats", "import matplotlib.pyplot", {"matplotlib.pyplot"}),
        ("formats", "from panoptic_heuristic.formats.files import inside", set()),
        ("formats", "from .files import inside\nfrom . import files\nfrom ..errors import InputError", set()),
        ("quality", "from panoptic_heuristic.errors import InputError", set()),
        ("quality", "from panoptic_heuristic.fusion import fuse", {"panoptic_heuristic.fusion"}),
        ("quality", "from panoptic_heuristic import fusion", {"panoptic_heuristic.fusion"}),
        ("quality", "from ..fusion import fuse", {"panoptic_heuristic.fusion"}),
        ("quality", "from .. import fusion", {"panoptic_heuristic.fusion"}),
        ("quality", "import panoptic_heuristic.fusion.fuse", {"panoptic_heuristic.fusion.fuse"}),
        ("visual", "import matplotlib, torch", {"torch"}),
        ("fusion", "import torch\nfrom fvcore.common.registry import Registry", set()),
        ("fusion", "import detectron2.config", {"detectron2.config"}),
        ("fusion", "import tqdm, scipy", {"tqdm", "scipy"}),
        ("fusion", "import pydensecrf.densecrf", {"pydensecrf.densecrf"}),
        ("fusion", "from panoptic_heuristic.detectron import config", {"panoptic_heuristic.detectron"}),
        ("ablation", "import tqdm\nimport torch\nfrom panoptic_heuristic.quality import x", set()),
        ("ablation", "import matplotlib", {"matplotlib"}),
    ],
)
def test_the_rule_sees_each_breach(folder, source, found):
    assert breaches(folder, "some_file.py", source) == found


def test_the_rule_knows_the_files_with_more_rights():
    assert breaches("fusion", "border.py", "import pydensecrf") == set()
    assert breaches("ablation", "report/curves.py", "import matplotlib.pyplot") == set()


@pytest.mark.parametrize(
    "modules", ["panoptic_heuristic", "panoptic_heuristic.formats", "panoptic_heuristic.formats.check"]
)
def test_light_modules_load_nothing_heavy(modules):
    code = (
        f"import sys, {modules}; print({{'torch', 'matplotlib', 'detectron2', 'fvcore'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("set()\n", "")
    assert done.returncode == 0


@pytest.mark.parametrize("folder", ["quality", "visual"])
def test_light_folders_load_nothing_heavy(folder):
    if not (PACKAGE / folder / "__init__.py").is_file():
        pytest.skip(f"panoptic_heuristic/{folder} does not exist yet")
    heavy = {"torch", "detectron2", "fvcore"}
    code = f"import sys, panoptic_heuristic.{folder}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("set()\n", 0)
