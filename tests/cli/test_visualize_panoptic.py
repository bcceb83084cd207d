"""visualize-panoptic: which images it draws, from which files, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.cli import visualize_panoptic
from tests.cli.processes import help_of, run
from tests.conftest import ROOT
from tests.formats.tiny_panoptic import DRAWINGS, draw, segments_info, write_png
from tests.visual.drawn_fonts import forget, use_system_fonts

TOOL = ROOT / "tools" / "visualize_panoptic.py"

# The first image has its second cat missed and a dog of another shape, the second is right, the third has no
# prediction at all.
PREDICTED = """
    ssssssssss
    ssccssssss
    ssccssssxx
    ssddssssxx
    ggddddggxx
    ggddddggxx
    gggggggggg
    gggggggggg
    """


@pytest.fixture
def data(data):
    (data.root / "predicted").mkdir()
    annotations = []
    for place, drawing in enumerate([PREDICTED, DRAWINGS[1]]):
        name = f"p{place}.png"
        write_png(data.root / "predicted" / name, draw(drawing))
        entry = {"image_id": place + 1, "file_name": name, "segments_info": segments_info(drawing)}
        annotations.append(entry)
    (data.root / "predicted.json").write_text(json.dumps({"annotations": annotations}))
    return data


def gt(data):
    return ["--gt-json", data.json("val"), "--gt-folder", data.root / "panoptic_val"]


def predictions(data):
    return ["--pred-json", data.root / "predicted.json", "--pred-folder", data.root / "predicted"]


@pytest.fixture
def main(tmp_path):
    def run(*arguments, panel=160):
        arguments = [*arguments, "--output", tmp_path / "out", "--workers", 1, "--panel-size", panel]
        return visualize_panoptic.main([str(argument) for argument in arguments])

    return run


def drawn(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


def renamed(data, **name_of):
    """Gives categories other names, by their names now."""
    with data.edit("val") as content:
        for category in content["categories"]:
            category["name"] = name_of.get(category["name"], category["name"])


class TestNames:
    def test_line_breaks_and_escape_codes_stop_nothing_and_reach_no_terminal(self, main, data, tmp_path, capsys):
        renamed(data, cat="a\ncat", dog="\x1b[31mdog\u202e", sky="\ud800")
        (data.root / "val" / "0\x1b[2J.jpg").write_bytes(data.image("val", 0).read_bytes())
        with data.edit("val") as content:
            content["images"][0]["file_name"] = "0\x1b[2J.jpg"
        assert main("--image-root", data.root / "val", *gt(data), *predictions(data)) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out and "image 1, 0\\x1b[2J.jpg: PQ" in out
        assert drawn(tmp_path) == ["image_1.png", "image_2.png", "image_3.png", "sheet_1.png"]

    def test_a_name_in_no_font_has_its_id_and_a_note(self, main, data, monkeypatch, capsys):
        renamed(data, cat="猫")
        use_system_fonts(monkeypatch)
        assert main(*gt(data)) == 0
        assert "note: no font of this system can write 1 of the 4 class names, such as that of category 7" in (
            capsys.readouterr().out
        )
        monkeypatch.undo()
        forget()


class TestWhatIsDrawn:
    def test_all_of_a_few_images_worst_first(self, main, data, tmp_path, capsys):
        assert main("--image-root", data.root / "val", *gt(data), *predictions(data)) == 0
        assert drawn(tmp_path) == ["image_1.png", "image_2.png", "image_3.png", "sheet_1.png"]
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "drawn: 3 of 3 images, worst first"
        assert lines[1] == "  image 3, 0002.jpg, no prediction: PQ 0.0, 0 matched, 2 missed, 0 false"
        assert lines[2].startswith("  image 1, 0000.jpg: PQ ") and lines[2].endswith("3 matched, 2 missed, 1 false")
        assert lines[3] == "  image 2, 0001.jpg: PQ 100.0, 4 matched, 0 missed, 0 false"

    def test_the_worst(self, main, data, tmp_path):
        assert main(*gt(data), *predictions(data), "--worst", 1) == 0
        assert drawn(tmp_path) == ["image_3.png", "sheet_1.png"]

    def test_of_equals_that_with_the_most_errors_is_worst(self, main, data, capsys):
        (data.root / "predicted.json").write_text('{"annotations": []}')
        assert main(*gt(data), *predictions(data)) == 0
        # None has a prediction; they miss 5, 4 and 2 segments.
        images = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[1:4]]
        assert images == ["  image 1", "  image 2", "  image 3"]

    def test_those_asked_for(self, main, data, tmp_path):
        assert main(*gt(data), *predictions(data), "--images", 2, 1, 2) == 0
        assert drawn(tmp_path) == ["image_1.png", "image_2.png", "sheet_1.png"]

    def test_ground_truth_alone(self, main, data, tmp_path, capsys):
        assert main("--image-root", data.root / "val", *gt(data), "--images", 1) == 0
        assert drawn(tmp_path) == ["image_1.png", "sheet_1.png"]
        assert capsys.readouterr().out.startswith("drawn: 1 of 1 images\nwritten: 2 files")
        assert Image.open(tmp_path / "out" / "image_1.png").width == 10 + 2 * (160 + 10)

    def test_more_images_than_a_sheet_holds(self, main, data, tmp_path, monkeypatch):
        monkeypatch.setattr(visualize_panoptic, "_ROWS_PER_SHEET", 2)
        assert main(*gt(data), *predictions(data)) == 0
        assert [name for name in drawn(tmp_path) if "sheet" in name] == ["sheet_1.png", "sheet_2.png"]

    @pytest.mark.parametrize("with_predictions", [False, True])
    def test_sheets_have_the_legend_of_their_classes(self, main, data, tmp_path, with_predictions):
        assert main(*gt(data), *(predictions(data) if with_predictions else [])) == 0
        sheet = np.asarray(Image.open(tmp_path / "out" / "sheet_1.png"))
        below = {tuple(color) for color in sheet[-60:].reshape(-1, 3).tolist()}
        assert {(70, 130, 180), (220, 20, 60), (0, 200, 0), (0, 0, 142)} <= below

    def test_an_image_without_any_segment_comes_last(self, main, data, tmp_path, capsys):
        with data.edit("val") as content:
            content["annotations"][2]["segments_info"] = []
        write_png(data.png("val", 2), np.zeros((8, 10), int))
        assert main(*gt(data), *predictions(data)) == 0
        assert capsys.readouterr().out.splitlines()[3] == "  image 3, 0002.jpg, no prediction, no segments"

    def test_twice_the_same_bytes(self, main, data, tmp_path):
        first = {}
        for overwrite in ([], ["--overwrite"]):
            assert main("--image-root", data.root / "val", *gt(data), *predictions(data), *overwrite) == 0
            files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
            assert files == (first or files)
            first = files


class TestThePictures:
    @pytest.fixture
    def columns(self, main, data, tmp_path):
        """The four pictures of the first image, from the file: 48 pixels per pixel, 480 wide, 10 apart."""
        arguments = ["--image-root", data.root / "val", *gt(data), *predictions(data), "--images", 1]
        assert main(*arguments, panel=480) == 0
        sheet = np.asarray(Image.open(tmp_path / "out" / "image_1.png"))
        assert sheet.shape[1] == 10 + 4 * 490
        # The ground truth's sky begins where the pictures do.
        top = int((sheet[:, 10 + 490] == (70, 130, 180)).all(axis=1).argmax())
        return [sheet[top : top + 8 * 48, 10 + 490 * place :][:, :480] for place in range(4)]

    def at(self, picture, row, column):
        """The color of a pixel of the drawing, in its lower right corner, where no name stands."""
        return tuple(picture[48 * row + 46, 48 * column + 46].tolist())

    def test_classes_have_their_colors(self, columns):
        _, gt, pred, _ = columns
        assert [self.at(gt, *place) for place in ((0, 9), (1, 3), (6, 9), (7, 0))] == [
            (70, 130, 180),
            (220, 20, 60),
            (0, 200, 0),
            (0, 0, 0),
        ]
        assert self.at(pred, 1, 3) == (220, 20, 60) and self.at(pred, 7, 0) == (0, 200, 0)

    def test_two_cats_differ_in_shade(self, columns):
        gt = columns[1]
        first, second = (np.array(self.at(gt, 2, column), int) for column in (3, 7))
        assert 20 < np.abs(first - second).sum() < 250 and second[0] > second[1:].max()

    def test_the_image_is_the_image(self, columns, data):
        photo = np.asarray(Image.open(data.image("val", 0)).convert("RGB"))
        np.testing.assert_array_equal(columns[0], photo.repeat(48, axis=0).repeat(48, axis=1))

    def test_the_difference(self, columns):
        difference = columns[3].astype(int)
        missed, matched, void = (np.array(self.at(difference, *place)) for place in ((2, 7), (0, 0), (7, 0)))
        assert missed[0] > missed[1:].max() + 60  # red
        assert matched[1] > matched[0] + 20  # green
        assert np.ptp(void) <= 12  # grey


class TestRefused:
    @pytest.fixture
    def refused(self, main, tmp_path, capsys):
        def check(*arguments, match, **more):
            assert main(*arguments, **more) == 2
            error = capsys.readouterr().err
            assert error.startswith("error: ") and error.count("\n") == 1 and match in error, error
            assert not list((tmp_path / "out").glob("*sheet*"))

        return check

    def test_half_of_the_predictions(self, refused, data):
        refused(*gt(data), *predictions(data)[:2], match="give both or neither")

    def test_the_worst_of_no_predictions(self, refused, data):
        refused(*gt(data), "--worst", 3, match="--worst needs --pred-json")

    @pytest.mark.parametrize("number", [0, -2])
    def test_no_image(self, refused, data, number):
        refused(*gt(data), *predictions(data), f"--worst={number}", match="--worst must be at least 1")

    def test_an_image_that_is_not_there(self, refused, data):
        refused(*gt(data), "--images", 1, 77, match="has no annotated image 77")

    @pytest.mark.parametrize("size", [99, 4097])
    def test_the_size(self, refused, data, size):
        refused(*gt(data), panel=size, match=f"--panel-size must be in [100, 4096], got {size}")

    def test_a_missing_folder(self, refused, data):
        refused("--image-root", data.root / "none", *gt(data), match="none is no folder")

    def test_a_test_set(self, refused, data):
        with data.edit("val") as content:
            del content["annotations"]
        refused(*gt(data), match="has no annotations")

    def test_a_folder_with_files(self, refused, main, data, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("mine")
        refused(*gt(data), match="holds files already")
        assert main(*gt(data), "--overwrite") == 0
        assert (tmp_path / "out" / "mine.txt").read_text() == "mine"

    @pytest.mark.parametrize("name", ["../val/0000.jpg", "/0000.jpg"])
    def test_an_image_outside_its_folder(self, refused, data, name):
        with data.edit("val") as content:
            content["images"][0]["file_name"] = name
        refused("--image-root", data.root / "val", *gt(data), match="leads out of its folder")

    def test_a_prediction_outside_its_folder(self, refused, data):
        path = data.root / "predicted.json"
        path.write_text(path.read_text().replace("p0.png", "../panoptic_val/0000.png"))
        refused(*gt(data), *predictions(data), match="leads out of its folder")

    def test_an_image_of_another_size(self, refused, data):
        Image.new("RGB", (8, 10)).save(data.image("val", 0))
        for size in ((8, 10), (20, 16)):
            Image.new("RGB", size).save(data.image("val", 0))
            match = f"0000.jpg is {size[0]}x{size[1]} pixels, but the JSON says 10x8"
            refused("--image-root", data.root / "val", *gt(data), match=match)

    def test_an_image_that_is_none(self, refused, data):
        data.image("val", 0).write_text("no image")
        refused("--image-root", data.root / "val", *gt(data), match="0000.jpg cannot be read as an image")

    def test_a_prediction_that_does_not_agree_with_its_json(self, refused, data):
        write_png(data.root / "predicted" / "p1.png", np.full((8, 10), 5))
        refused(*gt(data), *predictions(data), match="image 2 (0001.jpg): the predicted map holds segment 5")


def test_a_deep_image_is_stretched_and_told(main, data, capsys):
    Image.fromarray((draw(DRAWINGS[0]) * 100).astype(np.uint16)).save(data.image("val", 0), format="PNG")
    assert main(*gt(data), "--image-root", data.image("val", 0).parent) == 0
    assert "deeper than 8 bits: 1 images; each is drawn from its own darkest" in capsys.readouterr().out


def test_an_image_is_turned_as_its_exif_data_says(main, data, tmp_path):
    photo = Image.open(data.image("val", 0)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by 90 degrees clockwise.
    photo.save(data.image("val", 0), exif=exif)
    assert main("--image-root", data.root / "val", *gt(data), "--images", 1) == 0


def test_several_workers(data, tmp_path):
    arguments = [*gt(data), *predictions(data), "--output", tmp_path / "out", "--workers", 2, "--worst", 2]
    done = run([TOOL, *arguments])
    assert (done.returncode, done.stderr) == (0, "")
    assert drawn(tmp_path) == ["image_1.png", "image_3.png", "sheet_1.png"]


def test_it_loads_nothing_heavy():
    assert help_of(TOOL)[1] == "[]"


def test_real_images(main, coco_sample, tmp_path):
    """The ground truth as its own prediction."""
    files = [coco_sample / "panoptic.json", coco_sample / "panoptic"]
    arguments = ["--gt-json", files[0], "--gt-folder", files[1], "--pred-json", files[0], "--pred-folder", files[1]]
    assert main("--image-root", coco_sample / "images", *arguments, panel=400) == 0
    assert len(drawn(tmp_path)) == 3
