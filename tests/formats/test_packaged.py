"""Configs are named by paths of one's own, or by their place among the packaged ones."""

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.packaged import CONFIGS, config_path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["presets/rap.yaml", "configs/presets/rap.yaml"])
def test_a_packaged_file_is_found_from_any_folder(name):
    assert config_path(name) == CONFIGS / "presets" / "rap.yaml"


@pytest.mark.parametrize("name", sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml")))
def test_every_packaged_file_is_found(name):
    assert config_path(name).is_file()


def test_a_file_of_ones_own_goes_first(tmp_path):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "rap.yaml").write_text("")
    assert config_path("presets/rap.yaml").resolve() == tmp_path / "presets" / "rap.yaml"


@pytest.mark.parametrize("name", ["", ".", "presets", "presets/none.yaml", "/presets/rap.yaml"])
def test_what_is_nowhere_is_told_with_both_places(name):
    with pytest.raises(InputError) as refused:
        config_path(name)
    assert str(refused.value) == f"there is no file {name!r} here, and none of that name in {CONFIGS}"
