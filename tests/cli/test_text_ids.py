"""Ids of images that are text: every command finds with them what it finds with numbers."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle_codec

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.cli import (
    attribute_errors,
    cache_predictions,
    check_dataset,
    compare_fusion,
    convert_panoptic,
    evaluate_pq,
    report_sweep,
    sweep_fusion,
    tune_fusion,
    visualize_panoptic,
)
from tests.ablation.small_caches import small_scenes, write_gt
from tests.cli.evaluation_files import ScoredFiles, assert_same, of_panopticapi
from tests.cli.files_to_fuse import Files
from tests.formats.text_ids import ODD, text_of, with_text_ids
from tests.formats.tiny_panoptic import write_tiny_panoptic

IMAGES = 12


def run(command, *arguments):
    assert command.main([str(argument) for argument in arguments]) == 0


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestScoring:
    @pytest.fixture(params=[text_of, ODD.__getitem__, {1: "x", 2: 2, 3: ""}.get])
    def scored(self, request, tmp_path):
        """Ids of texts that sort as numbers do, odd ones, and a number between texts."""
        scored = ScoredFiles(tmp_path)
        for path in (scored.data.json("val"), scored.predictions.json):
            with_text_ids(path, request.param)
        return scored

    def test_counts_are_panopticapis(self, scored, capsys):
        run(evaluate_pq, *scored.arguments, "--output", scored.output)
        predictions = scored.predictions
        theirs, _ = of_panopticapi(
            scored.data.json("val"), scored.root / "panoptic_val", predictions.json, predictions.folder
        )
        result = scored.result()
        assert_same(result, theirs)
        ids = [image["id"] for image in scored.data.read("val")["images"]]
        assert len(ids) == 3 and set(result.images) == set(ids)
        with open(scored.output / "images.csv", encoding="utf-8", newline="") as file:
            assert {row["image_id"] for row in csv.DictReader(file)} == set(map(str, ids))

    def test_twice_the_same_bytes(self, scored):
        written = []
        for _ in range(2):
            run(evaluate_pq, *scored.arguments, "--output", scored.output, "--overwrite", "--bootstrap", 20)
            written.append(files_in(scored.output))
        assert written[0] == written[1]


def test_check_dataset_finds_the_same(tmp_path, capsys):
    data = write_tiny_panoptic(tmp_path)
    run(check_dataset, data.yaml, "--workers", 1)
    numbers = capsys.readouterr().out
    for split in ("train", "val"):
        with_text_ids(data.json(split))
    run(check_dataset, data.yaml, "--workers", 1)
    assert capsys.readouterr().out == numbers


class TestConversions:
    @pytest.fixture
    def data(self, tmp_path):
        data = write_tiny_panoptic(tmp_path, splits=("val",))
        with_text_ids(data.json("val"))
        return data

    @pytest.fixture
    def coco(self, data):
        return ["--panoptic-json", data.json("val"), "--panoptic-root", data.root / "panoptic_val"]

    def check(self, data, back):
        content = json.loads((back / "panoptic.json").read_text())
        assert [image["id"] for image in content["images"]] == [text_of(number) for number in (1, 2, 3)]
        assert {one["image_id"] for one in content["annotations"]} == {text_of(number) for number in (1, 2, 3)}
        areas = [
            {one["image_id"]: sorted((s["category_id"], s["area"], s["iscrowd"]) for s in one["segments_info"])
             for one in each["annotations"]}
            for each in (content, data.read("val"))
        ]  # fmt: skip
        assert areas[0] == areas[1]

    def test_instances_and_semantic_labels_and_back(self, data, coco, tmp_path):
        there, back = tmp_path / "there", tmp_path / "back"
        run(convert_panoptic, "coco-to-instances-semantic", *coco, "--output", there)
        files = ["--instances-json", there / "instances.json", "--semantic-root", there / "semantic"]
        known = ["--categories-json", data.json("val")]
        run(convert_panoptic, "instances-semantic-to-coco", *files, *known, "--output", back)
        self.check(data, back)

    def test_label_divisor_and_back(self, data, coco, tmp_path):
        there, back = tmp_path / "there", tmp_path / "back"
        divisor = ["--label-divisor", 300, "--bits", 32]
        run(convert_panoptic, "coco-to-label-divisor", *coco, *divisor, "--output", there)
        files = ["--label-root", there / "labels", "--images-json", there / "images.json"]
        known = ["--categories-json", data.json("val")]
        run(convert_panoptic, "label-divisor-to-coco", *files, *known, *divisor[:2], "--output", back)
        self.check(data, back)


def test_fused_maps_are_the_same(tmp_path):
    maps = []
    for name in ("numbers", "texts"):
        (tmp_path / name).mkdir()
        files = Files(tmp_path / name).fill()
        if name == "texts":
            for kind in ("images", "instances", "semantics"):
                with_text_ids(files.folder / f"{kind}.json")
        assert files.run() == 0
        maps.append(files_in(files.output / "panoptic_predictions"))
        content = json.loads((files.output / "panoptic_predictions.json").read_text())
        ids = {1, 2} if name == "numbers" else {text_of(1), text_of(2)}
        assert {one["id"] for one in content["images"]} == {one["image_id"] for one in content["annotations"]} == ids
    assert maps[0] == maps[1] and len(maps[0]) == 2


class TestPictures:
    @pytest.fixture
    def data(self, data):
        with_text_ids(data.json("val"), ["", "../a/é", "Ü b", "7"].__getitem__)
        return data

    def draw(self, data, *images):
        output = data.root.parent / "out"
        files = ["--gt-json", data.json("val"), "--gt-folder", data.root / "panoptic_val", "--output", output]
        status = visualize_panoptic.main([*map(str, files), "--workers", "1", "--panel-size", "100", *images])
        return status, sorted(path.name for path in output.glob("image_*"))

    def test_names_are_safe(self, data):
        status, names = self.draw(data)
        assert status == 0 and len(names) == 3
        assert all(re.fullmatch(r"image_text-[a-z0-9_-]+\.png", name) for name in names)

    @pytest.mark.parametrize(
        "images, begin", [(["../a/é"], ["image_text-a-"]), (["7", "Ü b"], ["image_text-7-", "image_text-b-"])]
    )
    def test_those_asked_for(self, data, images, begin):
        status, names = self.draw(data, "--images", *images)
        assert status == 0 and len(names) == len(begin)
        assert all(name.startswith(start) for name, start in zip(names, begin, strict=True))

    @pytest.mark.parametrize("image", ["a", "8"])
    def test_one_that_is_not_there(self, data, image, capsys):
        assert self.draw(data, "--images", image) == (2, [])
        assert f"has no annotated image {image}\n" in capsys.readouterr().err


class Ablation:
    """Result files of two heads and their ground truth, and all that the ablation makes of them."""

    def __init__(self, folder, texts):
        self.folder, self.texts = folder, texts
        scenes = small_scenes(IMAGES, image_size=(40, 50), instances=12)
        gt_json, gt_folder = write_gt(folder / "gt", scenes)
        self.gt_json, self.gt = gt_json, ["--gt-json", gt_json, "--gt-folder", gt_folder]
        self.cache = folder / "cache"
        (folder / "labels").mkdir()
        results = []
        for image_id, scene in enumerate(scenes):
            Image.fromarray(scene.semantic_labels.astype(np.uint8)).save(folder / "labels" / f"{image_id}.png")
            for mask, score, category_id in zip(scene.masks, scene.scores, scene.category_ids, strict=True):
                rle = rle_codec.encode(np.asfortranarray(mask.astype(np.uint8)))
                segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
                entry = {"image_id": image_id, "category_id": int(category_id), "score": float(score)}
                results.append({**entry, "segmentation": segmentation})
        (folder / "instances.json").write_text(json.dumps(results))
        (folder / "meaning.json").write_text(json.dumps(scenes[0].label_to_category))
        (folder / "grid.yaml").write_text(
            "INSTANCES_CONFIDENCE_THRESH: [0.1, 0.5]\nOVERLAP_THRESH: [0.3, 0.5]\nSTUFF_AREA_LIMIT: [0, 50]\n"
        )
        if texts:
            for path in (gt_json, folder / "instances.json"):
                with_text_ids(path)
        self.fill()

    def fill(self):
        """Makes the cache, or goes on with it."""
        files = {"images": self.gt_json, "instances": self.folder / "instances.json"}
        files.update({"semantics": self.folder / "labels", "label-to-category": self.folder / "meaning.json"})
        flags = (part for key, path in files.items() for part in (f"--{key}", path))
        run(cache_predictions, "--cache", self.cache, *flags)

    def id_of(self, number):
        return text_of(number) if self.texts else number

    def numbered(self, text):
        """A text with numbers in the place of the ids."""
        for number in range(IMAGES):
            text = text.replace(json.dumps(text_of(number)), str(number)).replace(text_of(number), str(number))
        return text

    def run(self, command, name, *flags):
        """The folder that a command writes."""
        run(command, "--cache", self.cache, *self.gt, "--output", self.folder / name, *flags)
        return self.folder / name


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("numbers", "texts")]
    return [Ablation(folder, texts) for folder, texts in zip(folders, (False, True), strict=True)]


class TestAblation:
    def test_the_cache_has_the_same_predictions(self, both):
        numbers, texts = (PredictionCache.open(one.cache) for one in both)
        assert [image.image_id for image in texts.manifest.images] == [text_of(number) for number in range(IMAGES)]
        for number in range(IMAGES):
            one, other = numbers.read(number).to_arrays(), texts.read(text_of(number)).to_arrays()
            assert one.pop("image").tolist() == [number, 40, 50] and other.pop("image").tolist() == [0, 40, 50]
            assert other.pop("image_id").tobytes().decode() == text_of(number)
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[key], other[key], equal_nan=True) for key in one)

    def test_files_of_numbers_have_their_names_and_those_of_texts_safe_ones(self, both):
        numbers, texts = ({path.name for path in (one.cache / "predictions").iterdir()} for one in both)
        assert numbers == {f"{number}.arrays" for number in range(IMAGES)}
        assert len(texts) == IMAGES and all(re.fullmatch(r"text-[a-z0-9_-]+\.arrays", name) for name in texts)

    def test_a_second_run_has_nothing_to_do(self, both, capsys):
        before = files_in(both[1].cache / "predictions")
        both[1].fill()
        assert "0 images converted" in capsys.readouterr().out
        assert files_in(both[1].cache / "predictions") == before

    def test_a_file_of_another_image_is_told(self, both, tmp_path):
        shutil.copytree(both[1].cache, tmp_path / "cache")
        cache = PredictionCache.open(tmp_path / "cache")
        shutil.copy(cache.path_of(text_of(1)), cache.path_of(text_of(2)))
        with pytest.raises(ValueError, match=re.escape(f"is of image {text_of(1)}; delete it")):
            cache.read(text_of(2))

    def test_sweep_and_report(self, both):
        flags = [["--grid", one.folder / "grid.yaml", "--workers", 2] for one in both]
        folders = [one.run(sweep_fusion, "sweep", *flag) for one, flag in zip(both, flags, strict=True)]
        for name in ("settings.csv", "classes.csv"):
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
        assert files_in(folders[0] / "buckets") == files_in(folders[1] / "buckets")
        for one, folder in zip(both, folders, strict=True):
            run(report_sweep, folder, "--cache", one.cache, *one.gt, "--output", one.folder / "report")
        # Markdown has an asterisk as \\*.
        reports = [(one.folder / "report" / "report.md").read_text(encoding="utf-8") for one in both]
        reports = [one.numbered(report.replace("\\*", "*")) for one, report in zip(both, reports, strict=True)]
        assert _without_hashes(reports[0]) == _without_hashes(reports[1])

    @pytest.mark.parametrize("listed", [None, "txt", "json"])
    def test_tuning(self, both, listed):
        found = []
        for one in both:
            flags = ["--stages", "global", "per-class", "--workers", 1, "--stuff-area-thresh", 30]
            if listed is not None:
                ids = [one.id_of(number) for number in range(0, IMAGES, 2)]
                path = one.folder / f"half.{listed}"
                path.write_text(json.dumps(ids) if listed == "json" else "\n".join(map(str, ids)))
                flags += ["--tuning-images", path]
            folder = one.run(tune_fusion, f"tuned_{listed}", *flags)
            content = json.loads(one.numbered((folder / "tuning.json").read_text()))
            for cache in content["caches"]:
                del cache["predictions"]
            found.append((content, (folder / "tuned.yaml").read_text().split("#")[0]))
        assert found[0] == found[1]

    def test_attribution(self, both):
        tables, contents = [], []
        for one in both:
            folder = one.run(attribute_errors, "attribution", "--workers", 2, "--stuff-area-thresh", 30)
            tables.append(one.numbered((folder / "segments.csv").read_text(encoding="utf-8")))
            contents.append(json.loads(one.numbered((folder / "attribution.json").read_text())))
            del contents[-1]["fingerprint"], contents[-1]["predictions"]
        assert tables[0] == tables[1] and tables[0].count("\n") == 11
        assert contents[0] == contents[1] and len(contents[0]["worst_images"]) > 3

    def test_one_image_is_traced(self, both, capsys):
        told = []
        for one in both:
            run(attribute_errors, "--cache", one.cache, *one.gt, "--image", one.id_of(3))
            told.append(capsys.readouterr().out)
        assert told[0] == told[1] != ""

    def test_one_that_is_not_there(self, both, capsys):
        argv = ["--cache", both[1].cache, *both[1].gt, "--image", "3"]
        assert attribute_errors.main(list(map(str, argv))) == 2
        assert "holds no image 3" in capsys.readouterr().err

    def test_comparison(self, both):
        tables = []
        for one in both:
            folder = one.run(compare_fusion, "compared", "--workers", 1, "--tuning-images", 3)
            tables.append(sorted(files_in(folder)))
        assert tables[0] == tables[1] != []

    def test_ground_truth_of_numbers_is_another_data_set(self, both, capsys):
        argv = ["--cache", both[1].cache, *both[0].gt, "--output", both[1].folder / "none"]
        assert attribute_errors.main(list(map(str, argv))) == 2
        assert "the cache is of another data set" in capsys.readouterr().err


def _without_hashes(text):
    return re.sub(r"[0-9a-f]{12,}", "…", text)
