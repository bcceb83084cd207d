"""The browser fuses and counts as Python does on pixels, to the last count."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.own_settings import remember_pipeline
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.fusion import (
    BestStuff,
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
)
from tests.ablation.explorer.browser import browser, open_page
from tests.ablation.explorer.fused import FUSE_ALL, fused_by_python, normal
from tests.ablation.explorer.stores import hard_images, random_store
from tests.ablation.random_images import BEST_STUFF_FLOOR, random_thresholds

IMAGES, ROUNDS = 16, 20

# With weights and a share of islands that the page then has, too.
DEFAULT = Pipeline(
    order=Calibrated({5: (0.2, 0.7, 1.5, -0.1, -2.0)}, {31: 0.4}, (-0.5, 1.1, 0.3, 0.2, -0.7), 0.1),
    island_area_fraction=0.02,
)

RULES = {
    "greedy": {"claim": Greedy()},
    "per pixel": {"claim": PerPixel(), "thing_area_thresh": 4},
    "class aware": {"claim": ClassAware(0.5, 0.6, 0.2)},
    "reclaim by area": {"claim": Reclaim(0.6, 0.3, "area", 0.7)},
    "reclaim by precedence": {"claim": Reclaim(0.7, 0.1, "precedence", precedence=((5, 0), (0, 31), (31, 5)))},
    "mask NMS": {"suppress": Nms(0.4), "stuff": DroppedToVoid("before")},
    "box NMS": {"suppress": Nms(0.3, "box"), "claim": PerPixel()},
    "gate and veto": {"suppress": SemanticGate(0.2), "veto": SemanticVeto(0.4)},
    "veto": {"veto": SemanticVeto(), "thing_area_thresh": 9},
    "best stuff": {"leftover": BestStuff(BEST_STUFF_FLOOR)},
    "power": {"order": Power(0.5, 2.0, 1.0)},
    "calibrated": {"order": DEFAULT.order, "claim": Reclaim()},
    "islands": {"island_area_fraction": 0.02, "leftover": BestStuff(BEST_STUFF_FLOOR)},
}


@pytest.fixture(scope="module")
def images():
    return hard_images(IMAGES)


@pytest.fixture(scope="module")
def store(images, tmp_path_factory):
    store = random_store(tmp_path_factory.mktemp("random"), images)
    remember_pipeline(store.cache, DEFAULT)
    return store


@pytest.fixture(scope="module")
def page_path(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(make_explorer(store, ExplorerSettings("random")), encoding="utf-8")
    return path


def random_settings(images):
    """By the name of their rules, settings whose thresholds are often what decides in an image."""
    rng = np.random.default_rng(15)
    settings = []
    for place in range(ROUNDS):
        for name, rules in RULES.items():
            base = Pipeline(**rules)
            if place % 3 == 2 and name not in ("gate and veto", "veto"):
                base = dataclasses.replace(base, island_area_fraction=0.02)
            settings.append((name, random_thresholds(images[int(rng.integers(len(images)))], rng, base)))
    return settings


def test_the_browser_fuses_as_python_does(store, page_path, images):
    settings = random_settings(images)
    abilities = Abilities.of(store.cache, [DEFAULT])
    assert [name for name, one in settings if abilities.why_not(one) is not None] == []
    pipelines = [pipeline for _, pipeline in settings]
    with browser() as chromium:
        opened = open_page(chromium, page_path)
        fused = opened.page.evaluate(FUSE_ALL, [abilities.flat(one) for one in pipelines])
        order = opened.page.evaluate("JSON.parse(document.getElementById('page').textContent).images.map(([id]) => id)")
    assert opened.complaints == [] and len(opened.requests) == 1
    expected = {image_id: fused_by_python(store, image_id, pipelines) for image_id in order}
    reasons = set()
    for number, (name, pipeline) in enumerate(settings):
        for place, image_id in enumerate(order):
            one = expected[image_id][number]
            assert normal(fused[number][place]) == normal(one), (name, image_id, pipeline)
            reasons |= {reason for _, reason in [*one["things"], *one["stuff"]]}
    # Nothing is left untested for want of a case.
    assert reasons >= {
        "not_finite", "score", "nms", "gate", "probability", "empty", "overlap", "covered", "duplicate", "no_room",
        "veto", "thing_area", "stuff_area", "island", "key",
    }  # fmt: skip
    assert len(settings) >= 200 and len(order) >= 10


def test_settings_come_back_from_the_form_of_the_page(store, images):
    abilities = Abilities.of(store.cache, [DEFAULT])
    for _, pipeline in random_settings(images):
        assert abilities.pipeline(abilities.flat(pipeline)) == pipeline
