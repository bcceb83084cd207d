"""Result files of two heads, read from Python; what is wrong with them is told by the commands' tests."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import semantic_agreement
from panoptic_heuristic.head_results import read_heads
from tests.formats.drawn_results import found, rle
from tests.formats.tiny_panoptic import CATEGORIES

SKY, CAT, GRASS, DOG = 0, 7, 9, 90


@pytest.fixture
def write(tmp_path):
    def to_file(name, content):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        return path

    return to_file


@pytest.fixture
def images(write):
    entries = [{"id": i, "file_name": f"x/{i}.jpg", "height": 2, "width": 3} for i in (1, 2)]
    return write("images", {"images": entries, "categories": CATEGORIES})


def test_results_are_found_by_image(images, write):
    instances = write("instances", [found(CAT, "##. ...", 0.9), found(DOG, "..# ..#", 0.2)])
    semantics = write("semantics", [{"image_id": 1, "category_id": SKY, "segmentation": rle("### ...")}])
    heads = read_heads(images=images, instances=instances, semantics=str(semantics))
    assert heads.paths == {"images": images, "instances": instances, "semantics": semantics}
    assert [image.png_name for image in heads.images] == ["x/1.png", "x/2.png"]
    first, second = (heads.of_image(image) for image in heads.images)
    assert [(one.category_id, one.score) for one in first.instances] == [(CAT, 0.9), (DOG, 0.2)]
    assert [one.label for one in first.semantics] == [SKY]
    assert (second.instances, second.semantics) == ((), None)


def test_they_become_values_that_fuse(images, write):
    instances = write("instances", [found(CAT, "##. ...", 0.9)])
    semantics = write(
        "semantics",
        [
            {"image_id": 1, "category_id": category_id, "segmentation": rle(drawing)}
            for category_id, drawing in ((GRASS, "... ##."), (CAT, "##. ..."), (SKY, "..# ..."))
        ],
    )
    heads = read_heads(images=images, instances=instances, semantics=semantics)
    cats, stuff = heads.of_image(heads.images[0]).read(heads.categories, heads.meaning)
    assert cats.image_size == (2, 3) and list(cats.category_ids) == [CAT]
    # Masks of things are left out.
    named = [[stuff.label_to_category[label] for label in row] for row in np.asarray(stuff.labels).tolist()]
    assert named == [[None, None, SKY], [GRASS, GRASS, None]]


def test_only_the_kept_stay_and_every_image_does(images, write):
    instances = write("instances", [found(CAT, "##. ...", 0.9), found(DOG, "..# ..#", 0.2, image_id=2)])
    heads = read_heads(images=images, instances=instances)
    kept = heads.keeping(lambda entry: entry.score > 0.5)
    assert {image_id: len(entries) for image_id, entries in kept.instances.items()} == {1: 1, 2: 0}
    assert len(heads.instances[2]) == 1


@pytest.mark.parametrize("with_png, only_logits", [(False, True), (True, False)])
def test_logits_and_labels_lie_in_one_folder(images, write, tmp_path, with_png, only_logits):
    folder = tmp_path / "maps" / "x"
    folder.mkdir(parents=True)
    np.savez(folder / "1.npz", np.zeros((2, 2, 3), np.float32))
    if with_png:
        Image.new("L", (3, 2)).save(folder / "2.png")
    labels = write("labels", [None, SKY])
    heads = read_heads(images=images, semantics=tmp_path / "maps", label_to_category=labels)
    assert heads.only_logits == only_logits
    assert heads.meaning == {0: None, 1: SKY}
    with pytest.raises(InputError, match="logits need --label-to-category"):
        read_heads(images=images, semantics=tmp_path / "maps")


def test_labels_mean_categories_or_nothing(images):
    known = {SKY: SKY, CAT: CAT, GRASS: GRASS, DOG: DOG}
    assert read_heads(images=images).meaning == known
    assert read_heads(images=images, no_labels=[3, 255]).meaning == {**known, 3: None, 255: None}
    with pytest.raises(InputError, match="--no-label 9 is the label of category 9"):
        read_heads(images=images, no_labels=[GRASS])


def test_labels_of_no_stuff_stand_for_the_things_that_no_map_has(images, write, tmp_path):
    """Labels that are category ids would else be read as a head that knows things and sees none of them."""
    folder = tmp_path / "maps" / "x"
    folder.mkdir(parents=True)
    instances = write("instances", [found(CAT, "##. ...", 0.9)])
    Image.fromarray(np.array([[255, 255, SKY], [SKY, SKY, SKY]], np.uint8)).save(folder / "1.png")
    known = {SKY: SKY, CAT: CAT, GRASS: GRASS, DOG: DOG}

    def heads(label_in_second, no_labels):
        Image.fromarray(np.full((2, 3), label_in_second, np.uint8)).save(folder / "2.png")
        return read_heads(images=images, instances=instances, semantics=tmp_path / "maps", no_labels=no_labels)

    def agreement(found_heads):
        instance_set, semantics = found_heads.of_image(found_heads.images[0]).read(found_heads.categories, meaning)
        return semantic_agreement(instance_set, semantics, found_heads.categories).tolist()

    collapsed = heads(SKY, [255])
    meaning = collapsed.meaning
    assert meaning == {SKY: SKY, GRASS: GRASS, 255: None} and agreement(collapsed) == [1.0]
    # A head that tells things apart means nothing with its void.
    apart = heads(DOG, [255])
    meaning = apart.meaning
    assert meaning == {**known, 255: None} and agreement(apart) == [0.0]
    # Without labels of no stuff nothing can stand for things.
    Image.fromarray(np.full((2, 3), SKY, np.uint8)).save(folder / "1.png")
    assert heads(SKY, []).meaning == known
