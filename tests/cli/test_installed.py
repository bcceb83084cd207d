"""The installed package, in an environment without Detectron2 and panopticapi, from a folder outside of the clone."""

import json

import pytest

from panoptic_heuristic.__main__ import command_paths
from tests.cli.bare_environment import make_bare_environment

MISSING = "error: Detectron2 is not installed: "
DATA = ["--gt-json", "shapes/val/panoptic.json", "--gt-folder", "shapes/val/panoptic"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return make_bare_environment(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def ours(bare):
    """Runs a command there, which must succeed and say nothing on stderr; gives what it printed."""

    def run(*arguments):
        done = bare.run("panoptic-heuristic", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def heads(bare, ours):
    """Perfect results of two heads on three generated images, as the flags that name them."""
    ours("generate-shapes", "--output", "shapes", "--train", "1", "--val", "3")
    files = ["--panoptic-json", "shapes/val/panoptic.json", "--panoptic-root", "shapes/val/panoptic"]
    ours("convert-panoptic", "coco-to-instances-semantic", *files, "--output", "heads", "--workers", "1")
    entries = json.loads((bare.work / "heads" / "instances.json").read_text())["annotations"]
    results = [{**entry, "score": 0.99 - place / 1000} for place, entry in enumerate(entries)]
    (bare.work / "results.json").write_text(json.dumps(results))
    flags = ["--images", "shapes/val/panoptic.json", "--instances", "results.json"]
    return [*flags, "--semantics", "heads/semantic", "--no-label", "255", "--workers", "1"]


@pytest.fixture(scope="module")
def cache(ours, heads):
    ours("cache-predictions", *heads, "--cache", "cache")
    return ["--cache", "cache", *DATA]


def test_every_command_helps_or_says_what_it_lacks(bare):
    code = (
        "from panoptic_heuristic.__main__ import command_paths, main\n"
        "for name in command_paths():\n"
        "    try: print(name, 'gives', main([name, '--help']))\n"
        "    except SystemExit as leaving: print(name, 'leaves with', leaving.code)\n"
    )
    done = bare.run("python", "-c", code)
    out = " ".join(done.stdout.split())
    for name in set(command_paths()) - {"train-net"}:
        assert f"usage: panoptic-heuristic {name} [-h]" in out and f"{name} leaves with 0" in out
    # Its options are Detectron2's.
    assert "train-net gives 2" in out
    assert done.stderr.startswith(MISSING) and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["train-net", "--config-file", "shapes/panoptic_heuristic_fpn_R_18.yaml"],
        ["cache-predictions", "--config-file", "shapes/panoptic_heuristic_fpn_R_18.yaml", "--cache", "never"],
        ["demo", "--output", "never"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_needs_a_model_is_one_sentence(bare, arguments):
    done = bare.run("panoptic-heuristic", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(MISSING) and done.stderr.count("\n") == 1
    assert not (bare.work / "never").exists()


def test_the_doctor_says_what_works(ours):
    *_, core, model, reference = ours("doctor").splitlines()
    assert core == "fusing, scoring, files, ablation: works"
    assert model == "training and running a model: does not work, for want of Detectron2"
    assert reference.endswith("does not work, for want of panopticapi")


def test_python_runs_the_package_too(bare):
    done = bare.run("python", "-m", "panoptic_heuristic", "evaluate-pq", "--help")
    assert done.stdout.startswith("usage: python -m panoptic_heuristic evaluate-pq [-h]")


def test_fuse_with_a_packaged_preset_and_score(ours, heads):
    out = ours("fuse-predictions", *heads, "--config-file", "presets/rap.yaml", "--output", "fused")
    assert "3 images, 0 of them without instances" in out
    predictions = ["--pred-json", "fused/panoptic_predictions.json", "--pred-folder", "fused/panoptic_predictions"]
    assert "coverage: 3 of 3" in ours("evaluate-pq", *DATA, *predictions, "--workers", "1", "--output", "scores")
    ours("visualize-panoptic", *DATA, *predictions, "--image-root", "shapes/val/images", "--output", "pictures")


def test_ablation(bare, cache):
    cache = [*cache, "--workers", "1"]
    commands = [
        ["sweep-fusion", *cache, "--grid", "sweeps/shapes.yaml", "--output", "sweep"],
        ["attribute-errors", *cache, "--output", "errors"],
        ["tune-fusion", *cache, "--folds", "3", "--stages", "global", "--output", "tuned"],
        ["compare-fusion", *cache, "--presets", "presets/rap.yaml", "--output", "comparison"],
        ["report-sweep", "sweep", "--attribution", "errors/attribution.json", "--output", "report"],
    ]
    # One process: that each starts as a program, and what it lacks, is seen above.
    code = f"from panoptic_heuristic.__main__ import main\nfor one in {commands}: assert main(one) == 0, one"
    done = bare.run("python", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "settings on 3 images" in done.stdout


def test_configs_come_from_the_installed_package(bare):
    code = "from panoptic_heuristic.formats.packaged import config_path; print(config_path('presets/rap.yaml'))"
    done = bare.run("python", "-c", code)
    assert done.stdout.startswith(str(bare.folder)) and done.stdout.endswith("/presets/rap.yaml\n")
