"""Where a cache says its ground truth is, from any working folder and after a move."""

import shutil

import pytest

from panoptic_heuristic.ablation.cache.ground_truth import find_gt, remember_gt
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import read_json, write_json


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder, the working one, with a data set in it and a cache made by relative paths."""
    folder = tmp_path / "project"
    (folder / "data" / "png").mkdir(parents=True)
    (folder / "data" / "val.json").write_text("{}")
    (folder / "output" / "cache").mkdir(parents=True)
    monkeypatch.chdir(folder)
    remember_gt("output/cache", "data/val.json", "data/png")
    return folder


def in_data(folder):
    return folder / "data" / "val.json", folder / "data" / "png"


def test_it_is_found_from_another_working_folder(project, tmp_path, monkeypatch):
    assert find_gt("output/cache") == in_data(project)
    monkeypatch.chdir(tmp_path)
    assert find_gt("project/output/cache") == find_gt(project / "output" / "cache") == in_data(project)


def test_it_is_found_after_a_move_of_both(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moved = project.rename(tmp_path / "elsewhere")
    assert find_gt(moved / "output" / "cache") == find_gt("elsewhere/output/cache") == in_data(moved)


def test_a_cache_that_moved_alone_finds_it_where_it_was(project, tmp_path):
    shutil.move(project / "output" / "cache", tmp_path / "cache")
    assert find_gt(tmp_path / "cache") == in_data(project)


def test_a_copy_of_both_keeps_to_what_it_was_made_with(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "copy")
    assert find_gt(copy / "output" / "cache") == in_data(project)


def test_json_and_pngs_are_taken_from_the_same_place(project, tmp_path):
    """The old folder is still there, but its JSON has gone."""
    copy = shutil.copytree(project, tmp_path / "copy")
    (project / "data" / "val.json").unlink()
    assert find_gt(copy / "output" / "cache") == in_data(copy)


def test_a_symbolic_link_on_the_way_leads_nowhere_else(project, tmp_path):
    """The cache lies on another disk, and its project has a link to it."""
    shutil.move(project / "output", tmp_path / "disk" / "a" / "b")
    (project / "output").symlink_to(tmp_path / "disk" / "a" / "b")
    remember_gt("output/cache", "data/val.json", "data/png")
    moved = project.rename(tmp_path / "elsewhere")
    assert find_gt(moved / "output" / "cache") == in_data(moved)


def test_ground_truth_that_has_gone_is_told_with_the_flags(project, tmp_path):
    shutil.rmtree(project / "data")
    with pytest.raises(InputError) as caught:
        find_gt("output/cache")
    told = f"the ground truth of output/cache is not at {project}/data/val.json with {project}/data/png"
    assert str(caught.value).startswith(told) and str(caught.value).endswith("give --gt-json and --gt-folder")


def test_a_cache_that_never_knew_it_is_told_with_the_flags(tmp_path):
    with pytest.raises(InputError, match="does not say where its ground truth is; give --gt-json and --gt-folder"):
        find_gt(tmp_path)


def test_a_note_of_a_former_version_counts_from_the_working_folder(project, tmp_path, monkeypatch):
    write_json("output/cache/ground_truth.json", {"panoptic_json": "data/val.json", "panoptic_root": "data/png"})
    assert [path.resolve() for path in find_gt("output/cache")] == list(in_data(project))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not at data/val.json with data/png; give --gt-json and --gt-folder"):
        find_gt("project/output/cache")


def test_the_note_is_the_same_however_paths_are_typed(project):
    before = read_json("output/cache/ground_truth.json")
    remember_gt(project / "output" / "cache", project / "data" / "val.json", project / "output" / ".." / "data" / "png")
    assert read_json("output/cache/ground_truth.json") == before
