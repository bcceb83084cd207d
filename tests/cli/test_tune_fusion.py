import dataclasses
import json

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.cli.tune_fusion import main
from panoptic_heuristic.fusion import ClassAware, Greedy, Pipeline, PixelArgmax, Reclaim, fuse
from panoptic_heuristic.quality import add_counts, count_image, summarize
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.photos import clear_photo, write_photos
from tests.ablation.small_caches import named_store, small_scenes, write_cache, write_gt
from tests.cli.processes import run
from tests.conftest import ROOT

STAGE_FILES = ("global", "per_class", "calibrated", "calibrated_by_rule", "calibrated_one_cut")
FILES = {"tuned.yaml", "tuning.json", *(f"{name}.yaml" for name in STAGE_FILES)}


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(9, image_size=(64, 80), instances=40)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("data")
    cache = write_cache(folder / "cache", scenes, score_floor=0.05)
    json_path, png_folder = write_gt(folder / "gt", scenes)
    return ["--cache", str(cache), "--gt-json", str(json_path), "--gt-folder", str(png_folder), "--workers", "1",
            "--stuff-area-thresh", "60", "--folds", "3"]  # fmt: skip


@pytest.fixture(scope="module")
def tuned(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "base.yaml").write_text("MODEL:\n  WEIGHTS: some.pth\n")
    assert main([*arguments, "--output", str(folder / "out"), "--base", str(folder / "base.yaml")]) == 0
    return folder / "out"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def loaded(path):
    from panoptic_heuristic.detectron import load_config

    return load_config(str(path))[0]


def without_folds(arguments):
    return arguments[: arguments.index("--folds")]


def with_other_gt(scene):
    """The same scene with the ground truth's categories mixed up."""
    ids = [segment["category_id"] for segment in scene.gt_segments]
    segments = [
        {**segment, "category_id": category_id}
        for segment, category_id in zip(scene.gt_segments, reversed(ids), strict=True)
    ]
    return dataclasses.replace(scene, gt_segments=segments)


# --- what it finds ---


def test_each_config_loads_and_counts_what_was_counted(tuned, scenes, arguments):
    assert set(contents(tuned)) == FILES
    assert_counts_are_right(tuned, scenes, arguments, STAGE_FILES, Greedy)


@pytest.mark.parametrize("name, claim", [("class_aware", ClassAware), ("reclaim", Reclaim)])
def test_another_claim_rule_is_tuned(tuned, scenes, arguments, tmp_path, name, claim):
    base = ["--base", str(tuned.parent / "base.yaml"), "--stages", "global", "per-class"]
    assert main([*arguments, *base, "--claim", name, "--output", str(tmp_path / "out")]) == 0
    assert_counts_are_right(tmp_path / "out", scenes, arguments, ["global", "per_class"], claim)


def test_rules_that_see_more_than_regions_are_tuned_pixel_by_pixel(tuned, scenes, arguments, tmp_path, capsys):
    cache = ["--cache", str(write_cache_with_logits(tmp_path / "cache", scenes, score_floor=0.05)), *arguments[2:]]
    base = ["--base", str(tuned.parent / "base.yaml")]
    rules = ["--config-file", str(ROOT / "configs/presets/mask2former.yaml")]
    assert main([*cache, *base, *rules, "--output", str(tmp_path / "out")]) == 0
    assert "start: pixel_argmax" in capsys.readouterr().out
    assert set(contents(tmp_path / "out")) == {"tuned.yaml", "global.yaml", "tuning.json"}
    assert_counts_are_right(tmp_path / "out", scenes, cache, ["global"], PixelArgmax)
    assert main([*cache, *rules, "--stages", "global", "per-class", "--output", str(tmp_path / "other")]) == 2
    assert "tune the stage global only" in capsys.readouterr().err


def assert_counts_are_right(folder, scenes, arguments, names, claim, photos=None):
    """From the YAML as a model reads it, by fusing and scoring the pixels of the cached predictions."""

    numbers = json.loads((folder / "tuning.json").read_text())
    cache = PredictionCache.open(arguments[1])
    categories = cache.manifest.categories
    for name in names:
        cfg = loaded(folder / f"{name}.yaml")
        assert cfg.MODEL.WEIGHTS == "some.pth"
        pipeline = Pipeline.from_config(cfg, categories)
        assert type(pipeline.claim) is claim
        counts = []
        for image_id, scene in enumerate(scenes):
            predictions = cache.read(image_id)
            semantics = cache.manifest.semantics_of(predictions, pipeline)
            photo = None if photos is None else photos[image_id]
            result = fuse(predictions.to_instances(), semantics, categories, pipeline, photo)
            ids, segments = result.panoptic_seg, result.segments_info
            counts.append(count_image(scene.gt_ids, scene.gt_segments, ids, segments, categories))
        pq = 100 * summarize(add_counts(counts), categories).all.pq
        assert pq == pytest.approx(numbers["outcome"]["pq_tuning"][name], abs=1e-9)


def test_the_tuned_config_is_what_is_recommended(tuned, arguments):
    numbers = json.loads((tuned / "tuning.json").read_text())
    held_out, chosen = numbers["held_out"], numbers["chosen"]

    def is_sure(name):
        return any(gain["against"] == "default" and gain["interval"][0] > 0 for gain in held_out[name]["gains"])

    def is_close(name):
        to_best = held_out[name]["to_best"]
        return to_best is None or -to_best["held_out"] <= (to_best["interval"][1] - to_best["interval"][0]) / 3.92

    assert [name for name in ("start", "scaled", *STAGE_FILES) if is_sure(name) and is_close(name)][0] == chosen
    pipelines = {**numbers["baselines"], **numbers["outcome"]["pipelines"]}
    categories = PredictionCache.open(arguments[1]).manifest.categories
    assert Pipeline.from_config(loaded(tuned / "tuned.yaml"), categories) == Pipeline.from_mapping(pipelines[chosen])
    assert numbers["base"] == "../base.yaml"


def test_equal_runs_write_equal_bytes(tuned, arguments, tmp_path, capsys):
    # Beside the other one, so that the relative name of the base is the same.
    again = tuned.parent / "again"
    base = ["--base", str(tuned.parent / "base.yaml")]
    assert main([*arguments, *base, "--workers", "2", "--output", str(again)]) == 0
    assert contents(again) == contents(tuned)
    capsys.readouterr()
    seen = []
    for more in ([], ["--overwrite"], ["--overwrite", "--seed", "1"]):
        assert main([*arguments, "--stages", "global", "--output", str(tmp_path), *more]) == 0
        held_out = [one["held_out"] for one in json.loads((tmp_path / "tuning.json").read_text())["splits"]]
        seen.append((held_out, contents(tmp_path), capsys.readouterr().out))
    assert seen[1] == seen[0] and seen[2][0] != seen[0][0]


def test_the_table(arguments, tmp_path, capsys):
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "Traceback" not in err and "nan" not in out
    assert out.startswith("PQ in percent on 9 held-out images, each of 3 folds tuned without\n")
    assert "\ndefault: greedy, instances_score_thresh 0.5, overlap_threshold 0.5, stuff_area_thresh 4096 (Detec" in out
    assert "\nscaled: greedy, instances_score_thresh 0.5, " in out and ", stuff_area_fraction 0.00019531\n" in out
    recommended = result_of(tmp_path)
    assert f"\nrecommended: {recommended}, " in out and "\ngain over the default: +" in out
    assert "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT" in out
    assert f"--config-file {tmp_path / 'tuned.yaml'} --output fused\n" in out
    numbers = json.loads((tmp_path / "tuning.json").read_text())
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for name, one in numbers["held_out"].items():
        assert rows[name].split()[1] == f"{one['pq']:.2f}"
        for gain in one["gains"]:
            low, high = gain["interval"]
            assert f"{gain['held_out']:+.2f} [{low:+.2f}, {high:+.2f}]" in rows[name]
    for name in FILES:
        assert str(tmp_path / name) in out.split("\nwritten: ")[1]


def test_slopes_per_class_where_asked_for(tuned, arguments, scenes, tmp_path):
    base = ["--base", str(tuned.parent / "base.yaml")]
    output = ["--output", str(tmp_path / "out")]
    assert main([*arguments, *base, "--calibration", "per-class", *output]) == 0
    ours, theirs = (json.loads((folder / "tuning.json").read_text()) for folder in (tmp_path / "out", tuned))
    assert (ours["calibration"], theirs["calibration"]) == ("per-class", "shared")
    for name in ("global", "per_class"):
        assert ours["outcome"]["pipelines"][name] == theirs["outcome"]["pipelines"][name]
    orders = [one["outcome"]["pipelines"]["calibrated"]["order"] for one in (ours, theirs)]
    slopes = [{tuple(weights[1:]) for _, weights in order["weights"]["of_category"]} for order in orders]
    # Areas are a feature of the one form only.
    assert orders[0]["default_weights"][3] != 0 and slopes[1] == {tuple(orders[1]["default_weights"][1:])} != slopes[0]
    assert_counts_are_right(tmp_path / "out", scenes, arguments, STAGE_FILES, Greedy)


def result_of(folder):
    return json.loads((folder / "tuning.json").read_text())["chosen"]


def test_another_cache_to_report_on_and_groups(arguments, scenes, tmp_path, capsys):
    """As if one cache had been cut in two by a list; each has a ground truth of its own."""
    parts = {"a": scenes[:5], "b": scenes[5:]}
    files = {name: write_gt(tmp_path / f"gt_{name}", some) for name, some in parts.items()}
    first = write_cache(tmp_path / "a", parts["a"], score_floor=0.05)
    names = [f"{number}.jpg" for number in range(5, 9)]
    second = named_store(tmp_path / "b", names, scenes=parts["b"], score_floor=0.05, first_id=5)
    gt = ["--gt-json", str(files["a"][0]), str(second.gt.path)]
    gt += ["--gt-folder", str(files["a"][1]), str(second.panoptic_root)]
    common = ["--stages", "global", "--workers", "1", "--groups", "name:(.*)[.]"]
    caches = ["--cache", str(first), "--report-cache", str(second.cache.folder)]
    assert main([*caches, *gt, *common, "--output", str(tmp_path / "out")]) == 0
    assert "on 4 held-out images, tuned on 5 others; 9 groups, none of them parted\n" in capsys.readouterr().out
    (tmp_path / "ids.txt").write_text("0\n1\n2\n3\n4\n")
    split = [*arguments[:6], *common, "--tuning-images", str(tmp_path / "ids.txt"), "--output", str(tmp_path / "split")]
    assert main(split) == 0
    ours, theirs = (json.loads((tmp_path / name / "tuning.json").read_text()) for name in ("out", "split"))
    assert [one["images"] for one in ours.pop("caches")] == [5, 4] and len(theirs.pop("caches")) == 1
    assert ours == theirs


@pytest.mark.parametrize(
    "extra, told",
    [
        (["--groups", "blocks:4", "--folds", "4"], "must be a whole number in [2, 3], the number of groups, got 4"),
        (["--groups", "column:video"], "has no 'video', which is to name its group"),
        (["--groups", "name:(z)"], "does not match the name 0.jpg"),
        (["--groups", "videos"], "groups must be column:NAME, name:PATTERN or blocks:N, got 'videos'"),
        (["--report-cache", "{cache}"], "give one of them"),
    ],
)
def test_wrong_groups_and_caches(arguments, tmp_path, capsys, extra, told):
    extra = [one.format(cache=arguments[1]) for one in extra]
    assert main([*arguments, "--output", str(tmp_path / "out"), *extra]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_same_images_to_tune_and_to_report_on(arguments, tmp_path, capsys):
    command = [*without_folds(arguments), "--report-cache", arguments[1], "--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert "image 0, one of 9, is to be tuned on, in " in capsys.readouterr().err


def test_ground_truths_are_as_many_as_caches(arguments, tmp_path, capsys):
    command = [*without_folds(arguments), "--gt-json", "a", "b", "--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert "--gt-json must be given once, or once for each of the 1 caches, that of --report-cache last; got 2" in (
        capsys.readouterr().err
    )


def test_a_given_split(arguments, scenes, tmp_path, capsys):
    chosen = [7, 0, 3, 5, 8]
    (tmp_path / "ids.txt").write_text("\n".join(map(str, chosen)) + "\n\n")
    (tmp_path / "ids.json").write_text(json.dumps(chosen))
    written = []
    for name in ("ids.txt", "ids.json"):
        output = tmp_path / f"of_{name[4:]}"
        command = [*without_folds(arguments), "--tuning-images", str(tmp_path / name), "--output", str(output)]
        assert main([*command, "--stages", "global", "per-class"]) == 0
        written.append(contents(output))
    assert "on 4 held-out images, tuned on 5 others\n" in capsys.readouterr().out
    assert written[0] == written[1]
    assert set(written[0]) == {"tuned.yaml", "global.yaml", "per_class.yaml", "tuning.json"}
    numbers = json.loads(written[0]["tuning.json"])
    assert numbers["splits"][0]["held_out"] == [1, 2, 4, 6] and numbers["outcome"]["images"] == 5
    assert numbers["splits"][0]["pipelines"] == numbers["outcome"]["pipelines"]
    # The ground truth of the others has no say: with another one, the same is found.
    changed = [scene if place in chosen else with_other_gt(scene) for place, scene in enumerate(scenes)]
    json_path, png_folder = write_gt(tmp_path / "other_gt", changed)
    command = ["--cache", arguments[1], "--gt-json", str(json_path), "--gt-folder", str(png_folder),
               "--stuff-area-thresh", "60", "--workers", "1"]  # fmt: skip
    split = ["--tuning-images", str(tmp_path / "ids.txt"), "--stages", "global", "per-class"]
    assert main([*command, *split, "--output", str(tmp_path / "other")]) == 0
    other = json.loads((tmp_path / "other" / "tuning.json").read_text())
    assert other["outcome"] == numbers["outcome"] and other["held_out"] != numbers["held_out"]


# --- photos ---


@pytest.fixture(scope="module")
def photos(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return folder, write_photos(folder, list(map(clear_photo, scenes)))


def test_a_border_rule_is_tried_where_photos_are(tuned, arguments, scenes, photos, capsys):
    """What is written is what was counted, by any number of workers; without photos all is as it was."""
    out, again = tuned.parent / "photos", tuned.parent / "photos_again"
    base = ["--base", str(tuned.parent / "base.yaml")]
    command = [*arguments, *base, "--image-root", str(photos[0])]
    assert main([*command, "--output", str(out)]) == 0
    numbers = json.loads((out / "tuning.json").read_text())
    tried = numbers["outcome"]["borders"]
    assert tried["none"] < tried["guided_filter"] == numbers["outcome"]["pq_tuning"]["global"]
    said = capsys.readouterr().out
    assert "\nborder rule: guided_filter, for PQ of global when tuned is " in said
    assert f"{tried['none']:.2f} with none, {tried['guided_filter']:.2f} with guided_filter\n" in said
    assert "\nMODEL.PANOPTIC_FUSION.BORDER.NAME " in said
    for name in ("tuned", *STAGE_FILES):
        assert loaded(out / f"{name}.yaml").MODEL.PANOPTIC_FUSION.BORDER.NAME == "guided_filter"
    assert_counts_are_right(out, scenes, arguments, STAGE_FILES, Greedy, photos[1])
    assert main([*command, "--workers", "2", "--output", str(again)]) == 0
    assert contents(again) == contents(out)
    # Nothing of it is left in the files of a run without.
    assert main([*arguments, *base, "--output", str(again)]) == 2
    assert main([*arguments, *base, "--output", str(again), "--overwrite"]) == 0
    assert contents(again) == contents(tuned)


def test_folders_of_photos_are_as_many_as_caches(arguments, tmp_path, capsys):
    assert main([*arguments, "--image-root", "a", "b", "--output", str(tmp_path / "out")]) == 2
    assert "--image-root must be given once, or once for each of the 1 caches" in capsys.readouterr().err


def test_a_photo_of_another_size(arguments, photos, tmp_path, capsys):
    write_photos(tmp_path / "photos", [photo[:, 1:] for photo in photos[1].values()])
    output = ["--image-root", str(tmp_path / "photos"), "--output", str(tmp_path / "out")]
    assert main([*arguments, *output]) == 2
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f"error: {tmp_path / 'photos' / '0.jpg'} is 79x64 pixels, but the cache says 80x64"
    assert out == "" and not (tmp_path / "out").exists()


# --- what it refuses ---


@pytest.mark.parametrize(
    "extra, told",
    [
        (["--folds", "1"], "folds must be a whole number in [2, 9], the number of images, got 1"),
        (["--folds", "10"], "folds must be a whole number in [2, 9], the number of images, got 10"),
        (["--instances-score-thresh", "0.04"], "below 0.05; give a higher one"),
        (["--overlap-threshold", "1.1"], "--overlap-threshold must be"),
        (["--stuff-area-thresh", "-1"], "--stuff-area-thresh must be"),
        (["--stuff-area-fraction", "2"], "--stuff-area-fraction must be"),
        (["--claim", "nobody"], "--claim must be one of"),
        (["--config-file", str(ROOT / "configs/presets/mask2former.yaml")], "claim=pixel_argmax needs RoI mask"),
        (["--stages", "per-class"], "beginning with global, got per-class"),
        (["--stages", "calibrated", "global"], "beginning with global, got calibrated global"),
        (["--calibration", "per_class"], "--calibration invalid choice: 'per_class'"),
        (["--shrinkage", "-1"], "shrinkage must be in [0, inf)"),
        (["--shrinkage", "nan"], "shrinkage must be in [0, inf)"),
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--base", "nowhere.yaml"], "there is no file 'nowhere.yaml' here, and none of that name in"),
        (["--gt-json", "nowhere.json"], "cannot read nowhere.json"),
        (["--cache", "nowhere"], "nowhere holds no manifest.json"),
        (["--image-root", "nowhere"], "nowhere is no folder of images"),
    ],
)
def test_wrong_input(arguments, tmp_path, capsys, extra, told):
    assert main([*arguments, "--output", str(tmp_path / "out"), *extra]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and told in err and err.count("\n") == 1 and out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("ids.txt", "1\n99\n", "image 99 of the tuning part is not in the cache, which has 9 images"),
        ("ids.txt", "1\n2\n1\n", "image 1 is in the tuning part twice"),
        ("ids.txt", "1\ntwo\n", "ids.txt, line 2: expected an image id, got 'two'"),
        ("ids.txt", "", "the tuning part has 0 of 9 images"),
        ("ids.txt", "\n".join(map(str, range(9))), "the tuning part has 9 of 9 images"),
        ("ids.json", "[1, 2.5]", "must hold a list of image ids"),
        ("ids.json", '{"images": []}', "must hold a list of image ids"),
        ("ids.json", "[1", "is not valid JSON"),
        ("ids.txt", None, "cannot read"),
    ],
)
def test_a_wrong_list_of_images(arguments, tmp_path, capsys, name, content, told):
    if content is not None:
        (tmp_path / name).write_text(content)
    command = [*without_folds(arguments), "--tuning-images", str(tmp_path / name), "--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert told in capsys.readouterr().err


def test_folds_or_a_list(arguments, tmp_path, capsys):
    (tmp_path / "ids.txt").write_text("1\n")
    assert main([*arguments, "--tuning-images", str(tmp_path / "ids.txt"), "--output", str(tmp_path / "out")]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_results_are_not_overwritten(arguments, tmp_path, capsys):
    output = tmp_path / "out"
    output.mkdir()
    (output / "calibrated.yaml").write_text("mine")
    (output / "notes.txt").write_text("mine, too")
    short = [*arguments, "--stages", "global", "--output", str(output)]
    assert main(short) == 2
    assert f"{output / 'calibrated.yaml'} is there already; --overwrite replaces it" in capsys.readouterr().err
    assert main([*short, "--overwrite"]) == 0
    # A stage of another run would look like one of this run.
    assert set(contents(output)) == {"tuned.yaml", "global.yaml", "tuning.json", "notes.txt"}
    (tmp_path / "file").write_text("")
    assert main([*arguments, "--output", str(tmp_path / "file")]) == 2
    assert "is a file; expected a folder" in capsys.readouterr().err


def test_a_cache_of_no_image(scenes, tmp_path, capsys):
    cache = write_cache(tmp_path / "cache", scenes[:1])
    manifest = json.loads((cache / "manifest.json").read_text())
    (cache / "manifest.json").write_text(json.dumps({**manifest, "images": []}))
    gt = [str(path) for path in write_gt(tmp_path / "gt", scenes[:1])]
    command = ["--cache", str(cache), "--gt-json", gt[0], "--gt-folder", gt[1], "--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert "is a cache of no image" in capsys.readouterr().err


def test_a_cache_of_one_image(scenes, tmp_path, capsys):
    cache, gt = write_cache(tmp_path / "cache", scenes[:1]), write_gt(tmp_path / "gt", scenes[:1])
    command = ["--cache", str(cache), "--gt-json", str(gt[0]), "--gt-folder", str(gt[1])]
    assert main([*command, "--output", str(tmp_path / "out")]) == 2
    assert "there is 1 image; at least two are needed to hold one out" in capsys.readouterr().err


def test_an_unfinished_cache(scenes, tmp_path, capsys):
    cache, gt = write_cache(tmp_path / "cache", scenes[:3]), write_gt(tmp_path / "gt", scenes[:3])
    PredictionCache.open(cache).path_of(1).unlink()
    command = ["--cache", str(cache), "--gt-json", str(gt[0]), "--gt-folder", str(gt[1]), "--folds", "2"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 2
    assert "predictions/1.arrays" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unknown_agreement_is_needed_by_one_stage_only(scenes, tmp_path, capsys):
    cache, gt = write_cache(tmp_path / "cache", scenes[:4]), write_gt(tmp_path / "gt", scenes[:4])
    opened = PredictionCache.open(cache)
    predictions = opened.read(2)
    predictions.semantic_agreement[:] = np.nan
    opened.write(predictions)
    command = ["--cache", str(cache), "--gt-json", str(gt[0]), "--gt-folder", str(gt[1]), "--folds", "2",
               "--output", str(tmp_path / "out")]  # fmt: skip
    assert main(command) == 2
    assert "image 2 agree with its instances, which calibrated probabilities need" in capsys.readouterr().err
    assert main([*command, "--stages", "global", "per-class"]) == 0


def test_help_shows_an_example():
    done = run([ROOT / "tools" / "tune_fusion.py", "--help"])
    assert done.returncode == 0 and "--cache cache --base" in done.stdout and "--eval-only" in done.stdout
