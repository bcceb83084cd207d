"""docs/json.md names every key of the JSON files that the ablation writes, and no other."""

import json
import re

import pytest

from panoptic_heuristic.ablation import Axis, Grid, attribute, sweep, tune
from panoptic_heuristic.ablation.cache.ground_truth import remember_gt
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.photos import clear_photo, write_photos
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


def documented(name):
    """The keys that the page has in all files and in one of a name."""
    everywhere, *sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    section = next(one for one in sections if one.startswith(name))
    rows = [line for line in (everywhere + section).splitlines() if line.startswith("| `")]
    return [key for row in rows for key in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def keys_of(value, path=""):
    """The paths of all that is no object, and no list of them, in the page's spelling; of empty ones, too."""
    if isinstance(value, dict) and value:
        return {key for name, one in value.items() for key in keys_of(one, f"{path}.{name}" if path else name)}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return {key for one in value for key in keys_of(one, f"{path}[]")}
    return {path}


def pattern_of(key):
    """A documented key as a regular expression of paths."""
    pattern = re.escape(key).replace(re.escape(".…"), r"\..+").replace(r"\*", r"[^.]+")
    return re.compile(pattern)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of small scenes, by name."""
    folder = tmp_path_factory.mktemp("json")
    scenes = small_scenes(32, instances=40)
    remember_gt(write_cache(folder / "cache", scenes), *write_gt(folder / "gt", scenes))
    grid = Grid(Pipeline(), (Axis.of("instances_score_thresh", [0.3, 0.5]),))
    sweep(folder / "cache", grid).write(folder)
    attribute(folder / "cache", Pipeline(stuff_area_thresh=100)).write(folder)
    tune(folder / "cache", Pipeline(), folds=2).write(folder / "folds")
    half = tune(
        folder / "cache", Pipeline(), tuning_images=range(16), stages=["global"], groups=["a"] * 16 + ["b"] * 16
    )
    half.write(folder / "half")
    write_photos(folder / "photos", list(map(clear_photo, scenes)))
    tune(folder / "cache", folds=2, stages=["global"], image_root=folder / "photos").write(folder / "photos")
    return {
        "sweep.json": [folder / "sweep.json"],
        "attribution.json": [folder / "attribution.json"],
        "tuning.json": [folder / one / "tuning.json" for one in ("folds", "half", "photos")],
    }


@pytest.mark.parametrize("name", ["sweep.json", "attribution.json", "tuning.json"])
def test_the_page_has_every_key_and_no_other(written, name):
    found = {key for path in written[name] for key in keys_of(json.loads(path.read_text(encoding="utf-8")))}
    keys = documented(name)
    assert len(keys) == len(set(keys))
    # What is empty in one place has its keys elsewhere.
    beginnings = {key[: end.start()] for key in keys for end in re.finditer(r"\[\]|\.", key)}
    known = [pattern_of(key) for key in (*keys, *beginnings)]
    unknown = {path for path in found if not any(one.fullmatch(path) for one in known)}
    unused = {key for key in keys if not any(pattern_of(key).fullmatch(path) for path in found)}
    assert (unknown, unused) == (set(), set())


@pytest.mark.parametrize(
    "value, keys",
    [
        ({"a": 1, "b": {"c": None}}, {"a", "b.c"}),
        ({"a": [{"b": 1}, {"c": 2}], "d": [], "e": {}}, {"a[].b", "a[].c", "d", "e"}),
        ({"a": [[1, 2]]}, {"a"}),
    ],
)
def test_keys_in_the_pages_spelling(value, keys):
    assert keys_of(value) == keys


@pytest.mark.parametrize(
    "key, path, matches",
    [
        ("a.*.b", "a.x.b", True),
        ("a.*.b", "a.x.y.b", False),
        ("a[].b", "a[].b", True),
        ("a.…", "a.x.y[].z", True),
        ("a.…", "ab", False),
        ("a", "a.b", False),
    ],
)
def test_patterns(key, path, matches):
    assert bool(pattern_of(key).fullmatch(path)) == matches
