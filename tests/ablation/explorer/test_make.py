"""What goes into a page: its images, rules, marks, heat maps, and how it is packed. No browser is needed."""

import base64
import dataclasses
import json
import re
import zlib

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.own_settings import remember_pipeline
from panoptic_heuristic.ablation.explorer.arrays import packed, packed_map
from panoptic_heuristic.ablation.explorer.choice import Selection, choose_images
from panoptic_heuristic.ablation.explorer.image import Orders, PictureSettings, image_data
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from panoptic_heuristic.ablation.explorer.marks import Marks
from panoptic_heuristic.ablation.explorer.page import PARTS, pack_page
from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Calibrated, DenseCrf, Pipeline, Power
from tests.ablation.explorer.random_settings import DEFAULT
from tests.ablation.explorer.stores import random_store
from tests.ablation.report_sweeps import GREEDY, small_store, swept


def page_data(text):
    """The page's own data, and those of its images."""
    page, *images = re.findall(r'<script type="application/json" [^>]*>(.*?)</script>', text, flags=re.DOTALL)
    return json.loads(page), [json.loads(one) for one in images]


def unpacked(data):
    content = zlib.decompress(base64.b64decode(data["data"]))
    return np.frombuffer(content, np.dtype(data["type"]).newbyteorder("<")).reshape(data["shape"])


class TestArrays:
    @pytest.mark.parametrize("values", [[[1, 2]], [], [np.nan, np.inf, 0.1]], ids=str)
    def test_there_and_back(self, values):
        for dtype in (np.float64, np.float32):
            np.testing.assert_array_equal(unpacked(packed(np.array(values, dtype))), np.array(values, dtype))

    @pytest.mark.parametrize("largest, kind", [(65535, "uint16"), (65536, "uint32")])
    def test_a_map_keeps_what_differs_from_the_row_above(self, largest, kind):
        values = np.array([[1, 2, largest], [1, 2, largest], [1, 3, 0]])
        data = packed_map(values)
        assert data["type"] == kind
        assert unpacked(data).tolist() == [[1, 2, largest], [0, 0, 0], [0, 1, largest]]
        assert values[1].tolist() == [1, 2, largest]


class TestPacking:
    def test_nothing_in_the_data_ends_its_element(self):
        text = pack_page("a </title> & b", {"name": "</script><!-- \u2028 {{style}}"}, [{"x": "<"}])
        assert "<title>a &lt;/title&gt; &amp; b</title>" in text
        assert page_data(text) == ({"name": "</script><!-- \u2028 {{style}}"}, [{"x": "<"}])
        assert "\u2028" not in text and text.count("</script>") == 4

    def test_it_asks_for_nothing_from_anywhere(self):
        text = pack_page("t", {}, [])
        assert not re.search(r"""(src|href)=["'](?!#|data:)|url\(|@import|https?://""", text)
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
        assert "default-src &#x27;none&#x27;" in policy and "unsafe" not in policy

    def test_every_module_is_there_word_by_word(self):
        (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', pack_page("t", {}, []))
        urls = json.loads(import_map)["imports"]
        modules = {path.name for path in PARTS.glob("*.js")}
        assert set(urls) == {f"explorer/{name}" for name in modules}
        for name in modules:
            text = base64.b64decode(urls[f"explorer/{name}"].partition(",")[2]).decode()
            assert text.startswith((PARTS / name).read_text(encoding="utf-8"))

    def test_modules_import_each_other_only(self):
        modules = {f"explorer/{path.name}" for path in PARTS.glob("*.js")}
        for path in PARTS.glob("*.js"):
            text = path.read_text(encoding="utf-8")
            assert set(re.findall(r'from "(.*?)";', text)) <= modules - {f"explorer/{path.name}"}
            assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "eval(" not in text

    def test_modules_are_small(self):
        assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in PARTS.iterdir()) < 250


class TestImages:
    def test_worst_and_ids_and_random(self, store):
        def choose(how, number=3, **options):
            return choose_images(store, how, number, default=Pipeline(), recommended=Pipeline(), **options)

        worst = choose(Selection.WORST, 99)
        assert sorted(worst) == sorted(store.image_ids) and choose(Selection.WORST) == worst[:3]
        assert choose([worst[4], worst[0], worst[4]]) == [worst[4], worst[0]]
        assert choose(Selection.RANDOM, seed=1) == choose(Selection.RANDOM, seed=1) != choose(Selection.RANDOM, seed=2)
        with pytest.raises(InputError, match="nothing changes"):
            choose(Selection.CHANGED)
        with pytest.raises(InputError, match="has no image 12345"):
            choose([12345])

    def test_changed_are_those_whose_errors_change_most(self, store):
        other = Pipeline(instances_score_thresh=0.0, stuff_area_thresh=0)
        chosen = choose_images(store, Selection.CHANGED, 99, default=Pipeline(), recommended=other)
        assert sorted(chosen) == sorted(store.image_ids)

    def test_a_smaller_map_has_all_pixels_of_the_large_one(self, tmp_path):
        store = small_store(tmp_path)
        (image, *_) = store.cache.manifest.images
        orders, options = Orders((0.0, 1.0), ()), {"island_area_fractions": [0.0], "with_best_stuff": False}
        large, small = (
            image_data(store, image, orders, PictureSettings(None, side), **options) for side in (1024, 64)
        )
        assert small["pixels"] == large["pixels"] and unpacked(large["pixels"]).sum() == image.height * image.width
        assert max(small["map"]["shape"]) <= 64 < max(large["map"]["shape"]) and small["step"] == 2

    def test_unknown_measures_have_no_powers(self, tmp_path):
        store = small_store(tmp_path)
        page, _ = page_data(make_explorer(store, ExplorerSettings("t", images=1)))
        assert page["exponents"]["order.quality_exponent"] == [0.0] and 2.0 in page["exponents"]["order.score_exponent"]


class TestRules:
    def test_what_is_there_and_why_the_rest_is_not(self, store):
        abilities = Abilities.of(store.cache, [DEFAULT])
        rules, presets = abilities.rules(), abilities.presets()
        able = {stage: {name for name, one in names.items() if isinstance(one, dict)} for stage, names in rules.items()}
        assert able == {
            "suppress": {"none", "nms", "semantic_gate"},
            "order": {"score", "power", "calibrated"},
            "claim": {"greedy", "per_pixel", "class_aware", "reclaim"},
            "veto": {"none", "semantic_veto"},
            "stuff": {"void"},
            "leftover": {"void", "best_stuff"},
            "border": {"none"},
        }
        assert "RoI mask probabilities" in rules["claim"]["pixel_argmax"]
        assert "looks at single pixels" in rules["leftover"]["components"] or "needs" in rules["leftover"]["components"]
        assert isinstance(presets["rap"], dict) and isinstance(presets["upsnet"], str)
        assert str(store.cache.folder) not in json.dumps([rules, presets])

    def test_the_gate_needs_labels_of_every_image(self, images, store, tmp_path):
        page, _ = page_data(make_explorer(store, ExplorerSettings("t")))
        assert isinstance(page["rules"]["suppress"]["semantic_gate"], dict)
        bare = images[0]._replace(predictions=dataclasses.replace(images[0].predictions, semantics=None))
        other = random_store(tmp_path, [bare, *images[1:3]])
        page, _ = page_data(make_explorer(other, ExplorerSettings("t")))
        assert page["rules"]["suppress"]["semantic_gate"] == "an image of the page has no semantic labels"

    def test_a_preset_has_the_floor_that_the_cache_knows(self, store):
        presets = Abilities.of(store.cache, []).presets()
        assert presets["pku360"]["leftover.floor"] == store.cache.manifest.floors.stuff_probability

    def test_exponents_and_calibrations_of_what_is_marked_are_there(self, store):
        abilities = Abilities.of(store.cache, [Pipeline(order=Power(0.3)), DEFAULT])
        assert abilities.orders.exponents == (0.0, 0.3, 0.5, 1.0, 2.0) and len(abilities.orders.calibrations) == 1
        assert abilities.island_area_fractions == (0.0, 0.02)
        assert "islands" in abilities.why_not(Pipeline(island_area_fraction=0.3))
        assert isinstance(Abilities.of(store.cache, []).rules()["order"]["calibrated"], str)
        assert Calibrated in map(type, abilities.orders.calibrations)


class TestMarks:
    def test_the_best_of_a_sweep_is_recommended(self, tmp_path):
        store = small_store(tmp_path)
        swept(tmp_path / "sweep", store, GREEDY)
        from panoptic_heuristic.ablation.sweeping.result import SweepResult

        sweep = SweepResult(tmp_path / "sweep")
        marks = Marks.of(store.cache, sweep, None)
        best = max(sweep.rows(), key=lambda row: row["pq_all"])
        assert marks.recommended.pipeline.instances_score_thresh == best["instances_score_thresh"]
        page, images = page_data(make_explorer(store, ExplorerSettings("t", images=2), sweep=sweep))
        assert len(images) == 2 and page["marks"]["recommended"]["words"] == "the best of the sweep"
        pqs = [pq for _, _, pq, _ in page["sweep"]["maps"][0]["cells"]]
        assert max(pqs) == pytest.approx(best["pq_all"]) and page["sweep"]["images"] == len(store.image_ids)
        for one in page["sweep"]["maps"]:
            for column, row, _, setting in one["cells"]:
                settings = page["sweep"]["settings"][setting]
                assert settings[one["x"]] == one["xs"][column] and settings[one["y"]] == one["ys"][row]

    def test_a_default_that_looks_at_pixels_is_told(self, tmp_path):
        store = small_store(tmp_path)
        remember_pipeline(store.cache, Pipeline(border=DenseCrf()))
        marks = Marks.of(store.cache, None, None)
        assert marks.default.pipeline == Pipeline() and marks.recommended is None

    def test_two_runs_write_the_same_bytes(self, store):
        again = open_store(store.cache.folder, store.gt.path, store.panoptic_root)
        settings = ExplorerSettings("t", Selection.RANDOM, images=4)
        assert make_explorer(store, settings) == make_explorer(again, settings)
