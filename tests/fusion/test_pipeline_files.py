"""Files that say what fuses, read without Detectron2, and what is written of a pipeline."""

import pytest
import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.fusion import (
    PRESETS,
    BestStuff,
    Calibrated,
    ClassAware,
    Greedy,
    Nms,
    ParameterError,
    Pipeline,
    Power,
    Reclaim,
)
from panoptic_heuristic.fusion.category_lists import CategoryError
from panoptic_heuristic.fusion.pipeline_files import config_text
from tests.conftest import ROOT
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, SKY

FOLDER = ROOT / "configs" / "presets"
RICH = Pipeline(
    Greedy(0.25, {CAT: 0.75}),
    instances_score_thresh=1e-05,
    stuff_area_thresh=12,
    stuff_area_fraction=0.001,
    order=Calibrated({DOG: (0, 1, 2, -3.5, 1e-05)}, {DOG: 0.5}, default_cut=0.125),
    suppress=Nms(0.75, "box"),
    leftover=BestStuff(0.25),
    thing_area_thresh=3,
    instances_score_thresh_of={DOG: 0.0},
    stuff_area_thresh_of={GRASS: 5},
    stuff_area_fraction_of={SKY: 0.5},
)


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


class TestPresets:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_file_of_a_preset_says_what_python_says(self, name):
        assert Pipeline.from_file(FOLDER / f"{name}.yaml") == Pipeline.preset(name)

    def test_every_preset_has_a_file_and_every_file_a_preset(self):
        assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(PRESETS)

    def test_some_published_values(self):
        rap = Pipeline.preset("rap")
        assert (rap.claim, rap.instances_score_thresh, rap.stuff_area_thresh) == (ClassAware(0.5), 0.6, 4096)
        made = Pipeline.preset("mmdetection")
        assert (made.suppress, made.claim, made.instances_score_thresh) == (Nms(0.5, "mask"), Greedy(0.5), 0.6)
        made = Pipeline.preset("kmax")
        assert (made.claim.overlap_threshold, made.claim.stuff_overlap_threshold) == (0.2, 0.2)
        assert (made.instances_score_thresh, made.claim.stuff_score_thresh) == (0.7, 0.5)
        assert (made.stuff_area_thresh, made.thing_area_thresh) == (6400, 400)
        made = Pipeline.preset("jsis")
        assert (made.stuff_area_thresh, made.stuff_area_fraction) == (0, 1 / 2048)
        assert Pipeline.preset("detectron2") == Pipeline()

    def test_an_unknown_one(self):
        with pytest.raises(ParameterError, match="^preset must be one of detectron2, .* per_pixel, got 'unpsnet'$"):
            Pipeline.preset("unpsnet")


class TestRoundTrips:
    def test_a_mapping_and_a_json_file(self, tmp_path):
        assert Pipeline.from_mapping(RICH.to_mapping()) == RICH
        write_json(tmp_path / "fusion.json", RICH.to_mapping())
        assert Pipeline.from_file(tmp_path / "fusion.json") == RICH

    def test_a_config(self, write):
        path = write("tuned.yaml", config_text(RICH.to_config(CATEGORIES), ["a comment\nof two lines"]))
        assert path.read_text().startswith("# a comment of two lines\n")
        assert Pipeline.from_file(path, CATEGORIES) == RICH
        assert Pipeline.from_config(RICH.to_config(CATEGORIES), CATEGORIES) == RICH

    def test_pairs_of_things_go_by_name(self):
        made = Pipeline(Reclaim(on_top="precedence", precedence=[(DOG, CAT)]))
        config = made.to_config(CATEGORIES)
        assert config["MODEL"]["PANOPTIC_FUSION"]["CLAIM"]["PRECEDENCE"] == [["dog", "cat"]]
        assert Pipeline.from_config(config, CATEGORIES) == made

    def test_values_of_categories_stand_one_per_line(self):
        lines = config_text(RICH.to_config(CATEGORIES)).splitlines()
        assert any(line.strip() == "- [cat, {OVERLAP_THRESH: 0.75}]" for line in lines)


class TestBases:
    def test_a_key_beside_a_preset_wins_and_a_later_file_wins_over_an_earlier(self, write):
        write("base.yaml", "MODEL: {PANOPTIC_FUSION: {PRESET: ocfusion, CLAIM: {AREA_RATIO: 0.25}}}")
        own = Pipeline.from_file(write("one.yaml", "_BASE_: base.yaml\nMODEL: {PANOPTIC_FPN: {COMBINE: {}}}"))
        assert own.claim == Reclaim(area_ratio=0.25) and own.order == Power(agreement_exponent=1.0)
        later = write("two.yaml", "_BASE_: [base.yaml]\nMODEL: {PANOPTIC_FUSION: {PRESET: rap}}")
        assert Pipeline.from_file(later) == Pipeline(ClassAware())

    def test_numbers_that_yaml_takes_for_text(self, write):
        path = write("a.yaml", "MODEL: {PANOPTIC_FPN: {COMBINE: {INSTANCES_CONFIDENCE_THRESH: 1e-05}}}")
        assert Pipeline.from_file(path).instances_score_thresh == 1e-05

    def test_a_file_that_is_its_own_base(self, write):
        path = write("a.yaml", "_BASE_: a.yaml\nMODEL: {}")
        with pytest.raises(InputError, match="a.yaml is its own _BASE_"):
            Pipeline.from_file(path)


class TestErrors:
    @pytest.mark.parametrize(
        "text, message",
        [
            ("MODEL: [", "a.yaml is not valid YAML"),
            ("[]", "a.yaml: expected a mapping of config keys, got list"),
            ("MODEL: {PANOPTIC_FUSION: {CLAIMS: 1}}", "no config key MODEL.PANOPTIC_FUSION.CLAIMS; did you mean"),
            ("MODEL: {PANOPTIC_FUSION: {CLAIM: {NAMEE: x}}}", "no config key MODEL.PANOPTIC_FUSION.CLAIM.NAMEE; "),
            ("MODEL: {PANOPTIC_FUSION: {CLAIM: 3}}", "MODEL.PANOPTIC_FUSION.CLAIM must be a mapping of keys, got 3"),
            ("MODEL: {PANOPTIC_FUSION: {PRESET: rapp}}", "MODEL.PANOPTIC_FUSION.PRESET must be one of .* got 'rapp'"),
            ("MODEL: {PANOPTIC_FUSION: {CLAIM: {NAME: gredy}}}", "CLAIM.NAME must be one of .*, got 'gredy'"),
            ("MODEL: {PANOPTIC_FPN: {COMBINE: {OVERLAP_THRESH: 2}}}", r"OVERLAP_THRESH must be .* \[0, 1\], got 2"),
            (
                "MODEL: {PANOPTIC_FUSION: {CLAIM: {NAME: reclaim, ON_TOP: precedence, AREA_RATIO: 0.25}}}",
                "CLAIM.AREA_RATIO means nothing while MODEL.PANOPTIC_FUSION.CLAIM.ON_TOP is 'precedence'",
            ),
            (
                "MODEL: {PANOPTIC_FUSION: {PER_CLASS: [[cat, {OVERLAP_THRESH: 2}]]}}",
                r"PER_CLASS: OVERLAP_THRESH of 'cat' must be a finite number in \[0, 1\], got 2",
            ),
        ],
    )
    def test_a_wrong_file_is_told_by_its_key(self, write, text, message):
        with pytest.raises(InputError, match=message) as error:
            Pipeline.from_file(write("a.yaml", text), CATEGORIES)
        assert "\n" not in str(error.value) and "a.yaml" in str(error.value)

    def test_a_name_of_another_data_set(self, write):
        path = write("a.yaml", "MODEL: {PANOPTIC_FUSION: {PER_CLASS: [[zebra, {OVERLAP_THRESH: 0.5}]]}}")
        with pytest.raises(CategoryError, match="names 'zebra', which the data set does not have; it has 'grass'"):
            Pipeline.from_file(path, CATEGORIES)
        with pytest.raises(InputError, match="names 'zebra', but the categories of the data set are not known"):
            Pipeline.from_file(path)

    @pytest.mark.parametrize("text", ["DATASETS: {TRAIN: [a]}", "INSTANCES_CONFIDENCE_THRESH: [0.3, 0.5]"])
    def test_a_file_that_says_nothing_of_fusing(self, write, text):
        path = write("grid.yaml", text)
        with pytest.raises(InputError, match=f"^{path} is no config that says how to fuse: it has no key MODEL$"):
            Pipeline.from_file(path)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match="cannot read .*none.yaml: No such file"):
            Pipeline.from_file(tmp_path / "none.yaml")

    @pytest.mark.parametrize(
        "data, message",
        [
            ([], r"pipeline must be a mapping, got \[\]"),
            ({"claims": {}}, "claims is neither a stage nor a threshold; there are suppress, "),
            ({"claim": "greedy"}, "claim must be a mapping with the name of a rule, got 'greedy'"),
            ({"claim": {"name": "gredy"}}, "claim must be one of .*, got 'gredy'"),
            (
                {"claim": {"name": "per_pixel", "overlap_threshold": 1}},
                "overlap_threshold is no parameter of the claim rule per_pixel; it has none",
            ),
            ({"instances_score_thresh_of": 3}, "instances_score_thresh_of must be a list of pairs of a category id"),
        ],
    )
    def test_a_wrong_mapping(self, data, message):
        with pytest.raises(ParameterError, match=message):
            Pipeline.from_mapping(data)


class TestPaths:
    def test_a_value_goes_by_its_path(self):
        assert RICH.value("instances_score_thresh") == 1e-05
        assert RICH.value("claim.overlap_threshold") == 0.25
        assert RICH.value("claim") == Greedy(0.25, {CAT: 0.75})
        assert Pipeline.preset("per_pixel").value("claim.overlap_threshold") is None

    def test_rules_are_replaced_before_their_parameters(self):
        values = {"claim.free_fraction": 0.25, "claim": "class_aware", "stuff_area_thresh": 7}
        assert Pipeline().replaced(values) == Pipeline(ClassAware(free_fraction=0.25), stuff_area_thresh=7)
        assert Pipeline().replaced({"order": Power(2.0)}).order == Power(2.0)

    def test_other_parameters_of_the_rule_stay(self):
        assert RICH.replaced({"claim.overlap_threshold": 0.5}).claim == Greedy(0.5, {CAT: 0.75})

    @pytest.mark.parametrize(
        "values, message",
        [
            ({"score": 0.5}, "score leads nowhere; there are instances_score_thresh, .*, suppress.<parameter>"),
            ({"claim.ratio": 1}, "ratio is no parameter of the claim rule greedy; it has overlap_threshold"),
            ({"claim": "gredy"}, "claim must be one of"),
            ({"order": 3}, r"order must be a rule such as ByScore\(\), got 3"),
            ({"claim.overlap_threshold": 2}, r"overlap_threshold must be a finite number in \[0, 1\], got 2"),
        ],
    )
    def test_wrong_ones(self, values, message):
        with pytest.raises(ParameterError, match=message):
            Pipeline().replaced(values)


def test_an_error_keeps_its_fields_on_the_way_out_of_a_process():
    import pickle

    with pytest.raises(ParameterError) as caught:
        Pipeline().replaced({"claim.overlap_threshold": 2})
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.stage, error.parameter, str(error)) == ("claim", "overlap_threshold", str(caught.value))


def test_what_is_written_is_yaml_that_detectron2_reads_too():
    content = yaml.safe_load(config_text(RICH.to_config(CATEGORIES)))
    assert content["MODEL"]["PANOPTIC_FPN"]["COMBINE"]["STUFF_AREA_LIMIT"] == 12
    assert content["MODEL"]["PANOPTIC_FUSION"]["ORDER"]["CUT"] == [["dog", 0.5]]
