"""The maps that are fused, whatever the heads' results come as."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.fusion import Pipeline
from tests.cli.files_to_fuse import Files, stuff
from tests.formats.drawn_results import found, rle
from tests.formats.tiny_panoptic import CATEGORIES


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def sound(files):
    return files.fill()


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
            f"fused by {Pipeline(stuff_area_thresh=1.0)}",
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
        assert set(content) == {"info", "images", "annotations", "categories"}
        assert Pipeline.from_mapping(content["info"]["fusion"]) == Pipeline(stuff_area_thresh=1)
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

    def test_a_config_in_place_of_the_flags(self, files):
        files.instances(found(7, "###. .... ....", 0.9), found(90, ".### .... ....", 0.8))
        files.semantics(*stuff(".... gggg ...."))
        del files.arguments["stuff-area-thresh"]
        config = files.folder / "config.yaml"
        for text, drawing in {
            "PRESET: per_pixel": "cccd .... ....",
            "PER_CLASS: [[dog, {OVERLAP_THRESH: 1}], [grass, {STUFF_AREA_LIMIT: 4}]]": "cccd gggg ....",
            "PER_CLASS: [[cat, {INSTANCES_CONFIDENCE_THRESH: 1}], [grass, {STUFF_AREA_LIMIT: 5}]]": ".ddd .... ....",
        }.items():
            config.write_text(f"MODEL: {{PANOPTIC_FUSION: {{{text}}}}}")
            assert files.run("--overwrite", "--config-file", str(config)) == 0
            assert files.drawing() == drawing, text
        # A flag replaces one value of the file; grass has a limit of its own there.
        assert files.run("--overwrite", "--config-file", str(config), "--instances-score-thresh", "0.95") == 0
        assert files.drawing() == ".... .... ...."

    def test_an_image_for_a_rule_that_looks_at_it(self, files):
        files.fill()
        files.semantics(*stuff("ssss gggg gggg"))
        del files.arguments["stuff-area-thresh"]
        Image.new("RGB", (4, 3), (9, 9, 9)).save(files.folder / "1.jpg")
        Image.new("RGB", (4, 3), (9, 9, 9)).save(files.folder / "2.jpg")
        config = files.folder / "config.yaml"
        config.write_text(
            "MODEL: {PANOPTIC_FUSION: {BORDER: {NAME: guided_filter}}, PANOPTIC_FPN: {COMBINE: {STUFF_AREA_LIMIT: 1}}}"
        )
        root = ("--image-root", str(files.folder))
        assert files.run("--config-file", str(config), *root) == 0
        (files.folder / "1.jpg").unlink()
        assert files.run("--overwrite", "--config-file", str(config), *root) == 2

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
