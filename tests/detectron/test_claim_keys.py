"""The keys of the claim rules: from a file, from the command line, and what a wrong one is told."""

import pytest

from panoptic_heuristic.detectron import load_config
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import CLAIM_REGISTRY, ClassAware, Greedy, PerPixel, Pipeline, PixelArgmax, Reclaim
from tests.detectron.small_models import SHAPES_CONFIG
from tests.fusion.drawings import CAT, CATEGORIES, DOG

COMBINE, CLAIM = "MODEL.PANOPTIC_FPN.COMBINE.", "MODEL.PANOPTIC_FUSION.CLAIM."
PER_CLASS = "MODEL.PANOPTIC_FUSION.PER_CLASS"
NUMBERS = {
    "DUPLICATE_THRESHOLD": "class_aware",
    "FREE_FRACTION": "class_aware",
    "INTERSECTION_THRESHOLD": "reclaim",
    "AREA_RATIO": "reclaim",
    "KEPT_FRACTION": "pixel_argmax",
}
# A value that is not the default of each key.
OTHERS = {
    **dict.fromkeys(NUMBERS, 0.75),
    "ON_TOP": "mean_probability",
    "PRECEDENCE": [["dog", "cat"]],
    "BY": "mask",
    "KEPT_PIXELS": "won",
}
OWNERS = {**NUMBERS, "ON_TOP": "reclaim", "PRECEDENCE": "reclaim", "BY": "pixel_argmax", "KEPT_PIXELS": "pixel_argmax"}


def claim(name, *overrides):
    """The claim rule of the demo's config with keys of the claim stage, key and value in turn."""
    pairs = zip(overrides[0::2], overrides[1::2], strict=True)
    keys = [part for key, value in pairs for part in (key if "." in key else f"{CLAIM}{key}", value)]
    cfg, _ = load_config(str(SHAPES_CONFIG), [f"{CLAIM}NAME", name, f"{COMBINE}OVERLAP_THRESH", 0.5, *keys])
    return Pipeline.from_config(cfg, CATEGORIES).claim


@pytest.mark.parametrize("name, rule", list(CLAIM_REGISTRY), ids=str)
def test_the_defaults_are_those_of_the_rules(name, rule):
    assert claim(name) == rule()


@pytest.mark.parametrize(
    "name, overrides, rule",
    [
        ("class_aware", ["DUPLICATE_THRESHOLD", "0.75", "FREE_FRACTION", "0"], ClassAware(0.5, 0.75, 0.0)),
        ("reclaim", ["INTERSECTION_THRESHOLD", "0.75", "AREA_RATIO", "1"], Reclaim(0.5, 0.75, area_ratio=1.0)),
        ("reclaim", ["ON_TOP", "mean_probability"], Reclaim(on_top="mean_probability")),
        (
            "reclaim",
            ["ON_TOP", "precedence", "PRECEDENCE", "[['dog', 'cat']]", f"{COMBINE}OVERLAP_THRESH", "1"],
            Reclaim(1.0, on_top="precedence", precedence=[(DOG, CAT)]),
        ),
        (
            "pixel_argmax",
            ["KEPT_FRACTION", "0.75", "BY", "mask", "KEPT_PIXELS", "won"],
            PixelArgmax(0.75, "mask", "won"),
        ),
    ],
)
def test_each_key_goes_to_its_parameter(name, overrides, rule):
    assert claim(name, *overrides) == rule


@pytest.mark.parametrize("name, rule", [("class_aware", ClassAware), ("reclaim", Reclaim), ("greedy", Greedy)])
def test_overlap_thresholds_are_where_detectron2_has_them(name, rule):
    overrides = [f"{COMBINE}OVERLAP_THRESH", "0.25", PER_CLASS, [["dog", {"OVERLAP_THRESH": 0.75}]]]
    assert claim(name, *overrides) == rule(0.25, overlap_threshold_of={DOG: 0.75})


def test_pixel_argmax_has_no_overlap_threshold():
    assert claim("pixel_argmax", f"{COMBINE}OVERLAP_THRESH", "0.25") == PixelArgmax()
    with pytest.raises(InputError, match="sets OVERLAP_THRESH, which the claim rule pixel_argmax does not have"):
        claim("pixel_argmax", PER_CLASS, [["dog", {"OVERLAP_THRESH": 0.75}]])


@pytest.mark.parametrize("pair", [["dog", "cat"], [DOG, CAT], ["dog", CAT], ("dog", "cat")], ids=str)
def test_categories_go_by_name_or_id(pair):
    assert claim("reclaim", "ON_TOP", "precedence", "PRECEDENCE", [pair]).precedence == ((DOG, CAT),)


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [0, 1, 0.01, 1.0])
def test_any_number_is_taken_as_a_float(key, value, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"MODEL: {{PANOPTIC_FUSION: {{CLAIM: {{{key}: {value}}}}}}}")
    for cfg, _ in (load_config(str(file)), load_config(str(SHAPES_CONFIG), [f"{CLAIM}{key}", str(value)])):
        found = cfg.MODEL.PANOPTIC_FUSION.CLAIM[key]
        assert (found, type(found)) == (value, float)


def test_they_survive_a_dump(tmp_path):
    file = tmp_path / "config.yaml"
    for pairs in ([["dog", CAT]], (("dog", CAT),)):
        overrides = ["ON_TOP", "precedence", "PRECEDENCE", str(pairs), "INTERSECTION_THRESHOLD", "0.75"]
        keys = [one if number % 2 else f"{CLAIM}{one}" for number, one in enumerate(["NAME", "reclaim", *overrides])]
        cfg, _ = load_config(str(SHAPES_CONFIG), keys)
        file.write_text(cfg.dump())
        again, _ = load_config(str(file))
        made = [Pipeline.from_config(one, CATEGORIES) for one in (cfg, again)]
        assert made[0] == made[1]
        assert made[1].claim == Reclaim(
            made[1].claim.overlap_threshold, 0.75, "precedence", precedence=[(DOG, CAT)]
        )  # fmt: skip


@pytest.mark.parametrize("key", OWNERS)
@pytest.mark.parametrize("name", [name for name, _ in CLAIM_REGISTRY])
def test_a_key_of_another_rule_is_refused(name, key):
    if OWNERS[key] == name:
        return
    with pytest.raises(InputError) as error:
        claim(name, key, OTHERS[key])
    assert str(error.value) == (
        f"{CLAIM}{key} is {OTHERS[key]!r}, which the claim rule {name} does not have; "
        f"take it out, or set {CLAIM}NAME to {OWNERS[key]}"
    )


def test_a_key_of_another_rule_at_its_default_is_not():
    assert claim("per_pixel", "KEPT_FRACTION", "0.8", "PRECEDENCE", "[]", "ON_TOP", "area") == PerPixel()


@pytest.mark.parametrize(
    "name, overrides, message",
    [
        ("class_aware", ["FREE_FRACTION", 1.5], "FREE_FRACTION must be a finite number in [0, 1], got 1.5"),
        ("class_aware", ["DUPLICATE_THRESHOLD", -1], "DUPLICATE_THRESHOLD must be a finite number in [0, 1], got -1.0"),
        ("reclaim", ["AREA_RATIO", 2], "AREA_RATIO must be a finite number in [0, 1], got 2.0"),
        (
            "reclaim",
            ["INTERSECTION_THRESHOLD", 1.01],
            "INTERSECTION_THRESHOLD must be a finite number in [0, 1], got 1.01",
        ),
        ("reclaim", ["ON_TOP", "score"], "ON_TOP must be one of area, mean_probability, precedence, got 'score'"),
        (
            "reclaim",
            ["ON_TOP", "mean_probability", "AREA_RATIO", 0.3],
            f"AREA_RATIO means nothing while {CLAIM}ON_TOP is 'mean_probability'; leave it out",
        ),
        (
            "reclaim",
            ["PRECEDENCE", [["dog", "cat"]]],
            f"PRECEDENCE means nothing while {CLAIM}ON_TOP is 'area'; leave it out",
        ),
        ("pixel_argmax", ["KEPT_FRACTION", 1.5], "KEPT_FRACTION must be a finite number in [0, 1], got 1.5"),
        ("pixel_argmax", ["BY", "rank"], "BY must be one of score, mask, got 'rank'"),
        ("pixel_argmax", ["KEPT_PIXELS", "all"], "KEPT_PIXELS must be one of mask, won, got 'all'"),
    ],
)
def test_wrong_values_are_named_by_their_keys(name, overrides, message):
    with pytest.raises(InputError) as error:
        claim(name, *overrides)
    assert str(error.value) == CLAIM + message


@pytest.mark.parametrize(
    "pairs, message",
    [
        ([["dog", "zebra"]], " names 'zebra', which the data set does not have; it has 'grass', 'cat', 'sky', 'dog'"),
        ([["dog", "cats"]], " names 'cats', which the data set does not have; did you mean 'cat'?"),
        ([["dog", 99]], " names the id 99, which the data set does not have"),
        ([["sky", "dog"]], " names 'sky', which is stuff; it is for things"),
        ([["dog", 12]], " names 'grass', which is stuff; it is for things"),
        ([["dog"]], " must hold pairs like [above, below], names or ids of categories, got ['dog']"),
        (["dog", "cat"], " must hold pairs like [above, below], names or ids of categories, got 'dog'"),
        ([["dog", True]], " must hold pairs like [above, below], names or ids of categories, got ['dog', True]"),
        ([["dog", 7.0]], " must hold pairs like [above, below], names or ids of categories, got ['dog', 7.0]"),
        (None, " must be a list like [[above, below]], got None"),
        ([["dog", "dog"]], " must be of pairs of different categories, got (0, 0)"),
        ([["dog", "cat"], ["cat", "dog"]], " must have one pair of the same two categories, got (0, 7) and (7, 0)"),
    ],
)
def test_wrong_pairs_are_named(pairs, message):
    with pytest.raises(InputError) as error:
        claim("reclaim", "ON_TOP", "precedence", "PRECEDENCE", pairs)
    assert str(error.value) == f"{CLAIM}PRECEDENCE{message}"
