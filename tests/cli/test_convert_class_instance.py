"""convert-panoptic between COCO panoptic and a class map with an instance map."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.converting import coco, convert, segments_in
from tests.formats.tiny_panoptic import CATEGORIES

SKY, CAT, GRASS, DOG = 0, 7, 9, 90


class TestThereAndBack:
    @pytest.mark.parametrize("void", [[], ["--void", 8]])
    @pytest.mark.parametrize("channels", [None, "RG", "GB", "RGB", "BAR"])
    def test_with_crowds_and_void(self, data, segments_before, tmp_path, channels, void):
        out = tmp_path / "out"
        layout = [] if channels is None else ["--channels", channels]
        assert convert("coco-to-class-instance", *coco(data), *layout, *void, "--output", out) == 0
        two = ["--class-root", out / "labels" / "class", "--instance-root", out / "labels" / "instance"]
        known = ["--categories-json", out / "images.json", "--images-json", out / "images.json", *void]
        roots = two if channels is None else ["--label-root", out / "labels", *layout]
        back = [*roots, *known, "--thing-zero", "crowd", "--output", tmp_path / "back"]
        assert convert("class-instance-to-coco", *back) == 0
        assert segments_in(tmp_path / "back") == segments_before

    def test_values(self, data, tmp_path, capsys):
        assert convert("coco-to-class-instance", *coco(data), "--output", tmp_path / "two") == 0
        assert "void is class 255" in capsys.readouterr().out
        assert convert("coco-to-class-instance", *coco(data), "--channels", "RG", "--output", tmp_path / "one") == 0
        classes = np.asarray(Image.open(tmp_path / "two" / "labels" / "class" / "0002.png"))
        numbers = np.asarray(Image.open(tmp_path / "two" / "labels" / "instance" / "0002.png"))
        # The third drawing: grass around one dog, void in a corner.
        assert (classes[0, 0], classes[3, 3], classes[7, 9]) == (GRASS, DOG, 255)
        assert (numbers[0, 0], numbers[3, 3], numbers[7, 9]) == (0, 1, 0)
        pixels = np.asarray(Image.open(tmp_path / "one" / "labels" / "0002.png"))
        np.testing.assert_array_equal(pixels, np.dstack([classes, numbers, np.zeros_like(classes)]))


class Maps:
    """A class map and an instance map of 1 x n pixels, as PNGs of both layouts."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "categories.json").write_text(json.dumps(CATEGORIES))

    def write(self, classes, numbers, dtype=np.uint8):
        maps = [np.array([one]).astype(dtype) for one in (classes, numbers)]
        for name, one in zip(("class", "instance"), maps, strict=True):
            (self.folder / "maps").mkdir(exist_ok=True)
            Image.fromarray(one).save(self.folder / "maps" / f"a_{name}.png")
        (self.folder / "channels").mkdir(exist_ok=True)
        if dtype == np.uint8:
            Image.fromarray(np.dstack([*maps, np.zeros_like(maps[0])])).save(self.folder / "channels" / "a.png")

    def two(self):
        maps = self.folder / "maps"
        return ["--class-root", maps, "--instance-root", maps, "--class-suffix", "_class.png",
                "--instance-suffix", "_instance.png"]  # fmt: skip

    def one(self):
        return ["--label-root", self.folder / "channels"]

    def convert(self, *more):
        known = ["--categories-json", self.folder / "categories.json", "--output", self.folder / "out", "--overwrite"]
        return convert("class-instance-to-coco", *more, *known)

    def segments(self):
        ((key, segments),) = segments_in(self.folder / "out").items()
        assert key[:2] == (1, "a.png")
        return segments


@pytest.fixture
def maps(tmp_path):
    return Maps(tmp_path)


@pytest.fixture(params=["two", "one"])
def layout(request, maps):
    return getattr(maps, request.param)


class TestNumbers:
    def test_a_thing_is_a_class_and_a_number(self, maps, layout):
        # Two cats; a dog with the number of a cat; number 300 does not fit a channel, 200 does.
        maps.write([7, 7, 7, 90, 9, 255], [1, 1, 200, 1, 0, 3])
        assert maps.convert(*layout()) == 0
        assert maps.segments() == {(CAT, 0, (0, 1)), (CAT, 0, (2,)), (DOG, 0, (3,)), (GRASS, 0, (4,))}

    def test_sixteen_bits(self, maps):
        maps.write([7, 7, 90, 65535, 0], [1, 300, 60000, 1, 0], np.uint16)
        assert maps.convert(*maps.two()) == 0
        assert maps.segments() == {(CAT, 0, (0,)), (CAT, 0, (1,)), (DOG, 0, (2,)), (SKY, 0, (4,))}

    def test_numbers_of_stuff(self, maps, layout, capsys):
        maps.write([9, 9, 7], [0, 2, 1])
        assert maps.convert(*layout()) == 2
        error = capsys.readouterr().err
        assert "image 1 (a.png): the map holds class 9 with instance 2, which is category 9 (grass)" in error
        assert "--stuff-numbers ignore" in error
        assert maps.convert(*layout(), "--stuff-numbers", "ignore") == 0
        assert maps.segments() == {(GRASS, 0, (0, 1)), (CAT, 0, (2,))}

    @pytest.mark.parametrize("fate, more", [("ignore", []), ("crowd", [(CAT, 1, (0,))]), ("segment", [(CAT, 0, (0,))])])
    def test_things_without_one(self, maps, layout, fate, more, capsys):
        maps.write([7, 7], [0, 1])
        assert maps.convert(*layout()) == 2
        assert "class 7 with instance 0, which is category 7 (cat), a thing" in capsys.readouterr().err
        assert maps.convert(*layout(), "--thing-zero", fate) == 0
        assert maps.segments() == {(CAT, 0, (1,)), *more}

    def test_classes_that_are_not_listed(self, maps, layout, capsys):
        maps.write([8, 9], [0, 0])
        assert maps.convert(*layout()) == 2
        assert "class 8 with instance 0, which means category 8, and that is not among" in capsys.readouterr().err
        assert maps.convert(*layout(), "--unlisted", "void") == 0
        assert maps.segments() == {(GRASS, 0, (1,))}

    def test_void_is_no_class(self, maps, layout, capsys):
        maps.write([8, 9], [0, 0])
        assert maps.convert(*layout(), "--void", 8) == 0
        assert maps.segments() == {(GRASS, 0, (1,))}
        assert maps.convert(*layout(), "--void", 9) == 2
        assert "void is 9, which is also the id of category grass" in capsys.readouterr().err


class TestRefused:
    @pytest.mark.parametrize("roots", [[], ["--class-root", "x"], ["--label-root", "x", "--class-root", "x"]])
    def test_neither_layout(self, maps, roots, capsys):
        assert maps.convert(*roots) == 2
        assert "give --class-root and --instance-root, or --label-root" in capsys.readouterr().err

    @pytest.mark.parametrize("channels", ["R", "RGBA", "RR", "RX"])
    def test_channels_that_there_are_not(self, maps, channels, capsys):
        maps.write([9], [0])
        assert maps.convert(*maps.one(), "--channels", channels) == 2
        assert "channels are" in capsys.readouterr().err

    def test_a_channel_that_the_png_lacks(self, maps, capsys):
        maps.write([9], [0])
        assert maps.convert(*maps.one(), "--channels", "RA") == 2
        assert "a.png has no channel A" in capsys.readouterr().err

    def test_grey_where_channels_are_expected(self, maps, capsys):
        maps.write([9], [0])
        assert maps.convert("--label-root", maps.folder / "maps") == 2
        assert "is a PNG of 8-bit grey; expected 8-bit RGB or 8-bit RGBA" in capsys.readouterr().err

    def test_an_instance_map_of_another_size(self, maps, capsys):
        maps.write([9, 9], [0, 0])
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(maps.folder / "maps" / "a_instance.png")
        assert maps.convert(*maps.two()) == 2
        assert "a_instance.png is 2x2 pixels, but its image is 2x1" in capsys.readouterr().err

    def test_no_class_map(self, maps, capsys):
        maps.write([9], [0])
        assert maps.convert(*maps.two()[:4], "--class-suffix", "_klass.png") == 2
        assert "holds no PNG whose name ends in '_klass.png'" in capsys.readouterr().err

    def test_more_cats_than_a_channel_numbers(self, data, tmp_path, capsys):
        with data.edit("val") as content:
            content["categories"][1]["id"] = 256
            for annotation in content["annotations"]:
                for segment in annotation["segments_info"]:
                    segment["category_id"] = 256 if segment["category_id"] == 7 else segment["category_id"]
        arguments = [*coco(data), "--output", tmp_path / "out"]
        assert convert("coco-to-class-instance", *arguments, "--channels", "RG") == 2
        assert "do not fit the channels RG, which hold classes to 255" in capsys.readouterr().err
        assert convert("coco-to-class-instance", *arguments, "--overwrite") == 0
        assert "void is class 65535" in capsys.readouterr().out
