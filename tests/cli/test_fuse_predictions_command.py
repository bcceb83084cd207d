"""The input the command refuses, the files it writes, and how it ends."""

import signal
import time

import pytest

from tests.cli.files_to_fuse import Files
from tests.cli.processes import run, start
from tests.conftest import ROOT
from tests.formats.drawn_results import found, rle
from tests.formats.tiny_panoptic import CATEGORIES

TOOL = ROOT / "tools" / "fuse_predictions.py"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def sound(files):
    return files.fill()


class TestBadInput:
    @pytest.mark.parametrize(
        "change, message",
        [
            ({"category_id": 3}, "instances.json, entry 0: category 3 is not among the categories"),
            ({"category_id": 9}, "instances.json, entry 0: category 9 is stuff; instances are things"),
            ({"image_id": 3}, "instances.json, entry 0: 3 is not among the images"),
            ({"segmentation": rle("## ##")}, "instances.json, entry 0 is [2, 2], but image_size is [3, 4]"),
            ({"segmentation": {"size": [3, 4], "counts": "0"}}, "image 1, entry 0 of the instance results: counts "),
            ({"segmentation": 5}, "image 1, entry 0 of the instance results must be a dict with 'size' and 'counts'"),
            ({"score": "high"}, "instances.json, entry 0: 'score' must be a number, got 'high'"),
        ],
    )
    def test_instances(self, files, capsys, change, message):
        files.instances({**found(7, "#... .... ....", 0.9), **change})
        assert files.run() == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.splitlines()) == 1 and err.startswith("error: ")
        assert files.written() == []

    @pytest.mark.parametrize(
        "images, message",
        [
            ([(1, "1.jpg"), (1, "2.jpg")], "images.json, image 1: image id 1 occurs twice"),
            ([(1, "a.jpg"), (2, "a.png")], "images.json: images 1 and 2 would both become a.png"),
            ([(1, "../1.jpg")], "file_name '../1.jpg' leads out of its folder"),
            ([(1, "/1.jpg")], "file_name '/1.jpg' leads out of its folder"),
            ([(1, "x/../../1.jpg")], "leads out of its folder"),
            ([(1, ".")], "file_name '.' is no name of a file"),
            ([(1.0, "1.jpg")], "'id' must be an integer or a text, got 1.0"),
            ([("1", "1.jpg")], "entry 0: 1 is not among the images; there is '1', which is text: write the id alike"),
            ([(1, "1.jpg"), ("1", "2.jpg")], "there are images 1 and '1', a number and a text that look alike"),
        ],
    )
    def test_images(self, sound, capsys, images, message):
        sound.write("images", {"images": [sound.image(*one) for one in images]})
        assert sound.run() == 2
        assert message in capsys.readouterr().err
        assert sound.written() == []

    def test_the_size_is_needed(self, sound, capsys):
        sound.write("images", {"images": [{"id": 1, "file_name": "1.jpg", "height": 3}]})
        assert sound.run() == 2
        assert "'width' must be a positive integer, got None" in capsys.readouterr().err

    def test_an_instances_json_has_no_panoptic_categories(self, sound, capsys):
        categories = [{"id": 7, "name": "cat"}]
        sound.write("images", {"images": [sound.image(1)], "annotations": [{"id": 1}], "categories": categories})
        del sound.arguments["categories"]
        assert sound.run() == 2
        assert "category 0 has no 'isthing'; panoptic categories need id, name and isthing; name a file that has " in (
            capsys.readouterr().err
        )
        sound.arguments["categories"] = "categories.json"
        assert sound.run() == 0

    def test_a_panoptic_json_is_enough(self, sound):
        sound.write("images", {"images": [sound.image(1)], "categories": CATEGORIES})
        del sound.arguments["categories"]
        assert sound.run() == 0

    @pytest.mark.parametrize(
        "options, message",
        [
            (["--overlap-threshold", "1.5"], "error: --overlap-threshold must be a finite number in [0, 1], got 1.5"),
            (["--stuff-area-thresh", "-1"], "error: --stuff-area-thresh must be a finite number in [0, inf), got -1.0"),
            (["--instances-score-thresh", "nan"], "error: --instances-score-thresh must be a finite number"),
            (
                ["--claim", "per_pixel", "--overlap-threshold", "0.5"],
                "--overlap-threshold is no parameter of the claim rule per_pixel; it has none",
            ),
            (["--claim", "gredy"], "error: --claim must be one of adaptive, class_aware, greedy"),
            (["--no-label", "0"], "--no-label 0 is the label of category 0; say what every label means"),
            (["--workers", "0"], "--workers must be at least 1, got 0"),
        ],
    )
    def test_options(self, sound, capsys, options, message):
        assert sound.run(*options) == 2
        assert message in capsys.readouterr().err
        assert sound.written() == []

    @pytest.mark.parametrize(
        "labels, message",
        [
            ({"1": 3}, "label 1 means category 3, which is not among the categories"),
            ([None, True], "label 1 means category True, which is not among the categories"),
            ({"-1": 9}, "label '-1' must be a whole number >= 0"),
            ("abc", "expected a list, or an object from label to category id, got 'abc'"),
        ],
    )
    def test_labels(self, sound, capsys, labels, message):
        sound.write("labels", labels)
        sound.arguments["label-to-category"] = "labels.json"
        assert sound.run() == 2
        assert f"labels.json: {message}" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "stage, message",
        [
            ("CLAIM: {NAME: pixel_argmax}", "CLAIM.NAME=pixel_argmax needs RoI mask probabilities, but results of"),
            ("STUFF: {NAME: next_best}", "STUFF.NAME=next_best needs semantic logits, but --semantics is no folder of"),
            (
                "BORDER: {NAME: guided_filter}",
                "BORDER.NAME=guided_filter needs the image, but there is no --image-",
            ),
            ("BORDER: {NAME: dense_crf}", "BORDER.NAME=dense_crf needs the image, but there is no --image-root"),
            ("CLAIM: {NAME: gready}", "CLAIM.NAME must be one of adaptive, class_aware, greedy"),
            ("PRESET: raps", "PRESET must be one of detectron2, panopticapi"),
        ],
    )
    def test_a_config_whose_rules_do_not_fit_the_files(self, sound, capsys, stage, message):
        config = sound.folder / "config.yaml"
        config.write_text(f"MODEL: {{PANOPTIC_FUSION: {{{stage}}}}}")
        del sound.arguments["stuff-area-thresh"]
        assert sound.run("--config-file", str(config)) == 2
        error = capsys.readouterr().err
        assert f"error: MODEL.PANOPTIC_FUSION.{message}" in error.replace(f"{config}: ", "") and error.count("\n") == 1
        assert sound.written() == []

    def test_a_config_that_is_not_there(self, sound, capsys):
        assert sound.run("--config-file", "nothing.yaml") == 2
        assert "nothing.yaml" in capsys.readouterr().err and sound.written() == []

    def test_nothing_to_fuse(self, files, capsys):
        assert files.run() == 2
        assert "give --instances, --semantics or both" in capsys.readouterr().err


class TestOutput:
    def test_it_is_not_overwritten_unless_asked(self, sound, capsys):
        assert sound.run() == 0
        before = {name: (sound.output / name).stat().st_mtime_ns for name in sound.written()}
        assert sound.run() == 2
        assert "panoptic_predictions.json exists; give another --output, or --overwrite" in capsys.readouterr().err
        assert {name: (sound.output / name).stat().st_mtime_ns for name in sound.written()} == before

    def test_what_is_replaced_leaves_nothing_behind(self, sound):
        sound.run()
        sound.write("images", {"images": [sound.image(1)]})
        assert sound.run("--overwrite") == 0
        assert sound.written() == ["panoptic_predictions", "panoptic_predictions.json", "panoptic_predictions/1.png"]

    def test_a_failure_leaves_the_old_output(self, sound):
        sound.run()
        before = {name: (sound.output / name).read_bytes() for name in sound.written() if "." in name}
        broken = {**found(7, "#... .... ....", 0.9, image_id=2), "segmentation": {"size": [3, 4], "counts": "0"}}
        sound.instances(found(7, "##.. .... ....", 0.9), broken)
        assert sound.run("--overwrite") == 2
        assert {name: (sound.output / name).read_bytes() for name in sound.written() if "." in name} == before

    def test_a_json_never_describes_pngs_of_another_run(self, sound, monkeypatch, capsys):
        sound.run()

        def interrupted(path, value):
            raise KeyboardInterrupt

        monkeypatch.setattr("panoptic_heuristic.head_results.fuse.write_json", interrupted)
        assert sound.run("--overwrite", "--stuff-area-thresh", "9") == 130
        assert "panoptic_predictions.json" not in sound.written()

    def test_a_folder_with_something_else_in_it_is_left_alone(self, sound, capsys):
        sound.run()
        (sound.output / "panoptic_predictions" / "notes.txt").write_text("mine")
        assert sound.run("--overwrite") == 2
        assert "notes.txt was not written by this command; move it away first" in capsys.readouterr().err
        assert (sound.output / "panoptic_predictions" / "notes.txt").read_text() == "mine"

    def test_an_output_that_cannot_be_written(self, sound, capsys):
        sound.output.write_text("a file")
        assert sound.run() == 2
        assert "cannot write to" in capsys.readouterr().err

    def test_two_runs_and_two_processes_write_the_same_bytes(self, sound):
        sound.write("images", {"images": [sound.image(i) for i in range(1, 12)]})
        contents = []
        for times in range(3):
            if times < 2:
                assert sound.run("--overwrite") == 0
            else:
                done = run([TOOL, *sound.argv("--overwrite", "--workers", "2")])
                assert (done.returncode, done.stderr) == (0, "")
            contents.append({name: (sound.output / name).read_bytes() for name in sound.written() if "." in name})
        assert contents[0] == contents[1] == contents[2]
        assert len(contents[0]) == 12


class TestAsAProcess:
    def test_an_error_in_a_worker_is_one_line(self, sound):
        broken = {**found(7, "#... .... ....", 0.9, image_id=2), "segmentation": {"size": [3, 4], "counts": "0"}}
        sound.instances(broken)
        sound.arguments["workers"] = 2
        done = run([TOOL, *sound.argv()])
        assert done.returncode == 2
        assert done.stderr.startswith("error: image 2, entry 0 of the instance results: counts must be run lengths")
        assert len(done.stderr.splitlines()) == 1
        assert sound.written() == []

    def test_ctrl_c_leaves_no_half_output(self, sound):
        sound.write("images", {"images": [sound.image(i) for i in range(1, 20_000)]})
        process = start([TOOL, *sound.argv("--workers", "2")])
        deadline = time.monotonic() + 60
        half = ".*.partial/*.png"
        while not list(sound.output.glob(half)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, (out, err)
        assert err.splitlines()[-1] == "stopped"
        assert sound.written() == []

    def test_it_needs_no_detectron2(self):
        code = (
            "import importlib.util, sys; "
            f"spec = importlib.util.spec_from_file_location('t', {str(TOOL)!r}); "
            "spec.loader.exec_module(importlib.util.module_from_spec(spec)); "
            "print({'detectron2', 'panopticapi', 'matplotlib'} & set(sys.modules))"
        )
        done = run(["-c", code])
        assert (done.stdout, done.returncode) == ("set()\n", 0)

    def test_help_has_the_words_of_the_python_names(self):
        done = run([TOOL, "--help"])
        assert done.returncode == 0
        for flag in ("--instances-score-thresh", "--overlap-threshold", "--stuff-area-thresh", "example:"):
            assert flag in done.stdout
