import re

import pytest

from panoptic_heuristic.cli.explore_fusion import main
from tests.ablation.photos import write_noise
from tests.ablation.report_sweeps import GREEDY, small_store, swept


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store, its images, and a sweep."""
    folder = tmp_path_factory.mktemp("explore")
    store = small_store(folder)
    swept(folder / "sweep", store, GREEDY)
    write_noise(folder / "images", store.cache.manifest.images)
    return folder


@pytest.fixture
def argv(folder, tmp_path):
    gt = ["--gt-json", folder / "gt" / "panoptic.json", "--gt-folder", folder / "gt" / "panoptic"]
    return [*map(str, ["--cache", folder / "cache", *gt, "--output", tmp_path / "new" / "page.html"])]


def test_it_writes_one_file(folder, argv, tmp_path, capsys):
    more = ["--image-root", str(folder / "images"), "--sweep", str(folder / "sweep"), "--images", "3"]
    assert main([*argv, *more]) == 0
    text = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert len(re.findall('class="image">', text)) == 3 and text.count('"photo":') == 3
    assert re.search(r"MB; open it in a browser\nwritten: .*page.html", capsys.readouterr().out)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]


def test_images_by_their_ids(argv, tmp_path):
    assert main([*argv, "--select", "2", "0"]) == 0
    text = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert '"images":[[2,"2.jpg"' in text


@pytest.mark.parametrize(
    "more, said",
    [
        (["--select", "777"], "has no image 777, which is none of worst, changed and random either"),
        (["--select", "changed"], "nothing changes"),
        (["--images", "0"], "--images must be at least 1"),
        (["--tuning", "t.json"], "--tuning needs --sweep"),
        (["--image-root", "nowhere"], "--image-root nowhere is no folder"),
    ],
)
def test_wrong_input_is_told(argv, more, said, capsys):
    assert main([*argv, *more]) == 2
    assert said in capsys.readouterr().err


def test_nothing_is_replaced_unasked(argv, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "page.html").write_text("mine")
    assert main(argv) == 2 and "--overwrite replaces it" in capsys.readouterr().err
    assert main([*argv, "--overwrite", "--images", "1"]) == 0
    assert main([*argv[:-1], str(tmp_path)]) == 2 and "is a folder" in capsys.readouterr().err
