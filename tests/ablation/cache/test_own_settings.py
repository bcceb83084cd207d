import json

import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, default_of, remember_pipeline
from panoptic_heuristic.fusion import Greedy, Pipeline, PixelArgmax
from tests.ablation.small_caches import small_scenes, write_cache


@pytest.fixture
def cache(tmp_path):
    return PredictionCache.open(write_cache(tmp_path / "cache", small_scenes(1)))


def test_the_models_own_settings_are_the_default(cache):
    own = Pipeline(Greedy(0.3, {1: 0.7}), 0.4, 70)
    remember_pipeline(cache, own)
    assert (default_of(cache).pipeline, default_of(cache).meaning) == (own, MODELS_OWN)
    assert Pipeline.from_file(cache.folder / "fusion.json") == own  # For --config-file of any command.


def test_result_files_have_detectron2s_defaults_and_say_so(cache):
    default = default_of(cache)
    assert default.pipeline == Pipeline()
    assert default.meaning == "Detectron2's defaults, since result files do not say how their model fuses"


def test_an_older_cache_of_a_model_says_how_to_add_them(cache):
    path = cache.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "source": {"config": {"MODEL": {}}}}))
    default = default_of(PredictionCache.open(cache.folder))
    assert default.pipeline == Pipeline()
    assert default.meaning == (
        f"Detectron2's defaults, since {cache.folder} was made before the model's were kept; cache-predictions with "
        "the same config adds them"
    )


def test_settings_that_the_cache_cannot_show_are_told(cache):
    remember_pipeline(cache, Pipeline(PixelArgmax()))
    default = default_of(cache)
    assert default.pipeline == Pipeline()
    assert default.meaning.startswith("Detectron2's defaults, since the model's own cannot be used: claim=pixel_argmax")


def test_a_rule_that_is_not_here_is_told(cache):
    remember_pipeline(cache, Pipeline())
    (cache.folder / "fusion.json").write_text(json.dumps({"claim": {"name": "elsewhere"}}))
    default = default_of(cache)
    assert default.pipeline == Pipeline() and "elsewhere" in default.meaning and "cannot be used" in default.meaning
