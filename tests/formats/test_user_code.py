"""Files and modules of a user's own: run once, and what is wrong with them is one sentence with its line."""

import sys

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.user_code import run_file_or_module


@pytest.fixture(autouse=True)
def imports(tmp_path, monkeypatch):
    """What a test imports is forgotten after it; its folder is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def told(source):
    with pytest.raises(InputError) as caught:
        run_file_or_module(source, "data sets")
    assert "\n" not in str(caught.value)
    return str(caught.value)


COUNTING = "import user_log\nuser_log.runs.append(__name__)\n"


@pytest.mark.parametrize("source", ["mine.py", "./mine.py", "mine"])
def test_it_is_run_once(tmp_path, source):
    (tmp_path / "user_log.py").write_text("runs = []\n")
    (tmp_path / "mine.py").write_text(COUNTING)
    for _ in range(2):
        run_file_or_module(source, "data sets")
    assert len(sys.modules["user_log"].runs) == 1


def test_two_files_of_one_name_are_two(tmp_path):
    (tmp_path / "user_log.py").write_text("runs = []\n")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(COUNTING)
    sys.path.insert(0, str(tmp_path))
    run_file_or_module("a/mine.py", "data sets")
    run_file_or_module("b/mine.py", "data sets")
    assert len(sys.modules["user_log"].runs) == 2


def test_a_file_imports_what_lies_beside_it(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "beside_it.py").write_text("value = 3\n")
    (tmp_path / "project" / "mine.py").write_text("import beside_it\nassert beside_it.value == 3\n")
    run_file_or_module("project/mine.py", "data sets")


def test_a_module_in_a_package(tmp_path):
    (tmp_path / "user_package").mkdir()
    (tmp_path / "user_package" / "__init__.py").write_text("")
    (tmp_path / "user_package" / "data.py").write_text("value = 3\n")
    run_file_or_module("user_package.data", "data sets")
    assert sys.modules["user_package.data"].value == 3


@pytest.mark.parametrize("source", ["none.py", "folder/none.py", "folder/"])
def test_a_file_that_is_not_there(source):
    assert told(source) == f"there is no file of data sets {source!r}; paths are relative to the working directory"


@pytest.mark.parametrize("source", ["user_none", "user_none.data", "panoptic_heuristic.none", ".data", "", "folder"])
def test_a_module_that_is_not_there(tmp_path, source):
    (tmp_path / "folder").mkdir()  # Python would import it, and find nothing in it.
    assert told(source) == (
        f"there is no module of data sets {source!r} in the working directory or on PYTHONPATH; "
        "the name of a file ends with .py"
    )


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    assert told("mine.yaml") == "the file of data sets mine.yaml must be a Python file that ends with .py"


WRONG = [
    ("x = 1\nx['a']\n", "TypeError: 'int' object is not subscriptable (line 2)"),
    ("def f():\n    raise KeyError('a')\n\nf()\n", "KeyError: 'a' (line 2)"),
    ("import json\n\njson.loads('{')\n", "(line 3)"),
    ("import user_none\n", "ModuleNotFoundError: No module named 'user_none' (line 1)"),
    ("x = 1\nx = = 2\n", "SyntaxError: invalid syntax (mine.py, line 2)"),
    ("import sys\nsys.exit(0)\n", "SystemExit: 0 (line 2)"),
    ("import argparse\nargparse.ArgumentParser().parse_args(['--x'])\n", "SystemExit: 2 (line 2)"),
    ("raise ValueError('several\\nlines')\n", "ValueError: several lines (line 1)"),
    (
        "from panoptic_heuristic.errors import InputError\nraise InputError('no photo')\n",
        "InputError: no photo (line 2)",
    ),
]


@pytest.mark.parametrize("source", ["mine.py", "mine"])
@pytest.mark.parametrize("text, words", WRONG)
def test_what_it_raises_is_told_with_its_line(tmp_path, source, text, words):
    (tmp_path / "mine.py").write_text(text)
    kind = "file" if source.endswith(".py") else "module"
    for _ in range(2):
        # The second time, too: what failed does not count as run.
        message = told(source)
        assert message.startswith(f"the {kind} of data sets {source} fails: ") and message.endswith(words)


def test_a_package_around_a_module_that_fails(tmp_path):
    (tmp_path / "user_package").mkdir()
    (tmp_path / "user_package" / "__init__.py").write_text("import user_none\n")
    (tmp_path / "user_package" / "data.py").write_text("")
    message = told("user_package.data")
    assert message.startswith("the module of data sets user_package.data fails: ModuleNotFoundError: ")


def test_ctrl_c_stays_ctrl_c(tmp_path):
    (tmp_path / "mine.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        run_file_or_module("mine.py", "data sets")
