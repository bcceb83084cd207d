"""The browser fuses and counts as Python does on pixels, to the last count."""

import pytest

from panoptic_heuristic.ablation.explorer.rules import Abilities
from tests.ablation.explorer.browser import open_page
from tests.ablation.explorer.fused import FUSE_ALL, fused_by_python, normal
from tests.ablation.explorer.random_settings import DEFAULT, random_settings


@pytest.mark.slow
def test_the_browser_fuses_as_python_does(store, page_path, images, chromium):
    settings = random_settings(images, rounds=17)
    abilities = Abilities.of(store.cache, [DEFAULT])
    assert [name for name, one in settings if abilities.why_not(one) is not None] == []
    pipelines = [pipeline for _, pipeline in settings]
    opened = open_page(chromium, page_path)
    fused = opened.page.evaluate(FUSE_ALL, [abilities.flat(one) for one in pipelines])
    order = opened.page.evaluate("JSON.parse(document.getElementById('page').textContent).images.map(([id]) => id)")
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
    assert opened.complaints == [] and len(opened.requests) == 1


def test_iou_is_rounded_as_in_python(page_path, chromium):
    from panoptic_heuristic.quality.counts import in_units

    pairs = [(1, 1), (2, 3), (1, 2**40), (3, 2**41), (2**41 - 1, 2**42), (999_999, 1_000_003)]
    opened = open_page(chromium, page_path)
    found = opened.page.evaluate(
        """async (pairs) => {
          const { inUnits } = await import("explorer/counting.js");
          return pairs.map(([intersection, union]) => String(inUnits(intersection, union)));
        }""",
        pairs,
    )
    assert found == [str(in_units(*pair)) for pair in pairs]


@pytest.mark.parametrize(
    "pixels, expected",
    [
        # Of void, of the segment under the prediction, of the rest of it, and of what is not listed.
        ((0, 2, 1, 0), (0, False)),
        ((0, 1, 1, 0), (-1, True)),  # an IoU of one half is no match
        ((3, 2, 1, 0), (0, False)),  # void does not count
        ((2, 1, 2, 0), (-1, False)),  # more than half of it is on void
        ((1, 1, 2, 0), (-1, True)),
        ((0, 2, 0, 2), (-1, True)),  # what is not listed counts
    ],
)
def test_matches_at_one_half(page_path, chromium, pixels, expected):
    opened = open_page(chromium, page_path)
    match, is_false = opened.page.evaluate(
        """async (pixels) => {
          const { score } = await import("explorer/counting.js");
          const gtPlace = [0, 1, 1, 2];
          const areas = [pixels[0], pixels[1] + pixels[2], pixels[3]];
          const gt = { ids: [7], places: [0], isCrowd: [false], areas, lastCrowd: new Map() };
          const segments = [{ place: 0, area: pixels[0] + pixels[1] + pixels[3] }];
          const [worth] = score({ gt, pixels, gtPlace }, { segments, segmentOf: [0, 0, -1, 0] });
          return [worth.match, worth.isFalse];
        }""",
        list(pixels),
    )
    assert (match, is_false) == expected
