import csv
import gc

import pytest

from panoptic_heuristic.ablation import SweepResult, sweep
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy
from tests.ablation.grids import grid_of
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

GRID = grid_of((Greedy(0.3), Greedy(0.6)), (0.05, 0.6), ((0.0, 0.0), (200.0, 0.0)))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder, scenes = tmp_path_factory.mktemp("sweep"), small_scenes(3)
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_printed(rows):
    return [
        {name: f"{value:.10g}" if isinstance(value, float) else str(value) for name, value in row.items()}
        for row in rows
    ]


def test_the_rows_are_those_of_the_tables(store, tmp_path):
    result = sweep(store, GRID)
    written = result.write(tmp_path / "written")
    assert [path.name for path in written] == ["sweep.json", "buckets", "settings.csv", "classes.csv"]
    for path, rows in zip(written[2:], (result.rows(), result.class_rows()), strict=True):
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
        # An empty cell stands for no value.
        assert table == [
            {name: "" if value == "nan" else value for name, value in row.items()} for row in as_printed(rows)
        ]
    assert [row["pq_all"] for row in result.rows()] == sorted((row["pq_all"] for row in result.rows()), reverse=True)
    assert {row["setting"] for row in result.rows()} == set(range(len(GRID)))


def test_a_temporary_sweep_a_kept_one_and_a_written_one_have_the_same_bytes(store, tmp_path):
    temporary = sweep(store, GRID)
    kept = sweep(store, GRID, folder=tmp_path / "kept", workers=2)
    assert contents(temporary.folder) == contents(tmp_path / "kept")
    for number, result in enumerate((temporary, kept)):
        result.write(tmp_path / f"{number}")
    kept.write(tmp_path / "kept")
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "kept")
    assert SweepResult(tmp_path / "0").rows() == temporary.rows() == kept.rows()


def test_a_temporary_folder_goes_with_its_result(store):
    result = sweep(store, GRID)
    folder = result.folder
    assert folder.is_dir()
    del result
    gc.collect()
    assert not folder.exists()


def test_a_kept_sweep_goes_on_where_it_was(store, tmp_path):
    asked = []

    def progress(buckets, total):
        asked.append(total)
        return buckets

    sweep(store, GRID, folder=tmp_path, progress=progress)
    (tmp_path / "buckets" / "01.arrays").unlink()
    sweep(store, GRID, folder=tmp_path, progress=progress)
    assert asked == [100, 1]


def test_another_sweep_is_not_written_over(store, tmp_path):
    sweep(store, GRID, folder=tmp_path)
    other = sweep(store, grid_of((Greedy(0.4),)))
    with pytest.raises(InputError, match="holds a sweep of something else: its grid differs"):
        other.write(tmp_path)


def test_what_a_killed_process_left_is_not_taken_along(store, tmp_path):
    result = sweep(store, GRID, folder=tmp_path / "kept")
    leftover = tmp_path / "kept" / "buckets" / ".00000000-7-00000000.partial.arrays"
    leftover.write_bytes(b"half")
    result.write(tmp_path / "written")
    assert ".partial" not in str(contents(tmp_path / "written").keys())


@pytest.mark.parametrize("grid", ["sweeps/coco.yaml", None, GRID.base])
def test_what_is_no_grid_is_refused(store, grid):
    with pytest.raises(InputError, match=f"^grid must be a Grid, such as .*; got {type(grid).__name__}$"):
        sweep(store, grid)
