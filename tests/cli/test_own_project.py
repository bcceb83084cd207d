"""A Detectron2 project of one's own, word for word as README.md and docs/own_project.md have it, in an empty folder."""

import re
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from panoptic_heuristic import __main__ as program
from panoptic_heuristic.cli import convert_panoptic, prepare_panoptic_stuff, train_net
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.coco_panoptic import segment_entries
from panoptic_heuristic.formats.files import read_json, write_json
from tests.cli.processes import run
from tests.cli.small_training import SMALL_MODEL
from tests.conftest import ROOT
from tests.formats.tiny_panoptic import write_png

PAGE = (ROOT / "docs" / "own_project.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CATEGORIES = Categories.from_lists(things=["cat", "dog"], stuff=["sky", "grass"])


def named_block(name):
    """The file that the page shows under a name."""
    [text] = re.findall(rf"```\w+ {re.escape(name)}\n(.*?)```", PAGE, flags=re.DOTALL)
    return text


def commands(text, title):
    """The arguments of the commands in a section of a page."""
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0].replace("\\\n", " ")
    lines = [shlex.split(line) for line in section.splitlines() if line.startswith("    panoptic-heuristic ")]
    return [arguments[1:] for arguments in lines]


def with_registration(all_arguments):
    """The README says that the first and the last command take the flag, too."""
    flags = [["--register", "my_datasets.py"], *[[]] * (len(all_arguments) - 2), ["--register", "my_datasets.py"]]
    return [[one[0], *flag, *one[1:]] for one, flag in zip(all_arguments, flags, strict=True)]


def write_pets(folder):
    """Cats and dogs, which are boxes of two colours, on grass under a sky."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 6)):
        (folder / split).mkdir(parents=True)
        (folder / f"{split}_panoptic").mkdir()
        images, annotations = [], []
        for image_id in range(1, count + 1):
            ids = np.repeat([3, 4], 48)[:, None].repeat(128, axis=1)
            for segment_id, left in ((11, 8), (12, 72)):
                top = int(rng.integers(10, 40))
                ids[top : top + 40, left : left + 44] = segment_id
            category_of = {3: 3, 4: 4, 11: 1, 12: 2}
            colors = np.array([[0, 0, 0]] + [[50 * value, 255 - 60 * value, 60] for value in (1, 2, 3, 4)], np.uint8)
            pixels = colors[np.vectorize(category_of.get)(ids)]
            Image.fromarray(pixels).save(folder / split / f"{image_id}.jpg")
            write_png(folder / f"{split}_panoptic" / f"{image_id}.png", ids)
            images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": 96, "width": 128})
            segments = segment_entries(ids, category_of, set())
            annotations.append({"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": segments})
        panoptic = folder / f"{split}_panoptic.json"
        write_json(
            panoptic, {"images": images, "annotations": annotations, "categories": CATEGORIES.to_coco(), "info": {}}
        )
        prepare_panoptic_stuff.prepare(panoptic, folder / f"{split}_panoptic", folder / f"{split}_semantic")
        made = folder.with_name(f"instances_of_{split}")
        flags = ["--panoptic-json", panoptic, "--panoptic-root", folder / f"{split}_panoptic", "--output", made]
        assert convert_panoptic.main(["coco-to-instances-semantic", *map(str, flags), "--workers", "1"]) == 0
        (made / "instances.json").rename(folder / f"{split}_instances.json")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The folder, with the data set, the page's files, and a model that is small."""
    folder = tmp_path_factory.mktemp("project")
    write_pets(folder / "pets")
    for name in ("my_datasets.py", "my_training.py"):
        (folder / name).write_text(named_block(name))
    (folder / "small.yaml").write_text(f"_BASE_: {SMALL_MODEL}\nOUTPUT_DIR: output\nDATASETS: {{PANOPTIC_YAML: ''}}\n")
    (folder / "my_config.yaml").write_text(
        f"_BASE_: small.yaml\nSOLVER: {{MAX_ITER: 6, STEPS: [4]}}\n{named_block('my_config.yaml')}"
    )
    return folder


@pytest.fixture(scope="module")
def random_weights(project):
    """The keys of a checkpoint that is good enough where a run is not the point."""
    from panoptic_heuristic.detectron import load_config  # noqa: I001  first: it makes Detectron2 importable
    from detectron2.modeling import build_model

    # Without data sets, which nothing has registered yet.
    cfg, _ = load_config(str(project / "my_config.yaml"), ["DATASETS.TRAIN", "()", "DATASETS.TEST", "()"])
    torch.save(build_model(cfg).state_dict(), project / "random.pth")
    return ["MODEL.WEIGHTS", "random.pth"]


@pytest.fixture
def own_process(project, monkeypatch):
    """Runs a command in this process, in the project; what it registers and imports is forgotten after the test."""
    from panoptic_heuristic.detectron import load_config  # noqa: F401, I001  first: it makes Detectron2 importable
    from detectron2.data import DatasetCatalog, MetadataCatalog

    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    before = set(sys.modules), set(DatasetCatalog.list()), set(MetadataCatalog.list())
    yield program.main
    for name in {name for name in sys.modules if name.startswith(("data_sets_", "my_datasets"))} - before[0]:
        del sys.modules[name]
    for catalog, names in zip((DatasetCatalog, MetadataCatalog), before[1:], strict=True):
        for name in set(catalog.list()) - names:
            catalog.remove(name)


def test_the_pages_show_the_same_commands():
    on_page = commands(PAGE, "Your script, or ours")
    assert [one[0] for one in on_page] == ["train-net", "train-net", "cache-predictions"]
    assert commands(README, "In your Detectron2 project") == on_page[:2]
    assert with_registration(commands(README, "Choose thresholds"))[0] == on_page[2]


@pytest.mark.slow
def test_our_script_and_all_that_follows(own_process, project):
    """Both sections of the README, one after the other."""
    sections = commands(README, "In your Detectron2 project"), commands(README, "Choose thresholds")
    for arguments in [*sections[0], *with_registration(sections[1])]:
        assert own_process(arguments) == 0, arguments
    results = read_json(project / "output" / "inference" / "results.json")
    assert set(results) == {"bbox", "segm", "sem_seg", "panoptic_seg"} and results["panoptic_seg"]["PQ"] > 0
    manifest = read_json(project / "cache" / "manifest.json")
    assert manifest["dataset_name"] == "pets_val_separated" and len(manifest["images"]) == 6
    assert manifest["images"][0] == [1, "1.jpg", 96, 128]
    assert (project / "report" / "report.html").exists()


def test_ones_own_script(own_process, project, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    names = {}
    exec(compile((project / "my_training.py").read_text(), "my_training.py", "exec"), names)
    assert names["cfg"].MODEL.PANOPTIC_FUSION.CLAIM.NAME == "class_aware"
    assert (project / "output" / "model_final.pth").exists()


@pytest.mark.slow
def test_every_process_that_is_launched_registers_them(project, random_weights, tmp_path):
    """They start as fresh interpreters."""
    flags = ["--register", "my_datasets", "--num-cpu-processes", "2", "--config-file", "my_config.yaml"]
    flags += ["--cache", tmp_path / "cache", *random_weights]
    done = run(["-m", "panoptic_heuristic", "cache-predictions", *flags], cwd=project)
    assert done.returncode == 0 and "6 images run" in done.stdout, done.stderr


def test_so_does_one_of_train_net(own_process, project, random_weights, tmp_path):
    """What is launched is ``run``, without the rest of the command before it."""
    flags = ["--register", "my_datasets.py", "--eval-only", "--config-file", "my_config.yaml", "--num-gpus", "0"]
    train_net.run(train_net.build_parser().parse_args([*flags, *random_weights, "OUTPUT_DIR", str(tmp_path)]))
    assert (tmp_path / "inference" / "results.json").exists()


@pytest.mark.parametrize("command", [["train-net"], ["cache-predictions", "--cache", "other"]], ids=lambda one: one[0])
@pytest.mark.parametrize(
    "source, words",
    [
        ("none.py", "there is no file of data sets 'none.py'"),
        ("no_such_module", "there is no module of data sets 'no_such_module'"),
        ("broken.py", "the file of data sets broken.py fails: ZeroDivisionError: division by zero (line 3)"),
    ],
)
def test_what_is_wrong_with_them_is_one_sentence(own_process, project, capsys, command, source, words):
    (project / "broken.py").write_text("x = 0\n\n1 / x\n")
    assert own_process([*command, "--register", source, "--config-file", "my_config.yaml"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"error: {words}")
    assert not (project / "other").exists()
