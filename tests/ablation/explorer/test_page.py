"""The page in a browser: what people do on it."""

import dataclasses
import re

import numpy as np
import pytest
import yaml

from panoptic_heuristic.ablation.explorer.image import PictureSettings
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.explorer.browser import open_page
from tests.ablation.explorer.stores import random_store
from tests.ablation.random_images import CATEGORIES

HOSTILE = "</script><script>window.broken = 1</script>"
NAMES = {
    0: HOSTILE,
    5: "<img src=x onerror='window.broken = 1'>",
    31: "&lt;b&gt; ${1} {{data}} \u2028 'é\": -",
    9: "yes",
}


@pytest.fixture(scope="module")
def categories():
    return Categories(dataclasses.replace(one, name=NAMES.get(one.id, one.name)) for one in CATEGORIES.values())


@pytest.fixture(scope="module")
def hostile(images, categories, tmp_path_factory):
    """A store whose names are markup."""
    return random_store(tmp_path_factory.mktemp("hostile"), images, categories, f"{HOSTILE}{{}}.png")


@pytest.fixture(scope="module")
def hostile_path(hostile, tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile_page") / "a page.html"
    path.write_text(make_explorer(hostile, ExplorerSettings(f"title {HOSTILE}")), encoding="utf-8")
    return path


@pytest.fixture
def opened(chromium, hostile_path):
    opened = shown(open_page(chromium, hostile_path, viewport={"width": 1300, "height": 900}))
    yield opened
    assert opened.complaints == []
    # Its own file and nothing else, whatever was done.
    assert len(opened.requests) == 1 and opened.requests[0].startswith("file:")
    opened.page.close()


def shown(opened):
    """Waits until all is drawn and the address is up to date."""
    opened.page.wait_for_selector("html[data-shown=all]", state="attached")
    opened.page.wait_for_timeout(300)
    return opened


def fragment(opened):
    shown(opened)
    return opened.page.evaluate("location.hash.slice(1)")


def pq_of_all(store, pipeline):
    """PQ of a pipeline in percent, by Python."""
    categories = store.cache.manifest.categories
    total, plan = SettingCounts.zeros(len(categories), 1), SettingsPlan.of([pipeline], categories)
    for image_id in store.image_ids:
        regions = plan.read(store, image_id)
        total.add_gt(regions[0].gt, categories)
        total.add_image(plan.count(*regions))
    return 100 * total.quality().mean("pq", np.ones(len(categories), dtype=bool))[0]


def test_names_are_shown_and_never_run(opened):
    page = opened.page
    assert page.evaluate("window.broken") is None
    assert page.locator("h1").inner_text() == f"title {HOSTILE}" == page.title()
    assert page.locator("#class-rows").get_by_text(NAMES[5], exact=True).count() == 1
    assert page.locator("#image-list .name").first.inner_text().startswith(HOSTILE)
    assert page.locator("img[src=x]").count() == 0


def test_a_slider_changes_pq_as_python_says(opened, hostile):
    score = opened.page.get_by_label("Least score of an instance", exact=True)
    pq = opened.page.locator("#scores div", has_text="PQ of all").locator("dd")
    seen = set()
    for value in (200, 700):
        score.fill(str(value))
        shown(opened)
        expected = pq_of_all(hostile, Pipeline(instances_score_thresh=value / 1000))
        assert pq.inner_text().startswith(f"{expected:.1f}")
        seen.add(pq.inner_text())
    assert len(seen) == 2
    opened.page.get_by_label("Least score of an instance, exactly").fill("0.123456")
    opened.page.keyboard.press("Tab")
    assert "instances_score_thresh=0.123456" in fragment(opened)


def test_keys_and_the_address(opened, chromium, hostile_path):
    page = opened.page
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "3", "b", "p"):
        page.keyboard.press(key)
    page.get_by_label("Preset").select_option("preset rap")
    page.get_by_label("Sort").select_option("errors")
    link = fragment(opened)
    second = page.evaluate("JSON.parse(document.getElementById('page').textContent).images[1][0]")
    for part in (f"image={second}", "view=difference", "borders=false", "pinned=true", "compare=pinned", "sort=errors"):
        assert part in link
    assert "claim=%22class_aware%22" in link and page.locator("#where").inner_text() == "rap"

    again = shown(open_page(chromium, hostile_path, f"#{link}", viewport={"width": 1300, "height": 900}))
    assert again.page.locator("#here canvas").get_attribute("aria-label") == page.locator(
        "#here canvas"
    ).get_attribute("aria-label")
    assert again.page.locator("#scores").inner_text() == page.locator("#scores").inner_text()
    again.page.close()

    page.keyboard.press("d")
    page.keyboard.press("Escape")
    assert "claim" not in re.sub(r"pin\.\S+", "", fragment(opened))


def test_who_chooses_an_image_by_keys_stays_there(opened):
    page = opened.page
    page.locator("#image-list button").nth(2).focus()
    page.keyboard.press("Enter")
    shown(opened)
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"


def test_keys_do_nothing_while_one_chooses(opened):
    opened.page.get_by_label("Most overlap with better ones", exact=True).focus()
    opened.page.keyboard.press("ArrowRight")
    assert "image=" not in fragment(opened) and "claim.overlap_threshold=0.501" in fragment(opened)


def test_a_class_filters_images_and_candidates(opened):
    page = opened.page
    images, candidates = page.locator("#image-list li"), page.locator("#candidate-rows th")
    page.locator("#fate").select_option("all")
    shown(opened)
    before = images.count(), candidates.count()
    page.locator("#class-rows").get_by_text(NAMES[31], exact=True).click()
    shown(opened)
    assert 0 < images.count() < before[0] and 0 < candidates.count() < before[1]
    assert set(candidates.all_inner_texts()) == {NAMES[31]}
    assert "class=31" in fragment(opened)
    page.get_by_role("button", name="All classes").click()
    shown(opened)
    assert (images.count(), candidates.count()) == before


def test_a_class_gets_values_of_its_own(opened, hostile, categories):
    page = opened.page
    page.locator("#class-rows").get_by_text(NAMES[31], exact=True).click()
    page.get_by_label("Least score of an instance: own value").check()
    page.locator("#own").get_by_label("Least score of an instance, exactly").fill("0.9")
    page.keyboard.press("Tab")
    shown(opened)
    expected = pq_of_all(hostile, Pipeline(instances_score_thresh_of={31: 0.9}))
    assert page.locator("#scores div", has_text="PQ of all").locator("dd").inner_text().startswith(f"{expected:.1f}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy YAML").click()
    page.get_by_text("The YAML is copied").wait_for()
    content = yaml.safe_load(page.evaluate("navigator.clipboard.readText()"))
    assert Pipeline.from_config(content, categories) == Pipeline(instances_score_thresh_of={31: 0.9})


def test_under_the_pointer(opened):
    page = opened.page
    page.keyboard.press("2")
    page.locator("#here canvas").hover()
    page.get_by_text("Ground truth").first.wait_for()
    assert "kept" in page.locator("#pointer").inner_text() or "Void" in page.locator("#pointer").inner_text()
    page.locator("#here canvas").focus()
    before = page.locator("#here .cross").bounding_box()
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    after = page.locator("#here .cross").bounding_box()
    assert after["x"] < before["x"] and after["y"] < before["y"]


def test_every_control_has_a_name_and_the_keyboard_reaches_it(opened):
    unnamed = opened.page.evaluate(
        """[...document.querySelectorAll("input, select, button, canvas, textarea, section")]
             .filter((one) => one.checkVisibility() && !one.getAttribute("aria-label") && !one.textContent.trim())
             .filter((one) => !one.labels?.length).map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "To the settings"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "settings"


@pytest.mark.parametrize("width", [390, 1024, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out(chromium, hostile_path, width, scheme):
    opened = shown(open_page(chromium, hostile_path, viewport={"width": width, "height": 844}, color_scheme=scheme))
    assert opened.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert opened.complaints == []
    opened.page.close()


def test_photos_are_shown(chromium, store, tmp_path):
    from PIL import Image

    for image in store.cache.manifest.images:
        Image.new("RGB", (image.width, image.height), (200, 30, 30)).save(tmp_path / image.file_name)
    path = tmp_path / "page.html"
    path.write_text(make_explorer(store, ExplorerSettings("t", images=3, pictures=PictureSettings(tmp_path))))
    opened = shown(open_page(chromium, path))
    photo = opened.page.locator("#here img")
    assert photo.evaluate("(one) => one.complete && one.naturalWidth > 0") and opened.complaints == []
    assert opened.page.locator("#image-list img:visible").count() == 3
    opened.page.close()
