import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle_codec

from tests.conftest import ROOT
from tests.tiny_panoptic import CATEGORIES

TOOL = ROOT / "tools" / "fuse_predictions.py"
STUFF = {"s": 0, "g": 9}
THINGS = {"c": 7, "d": 90}
LETTER_OF = {category_id: letter for letter, category_id in {**STUFF, **THINGS}.items()}


@pytest.fixture(scope="module")
def main(load_tool):
    return load_tool("fuse_predictions").main


def rle(drawing, letter="#", compressed=True):
    mask = np.array([[pixel == letter for pixel in row] for row in drawing.split()])
    if not compressed:
        flat = mask.ravel(order="F")
        borders = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
        return {"size": list(mask.shape), "counts": np.diff([0, *borders, flat.size]).tolist()}
    encoded = rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def found(category, drawing, score, image_id=1):
    return {"image_id": image_id, "category_id": category, "score": score, "segmentation": rle(drawing)}


def stuff(drawing, image_id=1):
    """A mask per letter."""
    letters = sorted(set("".join(drawing.split())) - {"."})
    return [{"image_id": image_id, "category_id": STUFF[i], "segmentation": rle(drawing, i)} for i in letters]


class Files:
    """The inputs of the command for images of 3x4 pixels, and its output."""

    def __init__(self, folder: Path, main):
        self.folder, self.output, self._main = folder, folder / "out", main
        self.arguments = {"images": "images.json", "categories": "categories.json"}
        self.arguments.update({"workers": 1, "stuff-area-thresh": 1})
        self.write("images", {"images": [self.image(1), self.image(2)]})
        self.write("categories", CATEGORIES)

    def image(self, image_id, file_name=None):
        return {"id": image_id, "file_name": file_name or f"{image_id}.jpg", "height": 3, "width": 4}

    def write(self, name, content):
        (self.folder / f"{name}.json").write_text(json.dumps(content))

    def instances(self, *entries):
        self.write("instances", entries)
        self.arguments["instances"] = "instances.json"

    def semantics(self, *entries):
        self.write("semantics", entries)
        self.arguments["semantics"] = "semantics.json"

    def argv(self, *more):
        files = ("images", "categories", "instances", "semantics", "label-to-category")
        argv = ["--output", str(self.output)]
        for name, value in self.arguments.items():
            argv += [f"--{name}", str(self.folder / value if name in files else value)]
        return argv + list(more)

    def run(self, *more):
        return self._main(self.argv(*more))

    def annotation(self, image_id=1):
        content = json.loads((self.output / "panoptic_predictions.json").read_text())
        return next(one for one in content["annotations"] if one["image_id"] == image_id)

    def drawing(self, image_id=1):
        """The map of an image in the letters of its categories; a second instance is a capital letter."""
        annotation = self.annotation(image_id)
        rgb = np.asarray(Image.open(self.output / "panoptic_predictions" / annotation["file_name"])).astype(int)
        letter_of, taken = {0: "."}, set()
        for segment in annotation["segments_info"]:
            letter = LETTER_OF[segment["category_id"]]
            letter_of[segment["id"]] = letter.upper() if letter in taken else letter
            taken.add(letter)
        return " ".join("".join(letter_of[i] for i in row) for row in rgb @ [1, 256, 65536])

    def written(self):
        """Every file and folder of the output."""
        return sorted(str(path.relative_to(self.output)) for path in self.output.rglob("*"))


@pytest.fixture
def files(tmp_path, main):
    return Files(tmp_path, main)


@pytest.fixture
def sound(files):
    files.instances(found(7, "##.. ##.. ....", 0.9), found(7, "..#. ..#. ....", 0.8), found(90, "#... .... ....", 0.7))
    files.semantics(*stuff("ssss gggg gggg"))
    return files


class TestMaps:
    def test_drawn(self, sound, capsys):
        assert sound.run() == 0
        # The dog is covered; the second cat is not.
        assert sound.drawing() == "ccCs ccCg gggg"
        segments = sound.annotation()["segments_info"]
        assert [(s["category_id"], s["area"], s.get("score")) for s in segments] == [
            (7, 4, 0.9), (7, 2, 0.8), (9, 5, None), (0, 1, None),
        ]  # fmt: skip
        out, err = capsys.readouterr()
        assert out.splitlines() == [
            "2 images, 1 of them without instances and 1 without semantics",
            "2 thing segments, 2 stuff segments",
            f"written: {sound.output / 'panoptic_predictions.json'}, {sound.output / 'panoptic_predictions'}",
        ]
        assert err == ""

    def test_an_image_nobody_says_anything_about_is_void(self, sound):
        sound.run()
        assert sound.drawing(2) == ".... .... ...."
        assert sound.annotation(2) == {"image_id": 2, "file_name": "2.png", "segments_info": []}

    def test_instances_alone_and_semantics_alone(self, files):
        files.instances(found(7, "##.. .... ....", 0.9, image_id=1))
        files.semantics(*stuff("gg.. gg.. ....", image_id=2))
        assert files.run() == 0
        assert (files.drawing(1), files.drawing(2)) == ("cc.. .... ....", "gg.. gg.. ....")

    def test_one_source_is_enough(self, files):
        files.instances(found(7, "##.. .... ....", 0.9))
        assert files.run() == 0
        assert files.drawing() == "cc.. .... ...."

    def test_the_json_is_what_scorers_take(self, sound):
        sound.run()
        content = json.loads((sound.output / "panoptic_predictions.json").read_text())
        assert set(content) == {"images", "annotations", "categories"}
        assert content["categories"] == json.loads(json.dumps(CATEGORIES))
        assert content["images"] == [sound.image(1), sound.image(2)]

    def test_thresholds_and_claim(self, files):
        files.instances(found(7, "###. .... ....", 0.9), found(90, ".### .... ....", 0.5))
        files.semantics(*stuff(".... gggg ...."))
        expected = {
            (): "ccc. gggg ....",
            ("--overlap-threshold", "0.67"): "cccd gggg ....",
            ("--claim", "per_pixel"): "cccd gggg ....",
            ("--claim", "per_pixel", "--instances-score-thresh", "0.51"): "ccc. gggg ....",
            ("--stuff-area-thresh", "4"): "ccc. gggg ....",
            ("--stuff-area-thresh", "4.5"): "ccc. .... ....",
        }
        for options, drawing in expected.items():
            assert files.run("--overwrite", *options) == 0
            assert files.drawing() == drawing, options

    def test_runs_and_polygons_say_the_same(self, files):
        drawing = "##.. ##.. ...."
        maps = set()
        for segmentation in (rle(drawing), rle(drawing, compressed=False), [[0, 0, 2, 0, 2, 2, 0, 2]]):
            files.instances({**found(7, drawing, 0.9), "segmentation": segmentation})
            assert files.run("--overwrite") == 0
            maps.add(files.drawing())
        assert maps == {"cc.. cc.. ...."}

    def test_scores_that_are_not_finite_are_dropped_and_counted(self, files, capsys):
        files.instances(*(found(7, "#### #### ####", score) for score in (float("nan"), float("inf"))))
        assert files.run() == 0
        assert "2 instances dropped, for their score is NaN or infinite\n" in capsys.readouterr().out
        assert files.drawing() == ".... .... ...."

    def test_names_in_folders_stay_apart(self, sound):
        sound.write("images", {"images": [sound.image(1, "x/a.jpg"), sound.image(2, "y/a.jpg")]})
        assert sound.run() == 0
        assert sound.drawing(1) != sound.drawing(2)
        assert "panoptic_predictions/x/a.png" in sound.written()


class TestSemantics:
    def test_things_in_them_are_left_out(self, files):
        thing = {"image_id": 1, "category_id": 7, "segmentation": rle("#### .... ....")}
        files.semantics(thing, *stuff("ss.. gggg ...."))
        assert files.run() == 0
        assert files.drawing() == "ss.. gggg ...."

    def test_several_masks_of_a_category_are_one_segment(self, files):
        files.semantics(*stuff("gg.. .... ...."), *stuff(".... .... ..gg"))
        # Four pixels together; two each.
        assert files.run("--stuff-area-thresh", "4") == 0
        assert files.drawing() == "gg.. .... ..gg"
        assert [segment["area"] for segment in files.annotation()["segments_info"]] == [4]

    @pytest.mark.parametrize("other, pair", [("s... .... ....", "9 and 0"), ("g... .... ....", "9 and 9")])
    def test_masks_that_share_a_pixel_are_an_error(self, files, capsys, other, pair):
        files.semantics(*stuff("gg.. .... ...."), *stuff(other))
        assert files.run() == 2
        assert f"image 1: the semantic masks of categories {pair} overlap; " in capsys.readouterr().err
        assert files.written() == []

    def test_detectron2s_file_names_and_its_label_of_all_things(self, files, capsys):
        entries = [
            {"file_name": "datasets/val/1.jpg", "category_id": label, "segmentation": rle(drawing)}
            for label, drawing in ((255, "##.. .... ...."), (0, "..## .... ...."))
        ]
        files.semantics(*entries)
        assert files.run() == 2
        assert "entry 0: category 255 is not among the categories; say what it means" in capsys.readouterr().err
        assert files.run("--no-label", "255") == 0
        assert files.drawing() == "..ss .... ...."

    def test_labels_of_a_heads_own(self, files):
        entries = stuff("ss.. gggg ....")
        for entry in entries:
            entry["category_id"] = {0: 1, 9: 2}[entry["category_id"]]
        files.semantics(*entries)
        files.write("labels", {"1": 0, "2": 9, "3": None})
        files.arguments["label-to-category"] = "labels.json"
        assert files.run() == 0
        assert files.drawing() == "ss.. gggg ...."


def pixels(drawing, value_of):
    return np.array([[value_of[pixel] for pixel in row] for row in drawing.split()])


class TestLabelMaps:
    @pytest.fixture
    def maps(self, files):
        (files.folder / "maps").mkdir()
        files.arguments["semantics"] = "maps"
        return files

    def png(self, files, values, dtype=np.uint8, name="1.png"):
        Image.fromarray(values.astype(dtype)).save(files.folder / "maps" / name)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_a_label_is_a_category_id(self, maps, dtype, capsys):
        self.png(maps, pixels("sscc gggg ..gg", {"s": 0, "g": 9, "c": 7, ".": 90}), dtype)
        assert maps.run() == 0
        assert maps.drawing() == "ss.. gggg ..gg"
        assert "2 images, 2 of them without instances and 1 without semantics" in capsys.readouterr().out

    def test_no_label(self, maps, capsys):
        self.png(maps, pixels("ss.. gggg ....", {"s": 0, "g": 9, ".": 255}))
        assert maps.run() == 2
        assert "1.png: the semantic map holds label 255, which" in capsys.readouterr().err
        assert maps.run("--no-label", "255") == 0
        assert maps.drawing() == "ss.. gggg ...."

    def test_labels_of_a_heads_own(self, maps):
        self.png(maps, pixels("ss.. gggg ....", {"s": 1, "g": 2, ".": 0}))
        maps.write("labels", [None, 0, 9])
        maps.arguments["label-to-category"] = "labels.json"
        assert maps.run() == 0
        assert maps.drawing() == "ss.. gggg ...."

    def test_logits(self, maps, capsys):
        labels = pixels("ss.. gggg ....", {"s": 1, "g": 2, ".": 0})
        np.savez(maps.folder / "maps" / "1.npz", np.stack([labels == k for k in range(3)]).astype(np.float32))
        assert maps.run() == 2
        assert "logits need --label-to-category" in capsys.readouterr().err
        maps.write("labels", [None, 0, 9])
        maps.arguments["label-to-category"] = "labels.json"
        assert maps.run() == 0
        assert maps.drawing() == "ss.. gggg ...."
        maps.write("labels", [None, 0, 9, 9])
        assert maps.run("--overwrite") == 2
        assert "1.npz: expected floating-point logits of shape (4, 3, 4), got (3, 3, 4)" in capsys.readouterr().err

    def test_a_png_and_logits_of_one_image(self, maps, capsys):
        self.png(maps, np.zeros((3, 4)))
        np.savez(maps.folder / "maps" / "1.npz", np.zeros((3, 3, 4), np.float32))
        assert maps.run() == 2
        assert "holds both a PNG and an .npz file of image 1.jpg" in capsys.readouterr().err

    def test_a_folder_of_something_else(self, maps, capsys):
        self.png(maps, np.zeros((3, 4)), name="9.png")
        assert maps.run() == 2
        assert "maps holds no file of any image, such as 1.png" in capsys.readouterr().err

    def test_a_map_of_another_size(self, maps, capsys):
        self.png(maps, np.zeros((4, 3)))
        assert maps.run() == 2
        assert "1.png is 3x4 pixels, but its image is 4x3" in capsys.readouterr().err

    def test_a_damaged_map(self, maps, capsys):
        (maps.folder / "maps" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        assert maps.run() == 2
        assert "1.png" in capsys.readouterr().err
        assert maps.written() == []


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
            ([("1", "1.jpg")], "'id' must be an integer, got '1'"),
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
            (["--overlap-threshold", "1.5"], "overlap_threshold must be a finite number in [0, 1], got 1.5"),
            (["--stuff-area-thresh", "-1"], "stuff_area_thresh must be a finite number in [0, inf), got -1.0"),
            (["--instances-score-thresh", "nan"], "instances_score_thresh must be a finite number"),
            (["--claim", "per_pixel", "--overlap-threshold", "0.5"], "means nothing to --claim per_pixel"),
            (["--no-label", "0"], "--no-label 0 is the label of category 0; say what every label means"),
            (["--workers", "0"], "workers must be at least 1, got 0"),
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

    def test_a_json_never_describes_pngs_of_another_run(self, sound, main, monkeypatch, capsys):
        sound.run()

        def interrupted(path, value):
            raise KeyboardInterrupt

        monkeypatch.setitem(main.__wrapped__.__globals__, "write_json", interrupted)
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
        assert "cannot write to --output" in capsys.readouterr().err

    def test_two_runs_and_two_processes_write_the_same_bytes(self, sound):
        sound.write("images", {"images": [sound.image(i) for i in range(1, 12)]})
        contents = []
        for run in range(3):
            if run < 2:
                assert sound.run("--overwrite") == 0
            else:
                done = run_as_a_process(sound.argv("--overwrite", "--workers", "2"))
                assert (done.returncode, done.stderr) == (0, "")
            contents.append({name: (sound.output / name).read_bytes() for name in sound.written() if "." in name})
        assert contents[0] == contents[1] == contents[2]
        assert len(contents[0]) == 12


def run_as_a_process(argv, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(TOOL), *argv], env=environment, capture_output=True, text=True, timeout=120, **options
    )


class TestAsAProcess:
    def test_an_error_in_a_worker_is_one_line(self, sound):
        broken = {**found(7, "#... .... ....", 0.9, image_id=2), "segmentation": {"size": [3, 4], "counts": "0"}}
        sound.instances(broken)
        sound.arguments["workers"] = 2
        done = run_as_a_process(sound.argv())
        assert done.returncode == 2
        assert done.stderr.startswith("error: image 2, entry 0 of the instance results: counts must be run lengths")
        assert len(done.stderr.splitlines()) == 1
        assert sound.written() == []

    def test_ctrl_c_leaves_no_half_output(self, sound):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        partial = sound.output / ".panoptic_predictions.partial"
        sound.write("images", {"images": [sound.image(i) for i in range(1, 20_000)]})
        process = subprocess.Popen(
            [sys.executable, str(TOOL), *sound.argv("--workers", "2")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(partial.glob("*.png")) and process.poll() is None and time.monotonic() < deadline:
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
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.returncode) == ("set()\n", 0)

    def test_help_has_the_words_of_the_python_names(self):
        done = run_as_a_process(["--help"])
        assert done.returncode == 0
        for flag in ("--instances-score-thresh", "--overlap-threshold", "--stuff-area-thresh", "example:"):
            assert flag in done.stdout
