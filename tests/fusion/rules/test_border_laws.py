"""Borders that move to where the image changes: laws of every rule on random scenes, and how it takes the image."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DenseCrf, FusionResult, GuidedFilter, Need, Pipeline
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.border_drawings import fused_scene, heads_of, paint, result_of
from tests.fusion.cases import photo
from tests.fusion.drawings import GRASS, SKY, assert_map, draw
from tests.fusion.results import named, who
from tests.fusion.runs import needs_pydensecrf

SIZE = (48, 65)
SCENES = [
    make_scene(seed, image_size=SIZE, instances=count, things=5, stuff=12) for seed, count in enumerate([0, 7, 40, 100])
]
RULES = {
    "guided_filter": GuidedFilter(),
    "guided_filter, narrow": GuidedFilter(1, 1e-6),
    "guided_filter, wide": GuidedFilter(30, 0.1),
    "dense_crf": DenseCrf(),
    "dense_crf, many runs": DenseCrf(2, 0.7, bilateral_sxy=4, max_segments=2),
    "dense_crf, wide": DenseCrf(20, 0.5, 3, 5, 60, 30, 20, 2),
    "dense_crf of all": DenseCrf(move_things=True),
    "dense_crf of all, narrow": DenseCrf(1, bilateral_sxy=8, move_things=True),
    "dense_crf of all, many runs": DenseCrf(2, 0.7, bilateral_sxy=4, max_segments=2, move_things=True),
    "dense_crf of all, wide": DenseCrf(20, 0.5, 3, 5, 60, 30, 20, 2, move_things=True),
}


def of_rules(*names: str):
    marks = {name: [needs_pydensecrf] if isinstance(RULES[name], DenseCrf) else [] for name in names}
    return pytest.mark.parametrize("rule", [pytest.param(RULES[name], id=name, marks=marks[name]) for name in names])


@of_rules(*RULES)
@pytest.mark.parametrize("seed", range(len(SCENES)))
class TestLaws:
    @pytest.fixture
    def run(self, seed, rule):
        heads, before = fused_scene(SCENES[seed], seed)
        return heads, before, rule.refine(heads, before)

    def test_a_pixel_goes_only_to_what_was_within_the_radius(self, run, rule):
        _, before, after = run
        old, new = named(before), named(after)
        radius = rule.window_radius if isinstance(rule, GuidedFilter) else rule.radius
        for y, x in np.ndindex(SIZE):
            square = old[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            assert new[y, x] in set(square.ravel())
        assert (old != new).any()

    def test_things_and_void_stay_unless_they_are_to_move(self, run, rule):
        _, before, after = run
        old, new = ([one is None or one[0] for one in named(result).ravel()] for result in (before, after))
        same = (named(before).ravel() == named(after).ravel())[old]
        assert old == new and same.all() or getattr(rule, "move_things", False)

    def test_every_segment_stays_or_is_dropped_for_it(self, run):
        _, before, after = run
        gone = {
            (one.isthing, one.category_id, one.instance_id) for one in after.dropped if one.reason == "border"
        }  # fmt: skip
        assert [who(one) for one in before.segments_info if who(one) not in gone] == [
            who(one) for one in after.segments_info
        ]
        assert len(after.dropped) == len(before.dropped) + len(gone)
        assert set(before.dropped) <= set(after.dropped)

    def test_the_numbering_does_not_matter(self, run, rule):
        heads, before, after = run
        count = len(before.segments_info)
        turned = torch.where(before.panoptic_seg > 0, count + 1 - before.panoptic_seg, 0).to(torch.int32)
        segments_info = [{**one, "id": count + 1 - one["id"]} for one in reversed(before.segments_info)]
        other = rule.refine(heads, FusionResult(turned, segments_info, before.dropped))
        np.testing.assert_array_equal(named(other), named(after))


@of_rules("guided_filter", "dense_crf", "dense_crf of all")
@pytest.mark.parametrize("seed", range(3))
def test_a_frayed_horizon_is_mended(seed, rule):
    rng, height, width = np.random.default_rng(seed), 90, 165
    y, x = np.mgrid[:height, :width]
    horizon = 45 + 12 * np.sin(x / 20)
    gt = np.where(y < horizon, 1, 2)
    before = result_of(np.where(y < horizon + rng.normal(0, 3, gt.shape), 1, 2), (SKY, GRASS))
    after = rule.refine(heads_of(photo(gt, seed)), before)
    wrong_before, wrong_after = ((result.panoptic_seg.numpy() != gt).sum() for result in (before, after))
    assert wrong_after < wrong_before / 2


class TestImage:
    @pytest.mark.parametrize("stuff", [(), (SKY, GRASS)], ids=["things", "stuff"])
    @pytest.mark.parametrize("name, rule", [("guided_filter", GuidedFilter()), ("dense_crf", DenseCrf())])
    def test_it_is_needed_and_pipelines_know(self, name, rule, stuff):
        assert needs_of(rule) == {Need.IMAGE}
        with pytest.raises(InputError, match=f"border={name} needs the image, but there are none here"):
            Pipeline(border=rule).check_needs({Need.IMAGE: "there are none here"})
        with pytest.raises(InputError, match=f"{name} needs the image at output resolution, but there is none; give"):
            rule.refine(heads_of(None, size=(1, 4)), result_of(draw("1122"), stuff))

    @pytest.mark.parametrize(
        "rule, stuff, rows, colours, after",
        [
            pytest.param(GuidedFilter(2), (SKY, GRASS), 6, "rrrrrggggg ", "1111122222 ", id="guided_filter"),
            pytest.param(
                DenseCrf(move_things=True), (), 4, "rrrrgggggg ", "1111222222 ", id="dense_crf", marks=needs_pydensecrf
            ),
        ],
    )
    def test_how_it_lies_in_memory_does_not_matter(self, rule, stuff, rows, colours, after):
        before, image = result_of(draw("1111112222 " * rows), stuff), paint(colours * rows)
        channels_first = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).permute(1, 2, 0)
        for one in (image, channels_first, np.asfortranarray(image)):
            assert_map(rule.refine(heads_of(one), before), after * rows)
