"""The work-arounds for Detectron2's old build: they help where it needs them and do nothing elsewhere."""

import atexit
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy
import PIL.Image
import pytest

from panoptic_heuristic.detectron import compat
from panoptic_heuristic.errors import InputError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package named detectron2 with the given files first on the path, as if nothing had imported one yet."""

    def write(**files):
        for name in [name for name in sys.modules if name.partition(".")[0] == "detectron2"]:
            monkeypatch.delitem(sys.modules, name)
        folder = tmp_path / "detectron2"
        folder.mkdir()
        for name, text in {"__init__": '__version__ = "0.6"\n', **files}.items():
            (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    # What the test imported is not the real one, and what it set was not undone by monkeypatch.
    for name in [name for name in sys.modules if name.partition(".")[0] == "detectron2"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def dropped_names(monkeypatch):
    """NumPy and Pillow as they are today, whatever was restored before."""
    monkeypatch.setattr(numpy, "int", int, raising=False)
    monkeypatch.delattr(numpy, "int")
    monkeypatch.setattr(PIL.Image, "LINEAR", 2, raising=False)
    monkeypatch.delattr(PIL.Image, "LINEAR")


class TestMakeImportable:
    def test_without_the_extension_a_module_stands_in(self, install):
        install(layers="from detectron2 import _C\n")
        compat.make_detectron2_importable()
        import detectron2.layers

        assert detectron2.layers._C.__name__ == "detectron2._C"
        assert not compat.has_compiled_ops()
        assert compat.detectron2_build() == "0.6, Python files only"

    def test_a_second_call_keeps_the_module(self, install):
        install()
        compat.make_detectron2_importable()
        first = sys.modules["detectron2._C"]
        compat.make_detectron2_importable()
        assert sys.modules["detectron2._C"] is first
        assert not compat.has_compiled_ops()

    def test_a_real_extension_is_not_shadowed(self, install):
        install(_C="real = True\n", layers="from detectron2 import _C\n")
        compat.make_detectron2_importable()
        assert "detectron2._C" not in sys.modules
        import detectron2.layers

        assert detectron2.layers._C.real
        assert compat.has_compiled_ops()
        assert compat.detectron2_build() == "0.6, with compiled ops"

    def test_looking_for_it_imports_nothing(self, install):
        install(__init__="raise RuntimeError('imported')\n")
        compat.make_detectron2_importable()
        assert not compat.has_compiled_ops()

    def test_names_that_it_uses_are_restored(self, install, dropped_names):
        install(old="import numpy as np\nx = np.zeros(3, dtype=np.int)\nmethod = Image.LINEAR\n")
        compat.make_detectron2_importable()
        assert numpy.int is int
        assert PIL.Image.LINEAR == PIL.Image.BILINEAR

    def test_names_that_it_does_not_use_stay_dropped(self, install, dropped_names):
        install(new="import numpy as np\nx = np.zeros(3, dtype=np.int64) + np.interp\nmethod = Image.BILINEAR\n")
        compat.make_detectron2_importable()
        assert "int" not in vars(numpy)
        assert "LINEAR" not in vars(PIL.Image)

    def test_names_that_are_there_are_left_alone(self, install, monkeypatch):
        monkeypatch.setattr(numpy, "bool", numpy.bool_, raising=False)
        install(old="import numpy as np\nx = np.zeros(3, dtype=np.bool)\n")
        compat.make_detectron2_importable()
        assert numpy.bool is numpy.bool_

    @pytest.mark.parametrize("call", [compat.make_detectron2_importable, compat.has_compiled_ops])
    def test_without_detectron2_the_error_says_how_to_get_it(self, monkeypatch, call):
        monkeypatch.setitem(sys.modules, "detectron2", None)
        with pytest.raises(ImportError, match=r"^Detectron2 is not installed: install it from its Git repository \("):
            call()


@pytest.mark.skipif(compat.has_compiled_ops(), reason="this Detectron2 has its extension, so nothing stands in for it")
def test_detectron2_s_report_of_the_environment_says_that_nothing_was_compiled():
    compat.make_detectron2_importable()
    from detectron2.utils.collect_env import collect_env_info

    assert re.search(r"^Compiler +not compiled$", collect_env_info(), re.M)


# As they came out of a training and an evaluation with Detectron2 0.5 on PyTorch 2.14: category, message, module.
SEEN = [
    (FutureWarning, "`torch.jit.script` is deprecated. Please switch to `torch.compile`", "torch.jit._script"),
    (UserWarning, "pkg_resources is deprecated as an API. See https://setup", "detectron2.model_zoo.model_zoo"),
    (UserWarning, "Creating a tensor from a list of numpy.ndarrays is extremely slow.", "detectron2.structures.boxes"),
    (UserWarning, "The given NumPy array is not writable, and PyTorch does", "detectron2.data.detection_utils"),
    (UserWarning, "torch.meshgrid: in an upcoming release, it will be required", "torch.functional"),
    (FutureWarning, "`torch.cuda.amp.autocast(args...)` is deprecated. Please", "detectron2.engine.train_loop"),
    (FutureWarning, "`torch.cuda.amp.GradScaler(args...)` is deprecated. Please", "detectron2.engine.train_loop"),
    (UserWarning, "TypedStorage is deprecated. It will be removed", "detectron2.utils.comm"),
]


def shown(category, message, module):
    """Whether a warning gets through."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compat.quiet_known_warnings()
        warnings.warn_explicit(message, category, filename="file.py", lineno=1, module=module)
    return bool(caught)


class TestQuietKnownWarnings:
    @pytest.mark.parametrize("category, message, module", SEEN)
    def test_a_known_one_is_silent_and_only_that_one(self, category, message, module):
        assert not shown(category, message, module)
        assert shown(category, message, "users.module")
        assert shown(category, message, module + "_of_mine")
        assert shown(category, "Something else is wrong", module)

    def test_every_filter_was_seen_at_work(self):
        for message, module in compat.KNOWN_WARNINGS:
            assert any(re.match(message, seen) and re.match(module, where) for _, seen, where in SEEN), message

    def test_importing_and_drawing_with_the_installed_one_writes_nothing_to_stderr(self):
        # A fresh interpreter: most of these are shown once, at import. The package's own __init__ is left out, so that
        # what is measured is this file alone.
        program = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("compat", sys.argv[1])
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
compat.quiet_known_warnings()
compat.make_detectron2_importable()
import numpy, torch
import detectron2.engine, detectron2.evaluation, detectron2.model_zoo
from detectron2.data import MetadataCatalog
from detectron2.utils.visualizer import Visualizer
metadata = MetadataCatalog.get("two").set(thing_classes=["a"], stuff_classes=["b"], stuff_colors=[(1, 2, 3)])
segments = [{"id": 1, "isthing": True, "category_id": 0, "score": 0.9}, {"id": 2, "isthing": False, "category_id": 0}]
labels = torch.ones(20, 20, dtype=torch.int32)
labels[10:] = 2
Visualizer(numpy.zeros((20, 20, 3), numpy.uint8), metadata).draw_panoptic_seg(labels, segments)
"""
        done = subprocess.run(
            [sys.executable, "-c", program, compat.__file__], capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stderr) == (0, "")


def describe_process(folder):
    """Writes what Detectron2's comm says in this process, and what it gathers from all."""
    import torch
    from detectron2.utils import comm

    gathered = comm.all_gather({"images": [comm.get_rank()] * (comm.get_rank() + 1)})
    comm.synchronize()
    found = {
        "pid": os.getpid(),
        "rank": comm.get_rank(),
        "local": [comm.get_local_rank(), comm.get_local_size()],
        "world": comm.get_world_size(),
        "threads": torch.get_num_threads(),
        "gathered": gathered,
    }
    Path(folder, f"{comm.get_rank()}.json").write_text(json.dumps(found))


def fail_in_the_second(error):
    """The first process waits for the second, which raises."""
    from detectron2.utils import comm

    if comm.get_rank() == 1:
        raise error
    comm.all_gather("anybody there?")


def list_threads_at_exit(folder):
    from detectron2.utils import comm

    def write_names(path):
        path.write_text("\n".join(task.read_text() for task in Path("/proc/self/task").glob("*/comm")))

    rank = comm.get_rank()
    comm.all_gather((rank, 2.0))
    write_names(Path(folder, f"during{rank}"))
    atexit.register(write_names, Path(folder, f"at_exit{rank}"))


class Unpicklable(Exception):
    """Its arguments are not those of its constructor, so that it cannot be loaded again."""

    def __init__(self, number, unit):
        super().__init__(f"{number} {unit}")


def raise_unpicklable():
    raise Unpicklable(3, "pixels")


class TestLaunchOnCpu:
    def test_two_processes_know_of_each_other(self, tmp_path):
        import torch

        compat.launch_on_cpu(describe_process, 2, (str(tmp_path),))
        found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
        assert [process["rank"] for process in found] == [0, 1]
        assert [process["local"] for process in found] == [[0, 2], [1, 2]]
        assert len({os.getpid(), *(process["pid"] for process in found)}) == 3
        for process in found:
            assert process["world"] == 2
            assert process["threads"] == max(1, torch.get_num_threads() // 2)
            assert process["gathered"] == [{"images": [0]}, {"images": [1, 1]}]

    @pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not list threads in /proc")
    def test_no_thread_of_a_group_is_left_when_a_process_ends(self, tmp_path):
        # One that still held a tensor then would abort the process, seldom and only on a busy machine.
        compat.launch_on_cpu(list_threads_at_exit, 2, (str(tmp_path),))
        for rank in range(2):
            during, at_exit = ((tmp_path / f"{when}{rank}").read_text().split() for when in ("during", "at_exit"))
            assert [name for name in during if "gloo" in name]
            assert not [name for name in at_exit if "gloo" in name]

    def test_one_process_is_this_one(self, tmp_path):
        compat.launch_on_cpu(describe_process, 1, (str(tmp_path),))
        found = json.loads((tmp_path / "0.json").read_text())
        assert (found["pid"], found["world"]) == (os.getpid(), 1)
        with pytest.raises(Unpicklable, match="3 pixels"):
            compat.launch_on_cpu(raise_unpicklable, 1)

    def test_an_error_comes_back_as_it_was(self):
        with pytest.raises(InputError) as caught:
            compat.launch_on_cpu(fail_in_the_second, 2, (InputError("b.png: expected 8 bits, got 16"),))
        assert str(caught.value) == "b.png: expected 8 bits, got 16"
        # The worker's own traceback is kept as the cause.
        assert "fail_in_the_second" in str(caught.value.__cause__)

    def test_an_error_that_cannot_travel_is_told_with_its_traceback(self):
        import torch.multiprocessing

        with pytest.raises(torch.multiprocessing.ProcessRaisedException, match="Unpicklable: 3 pixels"):
            compat.launch_on_cpu(raise_unpicklable, 2)

    def test_on_main_its_own_function_makes_the_local_group(self, monkeypatch):
        from detectron2.utils import comm

        asked = []
        monkeypatch.setattr(comm, "create_local_process_group", asked.append, raising=False)
        compat._create_local_process_group(2)
        assert asked == [2]
