import pytest

import panoptic_heuristic.detectron  # noqa: F401  makes Detectron2 importable

from detectron2.data import DatasetCatalog, MetadataCatalog  # isort: skip


@pytest.fixture(autouse=True)
def clean_catalogs():
    """Takes what a test registers out of Detectron2's catalogs again."""
    before = [set(catalog.list()) for catalog in (DatasetCatalog, MetadataCatalog)]
    yield
    for catalog, names in zip((DatasetCatalog, MetadataCatalog), before, strict=True):
        for name in set(catalog.list()) - names:
            catalog.remove(name)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, so that no test writes to the user's."""
    monkeypatch.setenv("PANOPTIC_HEURISTIC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
