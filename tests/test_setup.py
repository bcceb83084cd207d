"""setup.py asks for what is imported, loosely; the lock files pin all of it, for every supported Python."""

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import panoptic_heuristic

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

# Modules whose package has another name.
PACKAGE_OF = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "pydensecrf": "pydensecrf2",
    "yaml": "pyyaml",
}
# Brought by pytest and by every environment; only the tests use them.
COMES_WITH_PYTEST = {"packaging", "setuptools"}
# What setup.py must leave to the user: there is no official package to ask for.
NOT_ASKED_FOR = {"detectron2", "panopticapi"}


@pytest.fixture
def arguments(monkeypatch):
    """The arguments that setup.py passes to ``setuptools.setup``."""
    passed = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: passed.update(arguments))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return passed


def all_requirements(arguments):
    lists = [arguments["install_requires"], *arguments["extras_require"].values()]
    return [Requirement(text) for requirements in lists for text in requirements]


def locked_lines(path):
    """The lines of a lock file without comments, continued lines joined."""
    text = re.sub(r"\\\n", " ", path.read_text())
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def locked_versions(python):
    """The versions that the lock files install with a Python on Linux, by canonical name."""
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    versions = {}
    for path in LOCKS:
        for line in locked_lines(path):
            requirement = Requirement(line.split(" --")[0])
            if requirement.marker is None or requirement.marker.evaluate(environment):
                (pin,) = requirement.specifier
                versions.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    return versions


class TestSetupPy:
    def test_neither_detectron2_nor_panopticapi_is_asked_for(self, arguments):
        for requirement in all_requirements(arguments):
            assert not any(requirement.name.lower().startswith(name) for name in NOT_ASKED_FOR)

    def test_ranges_are_loose(self, arguments):
        for requirement in all_requirements(arguments):
            assert [bound.operator for bound in requirement.specifier] == [">="], str(requirement)

    def test_the_version_is_the_package_s_own(self, arguments):
        assert arguments["version"] == panoptic_heuristic.__version__

    def test_every_folder_with_python_files_is_packaged_and_the_tests_are_not(self, arguments):
        folders = {path.parent for path in (ROOT / "panoptic_heuristic").rglob("*.py")}
        packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
        assert set(arguments["packages"]) == packages | {"panoptic_heuristic.configs"}

    def test_every_config_is_packaged(self, arguments):
        folder = ROOT / arguments["package_dir"]["panoptic_heuristic.configs"]
        patterns = arguments["package_data"]["panoptic_heuristic.configs"]
        packaged = {path for pattern in patterns for path in folder.glob(pattern)}
        assert packaged == {path for path in (ROOT / "configs").rglob("*") if path.is_file()} != set()

    def test_every_part_of_the_explorer_is_packaged(self, arguments):
        (pattern,) = arguments["package_data"]["panoptic_heuristic.ablation.explorer"]
        folder = ROOT / "panoptic_heuristic" / "ablation" / "explorer"
        parts = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        assert set(folder.glob(pattern)) == parts and {".html", ".css", ".js"} == {path.suffix for path in parts}

    def test_the_program_and_the_marker_of_types(self, arguments):
        (program,) = arguments["entry_points"]["console_scripts"]
        assert program == "panoptic-heuristic = panoptic_heuristic.__main__:main"
        assert arguments["package_data"]["panoptic_heuristic"] == ["py.typed"]
        assert (ROOT / "panoptic_heuristic" / "py.typed").is_file()

    def test_the_license_is_named_and_where_its_text_stands(self, arguments):
        notice = (ROOT / "LICENSE").read_text()
        assert arguments["license"] == "Apache-2.0" and arguments["license_files"] == ["LICENSE"]
        assert "SPDX-License-Identifier: Apache-2.0" in notice
        assert "https://www.apache.org/licenses/LICENSE-2.0" in notice

    def test_the_pythons_are_those_that_the_environment_is_built_with(self, arguments):
        named = {one.rpartition(" ")[2] for one in arguments["classifiers"] if "Python :: 3." in one}
        assert named == set(PYTHONS)
        assert arguments["python_requires"] == f">={PYTHONS[0]}"

    def test_the_readme_is_its_long_description(self, arguments):
        assert arguments["long_description"] == (ROOT / "README.md").read_text(encoding="utf-8")
        assert arguments["long_description_content_type"] == "text/markdown"

    def test_what_the_project_imports_is_asked_for(self, arguments):
        asked = {canonicalize_name(requirement.name) for requirement in all_requirements(arguments)}
        # The folders that can be imported, and the scripts that import their neighbours.
        own = {"panoptic_heuristic", "tests", "benchmarks", *(path.stem for path in ROOT.glob("[dt]*/*.py"))}
        outside = own | NOT_ASKED_FOR | COMES_WITH_PYTEST | set(sys.stdlib_module_names)
        for folder in ("panoptic_heuristic", "tools", "datasets", "tests"):
            for path in sorted((ROOT / folder).rglob("*.py")):
                for module in imported_modules(path) - outside:
                    package = PACKAGE_OF.get(module, canonicalize_name(module))
                    assert package in asked, f"{path.relative_to(ROOT)} imports {module}"


def imported_modules(path):
    """The top-level names that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.add(node.module.partition(".")[0])
    return modules


class TestLocks:
    @pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
    def test_every_line_is_one_exact_version(self, path):
        for line in locked_lines(path):
            assert re.match(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*( |$)", line), line

    @pytest.mark.parametrize("python", PYTHONS)
    def test_no_package_is_listed_twice_for_a_python(self, python):
        assert {name: found for name, found in locked_versions(python).items() if len(found) > 1} == {}

    @pytest.mark.parametrize("python", PYTHONS)
    def test_all_that_setup_py_asks_for_is_locked_within_its_range(self, arguments, python):
        locked = locked_versions(python)
        for requirement in all_requirements(arguments):
            (version,) = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(Version(version)), str(requirement)

    def test_the_unofficial_packages_are_held_to_their_bytes(self):
        lines = locked_lines(ROOT / "requirements-detectron2.lock")
        assert {line.partition("==")[0] for line in lines} == {"detectron2-cdo", "panopticapi-lite"}
        for line in lines:
            assert re.search(r" --hash=sha256:[0-9a-f]{64}$", line), line
