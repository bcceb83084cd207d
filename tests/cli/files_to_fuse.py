"""The result files of two heads, drawn, for fuse-predictions."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic_heuristic.cli.fuse_predictions import main
from tests.formats.drawn_results import found, rle
from tests.formats.tiny_panoptic import CATEGORIES

STUFF = {"s": 0, "g": 9}
THINGS = {"c": 7, "d": 90}
LETTER_OF = {category_id: letter for letter, category_id in {**STUFF, **THINGS}.items()}


def stuff(drawing, image_id=1):
    """A mask per letter."""
    letters = sorted(set("".join(drawing.split())) - {"."})
    return [{"image_id": image_id, "category_id": STUFF[i], "segmentation": rle(drawing, i)} for i in letters]


class Files:
    """The inputs of the command for images of 3x4 pixels, and its output."""

    def __init__(self, folder: Path):
        self.folder, self.output = folder, folder / "out"
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

    def fill(self):
        """Results of both heads for the first image."""
        self.instances(
            found(7, "##.. ##.. ....", 0.9), found(7, "..#. ..#. ....", 0.8), found(90, "#... .... ....", 0.7)
        )
        self.semantics(*stuff("ssss gggg gggg"))
        return self

    def argv(self, *more):
        files = ("images", "categories", "instances", "semantics", "label-to-category")
        argv = ["--output", str(self.output)]
        for name, value in self.arguments.items():
            argv += [f"--{name}", str(self.folder / value if name in files else value)]
        return argv + list(more)

    def run(self, *more):
        return main(self.argv(*more))

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
