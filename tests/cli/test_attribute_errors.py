import csv
import json
import re
import shutil

import pytest

from panoptic_heuristic.ablation.attribution.files import FILES
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.cli.attribute_errors import main
from panoptic_heuristic.fusion import PRESETS, STAGES, Greedy, PerPixel, Pipeline, fuse
from panoptic_heuristic.quality import add_counts, count_image, match_image, summarize
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import small_scenes, write_cache, write_gt


class Files:
    """A cache and its ground truth, and the command line that traces its errors."""

    def __init__(self, root, write=write_cache):
        self.root, self.output = root, root / "out"
        scenes = small_scenes(4, instances=30)
        self.cache = write(root / "cache", scenes, score_floor=0.05)
        self.json, self.folder = write_gt(root / "gt", scenes)

    @property
    def gt(self):
        return ["--gt-json", str(self.json), "--gt-folder", str(self.folder)]

    def arguments(self, *more):
        return ["--cache", str(self.cache), *self.gt, "--workers", "1", *map(str, more)]

    def matchings(self, pipeline):
        """The result of fusing and scoring each image, and the counts of all."""
        store = open_store(self.cache, self.json, self.folder)
        manifest, categories = store.cache.manifest, store.cache.manifest.categories
        found, counts = {}, []
        for image_id in store.image_ids:
            predictions = store.cache.read(image_id)
            semantics = manifest.semantics_of(predictions, pipeline)
            result = fuse(predictions.to_instances(), semantics, categories, pipeline)
            ids, segments = result.panoptic_seg, result.segments_info
            scored = (*store.gt_of(image_id), ids, segments, categories)
            found[image_id] = match_image(*scored)
            counts.append(count_image(*scored))
        return found, summarize(add_counts(counts), categories)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def files_with_logits(tmp_path):
    return Files(tmp_path, write_cache_with_logits)


def line_of(out, start):
    (line,) = [line for line in out.splitlines() if line.startswith(start)]
    return line


@pytest.mark.parametrize(
    "flags, pipeline",
    [
        ((), Pipeline()),
        (("--stuff-area-thresh", 40, "--instances-score-thresh", 0.3), Pipeline(Greedy(), 0.3, 40)),
        (
            ("--stuff-area-thresh", 0, "--stuff-area-fraction", 0.05, "--overlap-threshold", 0.2),
            Pipeline(Greedy(0.2), 0.5, 0, 0.05),
        ),
        (("--claim", "per_pixel", "--stuff-area-thresh", 100), Pipeline(PerPixel(), 0.5, 100)),
        (
            ("--island-area-fraction", 0.01, "--stuff-area-thresh", 40),
            Pipeline(Greedy(), 0.5, 40, island_area_fraction=0.01),
        ),
    ],
)
def test_every_error_is_in_the_files_and_the_tables(files, capsys, flags, pipeline):
    assert_all_told(files, capsys, flags, pipeline)


def test_values_of_single_categories_in_a_config_file(files, capsys):
    config = files.root / "tuned.yaml"
    config.write_text(
        "MODEL:\n  PANOPTIC_FUSION:\n    PER_CLASS:\n"
        "    - ['thing 1', {INSTANCES_CONFIDENCE_THRESH: 0.1, OVERLAP_THRESH: 0.9}]\n"
        "    - ['stuff 0', {STUFF_AREA_LIMIT: 300}]\n"
    )
    pipeline = Pipeline(Greedy(0.5, {2: 0.9}), instances_score_thresh_of={2: 0.1}, stuff_area_thresh_of={1: 300})
    assert_all_told(files, capsys, ("--config-file", config), pipeline)


def test_every_stage_of_tuning(files_with_logits, capsys):
    files = files_with_logits
    result = tune(files.cache, Pipeline(stuff_area_thresh=40), gt_json=files.json, gt_folder=files.folder, folds=2)
    result.write(files.root / "tuned")
    for name in ("global", "per_class", "calibrated"):
        flags = ("--config-file", files.root / "tuned" / f"{name}.yaml", "--overwrite")
        assert_all_told(files, capsys, flags, result.outcome.pipelines[name])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(files_with_logits, capsys, name):
    # The cache holds no instance with a lower score, and its images are small.
    flags = ("--config-file", f"presets/{name}.yaml", "--instances-score-thresh", 0.1, "--stuff-area-thresh", 40)
    pipeline = Pipeline.preset(name).replaced({"instances_score_thresh": 0.1, "stuff_area_thresh": 40})
    assert_all_told(files_with_logits, capsys, flags, pipeline)


RULE = """
from panoptic_heuristic.fusion import CLAIM_REGISTRY, Greedy

@CLAIM_REGISTRY.register("my_claim")
class MyClaim(Greedy):
    def claim(self, heads, order):
        return super().claim(heads, order).without({order.ranked[0]: "mine"} if order.ranked else {})
"""


def test_a_rule_of_ones_own(files, capsys, monkeypatch):
    for registry in STAGES.values():
        # What the file registers is forgotten after the test.
        monkeypatch.setattr(registry, "_obj_map", dict(registry._obj_map))
    (files.root / "my_rules.py").write_text(RULE)
    config = files.root / "mine.yaml"
    config.write_text(
        f"MODEL:\n  PANOPTIC_FUSION:\n    RULE_FILES: ['{files.root / 'my_rules.py'}']\n    CLAIM: {{NAME: my_claim}}\n"
    )
    # Later arguments count; a process reads the file anew.
    flags = ("--config-file", config, "--stuff-area-thresh", 40, "--workers", 2)
    assert_all_told(files, capsys, flags, Pipeline.from_file(config).replaced({"stuff_area_thresh": 40}))
    data = json.loads((files.output / "attribution.json").read_text())
    assert data["pipeline"]["claim"]["name"] == "my_claim" and data["described"].startswith("my_claim, ")
    assert [one["oracle"] for one in data["oracles"]] == ["none", "acceptance", "order", "category"]
    assert main(files.arguments("--image", 2, *flags)) == 0
    assert re.search(r"^thing \d #\d+ +\d\.\d+ +mine ", capsys.readouterr().out, re.M)


def assert_all_told(files, capsys, flags, pipeline):
    """The files and the tables have the errors and the PQ of fusing and scoring by a pipeline."""
    assert main(files.arguments("--output", files.output, *flags)) == 0
    out, err = capsys.readouterr()
    matchings, summary = files.matchings(pipeline)
    rows = list(csv.DictReader((files.output / "segments.csv").read_text().splitlines()))
    for image_id, matching in matchings.items():
        own = [row for row in rows if int(row["image_id"]) == image_id]
        for kind, expected in (("missed", matching.missed), ("false", matching.false)):
            found = [int(row["segment_id"]) for row in own if row["error"].startswith(kind)]
            assert sorted(found) == sorted(expected)
    data = json.loads((files.output / "attribution.json").read_text())
    assert sum(group["count"] for group in data["groups"]) == len(rows)
    assert data["oracles"][0]["pq"]["all"] == pytest.approx(100 * summary.all.pq)
    # All classes, things and stuff, and no gain.
    qualities = (summary.all, summary.things, summary.stuff)
    assert line_of(out, "as it is").split()[3:] == [f"{100 * one.pq:.2f}" for one in qualities]
    shown = [int(line.split()[1]) for line in out.splitlines() if line.startswith("all ")]
    assert shown == [group["count"] for group in data["groups"]]
    assert f"written: {files.output / FILES[0]}, {files.output / FILES[1]}\n" in out and "Traceback" not in err


def test_all_blocks_are_printed(files, capsys):
    assert main(files.arguments("--output", files.output, "--stuff-area-thresh", 40)) == 0
    out = capsys.readouterr().out
    titles = ["4 images with ", "missed things ", "missed stuff ", "false things ", "false stuff "]
    titles += ["oracle ", "pixels ", "stuff: ", "heads disagree  ", "heads disagree on ", "written: "]
    places = [re.search(f"^{title}", out, re.M).start() for title in titles]
    assert places == sorted(places)
    assert re.search(r"^exactly the right instances accepted +\d+\.\d\d +[+-]\d+\.\d\d ", out, re.M)
    assert re.search(r"^poor labels +\d+ +\d+\.\d% +stuff \d \(\d+\) +perfect semantic labels$", out, re.M)


def test_two_runs_write_the_same_bytes(files):
    for name, workers in (("one", 1), ("two", 2)):
        assert main(files.arguments("--output", files.root / name, "--workers", workers)) == 0
    for name in FILES:
        assert (files.root / "one" / name).read_bytes() == (files.root / "two" / name).read_bytes()


def test_the_ground_truth_the_cache_was_made_with(files, capsys):
    assert main(["--cache", str(files.cache), "--output", str(files.output)]) == 2
    assert "give --gt-json and --gt-folder" in capsys.readouterr().err
    noted = {"panoptic_json": str(files.json), "panoptic_root": str(files.folder)}
    (files.cache / "ground_truth.json").write_text(json.dumps(noted))
    assert main(["--cache", str(files.cache), "--output", str(files.output)]) == 0


# --- one image ---


def test_one_image(files, capsys):
    assert main(files.arguments("--image", 2, "--stuff-area-thresh", 40)) == 0
    out = capsys.readouterr().out
    explained, errors = out.split("\n\n")
    # Each of 30 instances, and the stuff.
    assert explained.startswith("candidate ") and len(re.findall(r"^thing \d #\d+ ", explained, re.M)) == 30
    assert "kept" in explained and "score below threshold" in explained
    matching = files.matchings(Pipeline(Greedy(), 0.5, 40))[0][2]
    ids = [int(line.split()[2]) for line in errors.splitlines()[2:]]
    assert ids == [*matching.missed, *matching.false] and ids
    assert not files.output.exists()


@pytest.mark.parametrize("name", ["rap", "upsnet", "kmax"])
def test_one_image_by_other_rules(files_with_logits, capsys, name):
    values = {"instances_score_thresh": 0.1, "stuff_area_thresh": 40}
    flags = ("--config-file", f"presets/{name}.yaml", "--instances-score-thresh", 0.1, "--stuff-area-thresh", 40)
    assert main(files_with_logits.arguments("--image", 2, *flags)) == 0
    _, errors = capsys.readouterr().out.split("\n\n")
    matching = files_with_logits.matchings(Pipeline.preset(name).replaced(values))[0][2]
    ids = [int(line.split()[2]) for line in errors.splitlines()[2:]]
    assert ids == [*matching.missed, *matching.false] and ids


def test_one_image_without_an_error(files, capsys):
    gt = json.loads(files.json.read_text())
    for annotation in gt["annotations"]:
        annotation["segments_info"] = []
    files.json.write_text(json.dumps(gt))
    assert main(files.arguments("--image", 2, "--instances-score-thresh", 1.5, "--stuff-area-thresh", 1e6)) == 0
    assert capsys.readouterr().out.endswith("\n\nno errors\n")


# --- wrong input ---


def error_of(capsys, arguments):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def test_existing_files_stay_unless_told(files, capsys):
    files.output.mkdir()
    for name in FILES:
        (files.output / name).write_text("mine")
        err = error_of(capsys, files.arguments("--output", files.output))
        assert f"{name} is there already; --overwrite replaces it" in err
        assert (files.output / name).read_text() == "mine"
        (files.output / name).unlink()
    for name in FILES:
        (files.output / name).write_text("mine")
    assert main(files.arguments("--output", files.output, "--overwrite")) == 0
    assert all((files.output / name).read_text() != "mine" for name in FILES)


def test_an_output_that_is_a_file(files, capsys):
    files.output.write_text("mine")
    assert "is a file; expected a folder" in error_of(capsys, files.arguments("--output", files.output))


@pytest.mark.parametrize("more", [(), ("--output", "out", "--image", "1")])
def test_output_or_image(files, capsys, more):
    assert "give --output for all images, or --image to see one; not both" in error_of(capsys, files.arguments(*more))


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--instances-score-thresh", 0.04), "instances_score_thresh is 0.04, but .*cache holds no instance .* 0.05"),
        (("--instances-score-thresh", "nan"), "--instances-score-thresh must be a finite number"),
        (("--overlap-threshold", 1.5), r"--overlap-threshold must be a finite number in \[0, 1\], got 1.5"),
        (("--stuff-area-thresh", -1), r"--stuff-area-thresh must be .*, got -1.0"),
        (("--stuff-area-fraction", 2), r"--stuff-area-fraction must be .* in \[0, 1\], got 2.0"),
        (
            ("--claim", "per_pixel", "--overlap-threshold", 0.5),
            "--overlap-threshold is no parameter of the claim rule per_pixel",
        ),
        (("--workers", 0), "--workers must be at least 1, got 0"),
        (("--gt-json", "missing.json"), "cannot read missing.json"),
        (("--cache", "missing"), "missing holds no manifest.json"),
        (("--config-file", "presets/upsnet.yaml"), "claim=logit_sum needs .*, but .*cache was made without them"),
    ],
)
def test_wrong_values(files, capsys, flags, message):
    assert re.search(message, error_of(capsys, files.arguments("--output", files.output, *flags)))
    assert not files.output.exists()


def test_an_image_that_is_not_there(files, capsys):
    assert re.search("cache holds no image 77", error_of(capsys, files.arguments("--image", 77)))


def test_predictions_that_are_missing_or_damaged(files, capsys):
    path = files.cache / "predictions" / "1.arrays"
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    shutil.rmtree(files.cache / "regions", ignore_errors=True)
    assert "1.arrays is damaged" in error_of(capsys, files.arguments("--output", files.output))
    path.unlink()
    assert "1.arrays" in error_of(capsys, files.arguments("--output", files.output))
    assert not files.output.exists()


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    assert "panoptic-heuristic attribute-errors --cache cache --output attribution" in capsys.readouterr().out
