import pytest

from panoptic_heuristic.ablation.cache.own_settings import remember_pipeline
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from tests.ablation.explorer.browser import browser
from tests.ablation.explorer.random_settings import DEFAULT
from tests.ablation.explorer.stores import hard_images, random_store


@pytest.fixture(scope="package")
def images():
    """Images that hold what is hard to get right."""
    return hard_images(12)


@pytest.fixture(scope="package")
def store(images, tmp_path_factory):
    store = random_store(tmp_path_factory.mktemp("random"), images)
    remember_pipeline(store.cache, DEFAULT)
    return store


@pytest.fixture(scope="package")
def page_path(store, tmp_path_factory):
    """The page of these images."""
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(make_explorer(store, ExplorerSettings("random")), encoding="utf-8")
    return path


@pytest.fixture(scope="package")
def chromium():
    with browser() as chromium:
        yield chromium
