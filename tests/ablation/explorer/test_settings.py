"""Settings as the page has them: in links, as YAML, and back in Python."""

import pytest
import yaml

from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.explorer.browser import open_page
from tests.ablation.explorer.random_settings import DEFAULT, random_settings
from tests.ablation.random_images import CATEGORIES


@pytest.fixture
def pipelines(images):
    return [pipeline for _, pipeline in random_settings(images, rounds=4)]


@pytest.fixture
def abilities(store):
    return Abilities.of(store.cache, [DEFAULT])


def test_settings_come_back_from_the_form_of_the_page(abilities, pipelines):
    for pipeline in pipelines:
        assert abilities.pipeline(abilities.flat(pipeline)) == pipeline


def test_a_link_brings_back_what_one_sees(page_path, chromium, abilities, pipelines):
    opened = open_page(chromium, page_path)
    back = opened.page.evaluate(
        """async (settings) => {
          const { readPage } = await import("explorer/page.js");
          const { readFragment, writeFragment } = await import("explorer/fragment.js");
          const { firstState } = await import("explorer/state.js");
          const page = readPage();
          return settings.map((one) => {
            const others = { image: 3, view: "gt", opacity: 0.35, borders: false, category: 2, candidate: 0 };
            const kept = { ...others, settings: one, pinned: settings[0], compare: "pinned", sort: "errors" };
            return [kept, readFragment(writeFragment({ ...firstState(page), ...kept }, page), page)];
          });
        }""",
        [abilities.flat(one) for one in pipelines],
    )
    for kept, state in back:
        assert state == kept


@pytest.mark.parametrize(
    "fragment",
    [
        "claim=%22joint_list%22",
        "claim=greedy",
        "instances_score_thresh=%22a%22&claim.overlap_threshold=2&stuff_area_thresh=-1",
        "instances_score_thresh_of=[[77,0.5]]",
        "veto=%22semantic_veto%22&stuff.counted=%22before%22",
        "order.calibration=7&island_area_fraction=0.5&order.weights=[]",
        "image=nothing&view=all&opacity=x&class=77&candidate=-1&compare=pinned&sort=0",
        "%7B%7D&&=&__proto__=1",
    ],
)
def test_what_makes_no_sense_in_a_link_is_left_out(page_path, chromium, fragment):
    opened = open_page(chromium, page_path, f"#{fragment}")
    first, read = opened.page.evaluate(
        """async () => {
          const { readPage } = await import("explorer/page.js");
          const { readFragment } = await import("explorer/fragment.js");
          const { firstState } = await import("explorer/state.js");
          return [firstState(readPage()), readFragment(location.hash.slice(1), readPage())];
        }"""
    )
    assert read == first and opened.complaints == []


def test_the_yaml_is_a_config_with_these_settings(page_path, chromium, abilities, pipelines):
    opened = open_page(chromium, page_path)
    texts = opened.page.evaluate(
        """async (settings) => {
          const { readPage } = await import("explorer/page.js");
          const { toYaml } = await import("explorer/yaml.js");
          return settings.map((one) => toYaml(one, readPage()));
        }""",
        [abilities.flat(one) for one in pipelines],
    )
    for text, pipeline in zip(texts, pipelines, strict=True):
        content = yaml.safe_load(text)
        assert Pipeline.from_config(content, CATEGORIES) == pipeline
        assert content["MODEL"]["META_ARCHITECTURE"] == "PanopticHeuristicFPN"
        assert content["MODEL"]["ROI_HEADS"]["SCORE_THRESH_TEST"] == min(0.05, pipeline.lowest_score_thresh)
