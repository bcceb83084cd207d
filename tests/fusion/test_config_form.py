"""From a config to rules and thresholds, and what a wrong value is told."""

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    ByScore,
    Calibrated,
    Greedy,
    Nms,
    NoSuppression,
    PerPixel,
    Pipeline,
    Power,
    SemanticGate,
)
from tests.fusion.configs import config

COMBINE, FUSION = "MODEL.PANOPTIC_FPN.COMBINE.", "MODEL.PANOPTIC_FUSION."
PER_CLASS, ORDER, SUPPRESS = f"{FUSION}PER_CLASS", f"{FUSION}ORDER.", f"{FUSION}SUPPRESS."
DOG, CAT, SKY, GRASS = 0, 7, 3, 12
HALF = {"OVERLAP_THRESH": 0.5}
CATEGORIES = Categories(
    [
        Category(GRASS, "grass", False, (0, 255, 0)),
        Category(CAT, "cat", True, (255, 0, 0)),
        Category(SKY, "sky", False, (0, 0, 255)),
        Category(DOG, "guide dog", True, (255, 255, 0)),
        Category(20, "net", True, (1, 1, 1)),
        Category(21, "net", False, (2, 2, 2)),
    ]
)


def pipeline(*overrides) -> Pipeline:
    """Of a config with ``overrides``, key and value in turn."""
    return Pipeline.from_config(config(*overrides), CATEGORIES)


class TestDefaults:
    def test_the_configs_thresholds(self):
        made = pipeline(f"{COMBINE}OVERLAP_THRESH", "0.25", f"{COMBINE}STUFF_AREA_LIMIT", "77")
        assert made == Pipeline(Greedy(0.25), instances_score_thresh=0.5, stuff_area_thresh=77)
        assert (made.suppress, made.order, made.stuff_area_fraction) == (NoSuppression(), ByScore(), 0)

    def test_per_pixel_has_no_overlap_threshold(self):
        assert pipeline(f"{FUSION}CLAIM.NAME", "per_pixel").claim == PerPixel()

    def test_a_fraction(self):
        assert pipeline(f"{FUSION}STUFF_AREA_FRACTION", "0.01").stuff_area_fraction == 0.01

    def test_islands(self):
        made = pipeline(f"{FUSION}ISLAND_AREA_FRACTION", "0.004")
        assert made == Pipeline(island_area_fraction=0.004)
        assert made.to_config()["MODEL"]["PANOPTIC_FUSION"]["ISLAND_AREA_FRACTION"] == 0.004
        assert Pipeline.from_config(made.to_config()) == Pipeline.from_mapping(made.to_mapping()) == made


class TestPerClass:
    def test_each_key_goes_to_its_parameter(self):
        things = {"OVERLAP_THRESH": 0.75, "INSTANCES_CONFIDENCE_THRESH": 0.25}
        stuff = {"STUFF_AREA_LIMIT": 10, "STUFF_AREA_FRACTION": 0.125}
        made = pipeline(PER_CLASS, [["guide dog", things], ["sky", stuff], ["cat", {"OVERLAP_THRESH": 0}]])
        assert made.claim.overlap_threshold_of == {DOG: 0.75, CAT: 0}
        assert made.instances_score_thresh_of == {DOG: 0.25}
        assert made.stuff_area_thresh_of == {SKY: 10}
        assert made.stuff_area_fraction_of == {SKY: 0.125}

    def test_the_order_of_entries_does_not_matter(self):
        entries = [["guide dog", {"OVERLAP_THRESH": 0.75}], ["cat", {"OVERLAP_THRESH": 0}]]
        assert pipeline(PER_CLASS, entries) == pipeline(PER_CLASS, entries[::-1])

    @pytest.mark.parametrize(
        "entries, message",
        [
            ([["guidedog", HALF]], " names 'guidedog', which the data set does not have; did you mean 'guide dog'?"),
            ([["Cat", HALF]], " names 'Cat', which the data set does not have; did you mean 'cat'?"),
            ([["zebra", HALF]], " names 'zebra', which the data set does not have; it has 'grass', 'cat', 'sky', "),
            ([["net", HALF]], " names 'net', which is the name of the categories 20 and 21; give them different names"),
            ([["cat", HALF], ["cat", HALF]], " names 'cat' twice; put all that is for it into one pair"),
            ([["cat", {"OVERLAP": 1}]], " of 'cat' has the key 'OVERLAP'; it may be OVERLAP_THRESH, INSTANCES_CONF"),
            (
                [["cat", {"STUFF_AREA_LIMIT": 5}]],
                " of 'cat' has the key STUFF_AREA_LIMIT, which is for stuff; 'cat' is a",
            ),
            ([["sky", HALF]], " of 'sky' has the key OVERLAP_THRESH, which is for things; 'sky' is stuff"),
            ([["cat", {}]], " of 'cat' must be a mapping like {OVERLAP_THRESH: 0.7}, got {}"),
            ([["cat", 0.5]], " of 'cat' must be a mapping like {OVERLAP_THRESH: 0.7}, got 0.5"),
            ([["cat"]], " must hold pairs like [name, {OVERLAP_THRESH: 0.7}], got ['cat']"),
            (["cat", HALF], " must hold pairs like [name, {OVERLAP_THRESH: 0.7}], got 'cat'"),
            ([[7, HALF]], " must hold pairs like [name, {OVERLAP_THRESH: 0.7}], got [7, "),
            ([{"cat": HALF}], " must hold pairs like [name, {OVERLAP_THRESH: 0.7}], got {'cat': "),
            (None, " must be a list like [[name, {OVERLAP_THRESH: 0.7}]], got None"),
            ([["cat", {"OVERLAP_THRESH": 1.5}]], ": OVERLAP_THRESH of 'cat' must be a finite number in [0, 1], got"),
            (
                [["sky", {"STUFF_AREA_LIMIT": -1}]],
                ": STUFF_AREA_LIMIT of 'sky' must be a finite number in [0, inf), got",
            ),
        ],
    )
    def test_wrong_entries_are_named(self, entries, message):
        with pytest.raises(InputError) as error:
            pipeline(PER_CLASS, entries)
        assert str(error.value).startswith(PER_CLASS + message)
        assert "\n" not in str(error.value)

    def test_an_overlap_threshold_of_a_rule_without_one(self):
        message = (
            "sets OVERLAP_THRESH, which the claim rule per_pixel does not have; take it out, or set .*NAME to greedy"
        )
        with pytest.raises(InputError, match=message):
            pipeline(PER_CLASS, [["cat", {"OVERLAP_THRESH": 0.5}]], f"{FUSION}CLAIM.NAME", "per_pixel")
        others = [["cat", {"INSTANCES_CONFIDENCE_THRESH": 0.25}]]
        assert pipeline(PER_CLASS, others, f"{FUSION}CLAIM.NAME", "per_pixel").instances_score_thresh_of == {CAT: 0.25}


class TestOrder:
    def test_calibrated_with_its_default_is_the_score(self):
        assert pipeline(f"{ORDER}NAME", "calibrated").order == Calibrated()

    def test_calibrated_with_values_of_categories(self):
        made = pipeline(
            f"{ORDER}NAME", "calibrated",
            f"{ORDER}WEIGHTS", "[['cat', [0, 1, 2, 3, 4]], ('guide dog', (4, 3, 2, 1, 0))]",
            f"{ORDER}CUT", "[['cat', 0.25]]",
            f"{ORDER}DEFAULT_WEIGHTS", "[5, 5, 5, 5, 5]",
            f"{ORDER}DEFAULT_CUT", "1",
        )  # fmt: skip
        assert made.order == Calibrated({CAT: (0, 1, 2, 3, 4), DOG: (4, 3, 2, 1, 0)}, {CAT: 0.25}, (5,) * 5, 1)

    def test_by_score_their_values_do_not_matter(self):
        # So that one key on the command line switches a fitted order off.
        assert (
            pipeline(f"{ORDER}WEIGHTS", "[['cat', [0, 1, 2, 3, 4]]]", f"{ORDER}DEFAULT_CUT", "0.5").order == ByScore()
        )

    def test_power_with_its_default_is_the_score(self):
        assert pipeline(f"{ORDER}NAME", "power").order == Power()

    def test_power_with_its_exponents(self):
        made = pipeline(
            f"{ORDER}NAME", "power",
            f"{ORDER}SCORE_EXPONENT", "0.5",
            f"{ORDER}QUALITY_EXPONENT", "2",
            f"{ORDER}AGREEMENT_EXPONENT", "3",
            f"{ORDER}KEY_CUTOFF", "0.25",
        )  # fmt: skip
        assert made.order == Power(0.5, 2, 3, 0.25)

    @pytest.mark.parametrize(
        "key, value, message",
        [
            ("WEIGHTS", [["cat", [1, 2, 3, 4]]], " of 'cat' must be 5 numbers in"),
            ("WEIGHTS", [["sky", [1, 2, 3, 4, 5]]], " names 'sky', which is stuff; it is for things"),
            ("WEIGHTS", [["cat"]], " must hold pairs like [name, [0, 1, 0, 0, 0]], got ['cat']"),
            ("CUT", [["cat", 1.5]], " of 'cat' must be a finite number in [0, 1], got 1.5"),
            ("CUT", ["cat", 0.5], " must hold pairs like [name, 0.3], got 'cat'"),
            ("DEFAULT_CUT", -0.5, " must be a finite number in [0, 1], got -0.5"),
            ("DEFAULT_WEIGHTS", [1, 2], " must be 5 numbers in"),
        ],
    )
    def test_wrong_values_are_named(self, key, value, message):
        with pytest.raises(InputError) as error:
            pipeline(f"{ORDER}NAME", "calibrated", f"{ORDER}{key}", value)
        assert str(error.value).startswith(f"{ORDER}{key}{message}")

    def test_an_unknown_order(self):
        with pytest.raises(InputError, match=r"ORDER.NAME must be one of calibrated, power, score, got 'scores'"):
            pipeline(f"{ORDER}NAME", "scores")


class TestSuppress:
    def test_each_rule_has_its_values(self):
        values = [f"{SUPPRESS}IOU_THRESHOLD", "0.75", f"{SUPPRESS}KIND", "box", f"{SUPPRESS}KEEP", "0.25"]
        assert pipeline(*values).suppress == NoSuppression()
        assert pipeline(f"{SUPPRESS}NAME", "nms", *values).suppress == Nms(0.75, "box")
        assert pipeline(f"{SUPPRESS}NAME", "semantic_gate", *values).suppress == SemanticGate(0.25)

    def test_their_defaults(self):
        assert pipeline(f"{SUPPRESS}NAME", "nms").suppress == Nms()
        assert pipeline(f"{SUPPRESS}NAME", "semantic_gate").suppress == SemanticGate()

    @pytest.mark.parametrize(
        "name, key, value, message",
        [
            ("nms", "IOU_THRESHOLD", "1.5", "must be a finite number in [0, 1], got 1.5"),
            ("nms", "KIND", "boxes", "must be one of mask, box, got 'boxes'"),
            ("gate", "NAME", "gate", "must be one of nms, none, semantic_gate, got 'gate'"),
        ],
    )
    def test_wrong_values_are_named(self, name, key, value, message):
        with pytest.raises(InputError) as error:
            pipeline(f"{SUPPRESS}NAME", name, f"{SUPPRESS}{key}", value)
        assert str(error.value) == f"{SUPPRESS}{key} {message}"


@pytest.mark.parametrize(
    "key, value, interval",
    [
        (f"{COMBINE}OVERLAP_THRESH", "1.5", "[0, 1]"),
        (f"{COMBINE}STUFF_AREA_LIMIT", "-1", "[0, inf)"),
        (f"{FUSION}STUFF_AREA_FRACTION", "1.5", "[0, 1]"),
        (f"{FUSION}ISLAND_AREA_FRACTION", "1.5", "[0, 1]"),
    ],
)
def test_a_threshold_out_of_its_interval_is_named_by_its_key(key, value, interval):
    with pytest.raises(InputError) as error:
        pipeline(key, value)
    assert str(error.value) == f"{key} must be a finite number in {interval}, got {value}"


def test_an_unknown_claim_rule():
    known = ", ".join(sorted(name for name, _ in CLAIM_REGISTRY))
    with pytest.raises(InputError, match=rf"CLAIM.NAME must be one of {known}, got 'gredy'"):
        pipeline(f"{FUSION}CLAIM.NAME", "gredy")
