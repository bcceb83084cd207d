"""Result files become a cache from which the same is fused; drawn on images of 3x4 pixels."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF
from panoptic_heuristic.cli import cache_predictions, fuse_predictions
from panoptic_heuristic.formats import read_panoptic_png
from panoptic_heuristic.fusion import Pipeline, fuse
from panoptic_heuristic.fusion.instance_measures import semantic_agreement
from tests.formats.drawn_results import found, rle
from tests.formats.tiny_panoptic import CATEGORIES

SKY, CAT, GRASS, DOG = 0, 7, 9, 90


class Files:
    """The inputs of the command, and its cache."""

    def __init__(self, folder):
        self.folder, self.cache = folder, folder / "cache"
        self.flags, self.more = {}, []
        self.write("images", {"images": [self._image(2), self._image(1)]})
        self.write("categories", CATEGORIES)

    def _image(self, image_id):
        return {"id": image_id, "file_name": f"{image_id}.jpg", "height": 3, "width": 4}

    def write(self, name, content):
        (self.folder / f"{name}.json").write_text(json.dumps(content))
        self.flags[name] = f"{name}.json"

    def semantic_folder(self):
        (self.folder / "maps").mkdir()
        self.flags["semantics"] = "maps"
        return self.folder / "maps"

    def logits(self, *drawings):
        """One channel per drawing of digits, for image 1; the labels mean nothing, sky, grass and cat."""
        values = [[[int(pixel) for pixel in row] for row in drawing.split()] for drawing in drawings]
        np.savez(self.semantic_folder() / "1.npz", np.array(values, dtype=np.float32))
        self.write("label-to-category", [None, SKY, GRASS, CAT])

    def _files(self):
        named = [part for name, file in self.flags.items() for part in (f"--{name}", str(self.folder / file))]
        return named + self.more

    def run(self, *more):
        argv = ["--cache", str(self.cache), "--workers", "1", *self._files(), *more]
        return cache_predictions.main(argv)

    def predictions(self, image_id=1):
        return PredictionCache.open(self.cache).read(image_id)

    def fused_by_the_other_command(self, threshold):
        """The map of image 1 that fuse-predictions makes of the same files, in category ids."""
        flags = ["--instances-score-thresh", str(threshold), "--stuff-area-thresh", "1", "--workers", "1"]
        flags.append("--overwrite")
        assert fuse_predictions.main(["--output", str(self.folder / "out"), *self._files(), *flags]) == 0
        content = json.loads((self.folder / "out" / "panoptic_predictions.json").read_text())
        annotation = next(one for one in content["annotations"] if one["image_id"] == 1)
        png = self.folder / "out" / "panoptic_predictions" / annotation["file_name"]
        ids = read_panoptic_png(png, height=3, width=4)
        return in_categories(ids, annotation["segments_info"])

    def fused_from_the_cache(self, threshold):
        manifest, predictions = PredictionCache.open(self.cache).manifest, self.predictions()
        semantics = predictions.to_semantics(manifest.label_to_category)
        pipeline = Pipeline(instances_score_thresh=threshold, stuff_area_thresh=1)
        result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
        return in_categories(result.panoptic_seg, result.segments_info)


def in_categories(ids, segments):
    category_of = {0: -1, **{segment["id"]: segment["category_id"] for segment in segments}}
    return [[category_of[i] for i in row] for row in ids.tolist()]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


INSTANCES = [
    found(CAT, "##.. ##.. ....", 0.9),
    found(DOG, ".##. .##. ....", 0.4),
    found(CAT, "...# .... ....", -0.5),
    found(DOG, "#... .... ....", float("nan")),
]
STUFF = [
    {"image_id": 1, "category_id": SKY, "segmentation": rle("#### .... ....")},
    {"image_id": 1, "category_id": GRASS, "segmentation": rle(".... ...# ####")},
    {"image_id": 1, "category_id": CAT, "segmentation": rle("##.. ##.. ....")},
]


def test_masks_and_scores_are_kept_as_they_are(files, capsys):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    assert files.run() == 0
    predictions = files.predictions()
    np.testing.assert_array_equal(predictions.scores, [0.9, 0.4, np.nan])
    assert predictions.category_ids.tolist() == [CAT, DOG, DOG]
    assert predictions.masks == tuple(INSTANCES[k]["segmentation"]["counts"].encode() for k in (0, 1, 3))
    assert np.isnan(predictions.boxes).all() and np.isnan(predictions.mask_quality).all()
    manifest = PredictionCache.open(files.cache).manifest
    assert (manifest.floors.instances_score_thresh, manifest.floors.detections_per_image) == (0.0, None)
    assert manifest.floors.stuff_probability is None
    assert [image.image_id for image in manifest.images] == [1, 2]
    assert "2 images converted, 1 instances below a score of 0 left out" in capsys.readouterr().out


def test_an_image_nobody_says_anything_about_is_kept_too(files):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    files.run()
    assert (len(files.predictions(2).scores), files.predictions(2).semantics) == (0, None)


@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.41, 0.95])
def test_fusing_it_is_fusing_the_files(files, threshold):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    assert files.run() == 0
    assert files.fused_from_the_cache(threshold) == files.fused_by_the_other_command(threshold)


def test_agreement_with_masks_of_stuff_is_with_what_they_leave_free(files):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    files.run()
    # Free: the first three pixels of the second row. The cat's box: two of them, and its four pixels.
    assert files.predictions().semantic_agreement[0] == 2 / 4
    manifest, predictions = PredictionCache.open(files.cache).manifest, files.predictions()
    semantics = predictions.to_semantics(manifest.label_to_category)
    assert semantic_agreement(predictions.to_instances(), semantics, manifest.categories)[1] == 2 / 4


def test_polygons_and_plain_runs_become_compressed_runs(files):
    drawing, kept = "##.. ##.. ....", set()
    for segmentation in (rle(drawing), rle(drawing, compressed=False), [[0, 0, 2, 0, 2, 2, 0, 2]]):
        files.cache = files.folder / f"cache{len(kept)}{type(segmentation).__name__}"
        files.write("instances", [{**INSTANCES[0], "segmentation": segmentation}])
        assert files.run() == 0
        kept.add(files.predictions().masks)
    assert kept == {(rle(drawing)["counts"].encode(),)}


def drawn(predictions, values):
    return predictions.semantics.to_map(values, (3, 4)).tolist()


def test_labels_alone_know_no_stuff_underneath_a_thing(files):
    labels = np.array([[CAT, CAT, SKY, SKY], [CAT, CAT, GRASS, GRASS], [255, 255, GRASS, GRASS]], dtype=np.uint8)
    Image.fromarray(labels).save(files.semantic_folder() / "1.png")
    files.write("instances", INSTANCES)
    files.more = ["--no-label", "255"]
    assert files.run() == 0
    manifest, predictions = PredictionCache.open(files.cache).manifest, files.predictions()
    meaning = manifest.label_to_category
    named = [[meaning[label] for label in row] for row in drawn(predictions, predictions.semantics.labels)]
    assert named == [[CAT, CAT, SKY, SKY], [CAT, CAT, GRASS, GRASS], [None, None, GRASS, GRASS]]
    best = drawn(predictions, predictions.semantics.best_stuff)
    assert [[meaning.get(label) for label in row] for row in best] == [
        [None, None, SKY, SKY], [None, None, GRASS, GRASS], [None, None, GRASS, GRASS],
    ]  # fmt: skip
    assert best[0][0] == best[2][0] == NO_STUFF
    assert not predictions.semantics.above_floor.any()
    # The cat is where the labels say cat; no label says dog in the dog's box.
    assert predictions.semantic_agreement[:2].tolist() == [1.0, 0.0]
    assert files.fused_from_the_cache(0.3) == files.fused_by_the_other_command(0.3)


def test_logits_know_the_stuff_underneath_and_how_sure_it_is(files):
    # Nothing, sky, grass, cat. The first column is cat over sky, the second nothing over grass.
    files.logits("0900 0900 0900", "7090 7090 7090", "0809 0809 0809", "9000 9000 9000")
    assert files.run() == 0
    manifest, predictions = PredictionCache.open(files.cache).manifest, files.predictions()
    meaning = manifest.label_to_category
    named = [
        [meaning[label] for label in drawn(predictions, values)[0]]
        for values in (predictions.semantics.labels, predictions.semantics.best_stuff)
    ]
    assert named == [[CAT, None, SKY, GRASS], [SKY, GRASS, SKY, GRASS]]
    # Two and one below the largest: 12 and 27 per cent.
    assert drawn(predictions, predictions.semantics.above_floor)[0] == [False, True, True, True]
    assert manifest.floors.stuff_probability == 0.25


def test_the_floor_of_logits_can_be_set(files):
    files.logits("0900 0900 0900", "7090 7090 7090", "0809 0809 0809", "9000 9000 9000")
    assert files.run("--stuff-probability-floor", "0.1") == 0
    predictions = files.predictions()
    assert drawn(predictions, predictions.semantics.above_floor)[0] == [True, True, True, True]
    assert PredictionCache.open(files.cache).manifest.floors.stuff_probability == 0.1


def test_fusing_logits_is_fusing_the_files(files):
    files.logits("0900 0900 0900", "7090 7090 7090", "0809 0809 0809", "9000 9000 9000")
    files.write("instances", INSTANCES)
    assert files.run() == 0
    assert files.fused_from_the_cache(0.3) == files.fused_by_the_other_command(0.3)


def test_label_maps_among_logits_leave_the_floor_unknown(files):
    files.logits("0900 0900 0900", "7090 7090 7090", "0809 0809 0809", "9000 9000 9000")
    Image.fromarray(np.ones((3, 4), dtype=np.uint8)).save(files.folder / "maps" / "2.png")
    assert files.run() == 0
    assert PredictionCache.open(files.cache).manifest.floors.stuff_probability is None
    assert not files.predictions(1).semantics.above_floor.any()


def test_a_floor_of_probabilities_needs_logits(files, capsys):
    files.write("semantics", STUFF)
    assert files.run("--stuff-probability-floor", "0.3") == 2
    assert "--stuff-probability-floor needs logits of every image" in capsys.readouterr().err
    assert not files.cache.exists()


@pytest.mark.parametrize(
    "name, content, word",
    [
        ("instances", INSTANCES[:1], "source.files_sha256.instances"),
        ("semantics", STUFF[:1], "source.files_sha256.semantics"),
        ("categories", [{**CATEGORIES[0], "name": "air"}, *CATEGORIES[1:]], "categories"),
    ],
)
def test_other_files_are_another_cache(files, capsys, name, content, word):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    files.run()
    before = files.cache.joinpath("manifest.json").read_bytes()
    files.write(name, content)
    assert files.run() == 2
    assert f"is a cache of something else: its {word}" in capsys.readouterr().err
    assert files.cache.joinpath("manifest.json").read_bytes() == before


def test_workers_change_no_byte(files):
    files.write("instances", INSTANCES)
    files.write("semantics", STUFF)
    kept = []
    for workers in ("1", "2"):
        files.cache = files.folder / f"cache{workers}"
        assert files.run("--workers", workers) == 0
        kept.append([path.read_bytes() for path in sorted(files.cache.rglob("*.*"))])
    assert len(kept[0]) == 3 and kept[0] == kept[1]


def test_a_damaged_mask_is_one_sentence_and_what_is_kept_stays(files, capsys):
    files.write("instances", [{**INSTANCES[0], "segmentation": {"size": [3, 4], "counts": "0"}}])
    assert files.run() == 2
    assert "image 1, entry 0 of the instance results: counts must be run lengths" in capsys.readouterr().err
    assert list(files.cache.rglob("*partial*")) == []
