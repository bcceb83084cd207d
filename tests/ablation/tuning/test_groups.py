import json
import re

import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.groups import group_numbers, sums_of_groups
from panoptic_heuristic.ablation.tuning.pool import ImagePool, check_distinct
from panoptic_heuristic.ablation.tuning.splits import Split, check_whole, folds_of
from panoptic_heuristic.errors import InputError
from tests.ablation.small_caches import named_store, small_scenes

NAMES = ("a/frame_9.png", "a/frame_10.png", "b/frame_1.png", "a/frame_8.png", "b/frame_2.png")


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(len(NAMES))


@pytest.fixture
def pool(tmp_path, scenes):
    columns = [{"video": one} for one in ("x", 7, "x", 7.5, 7)]
    return ImagePool((named_store(tmp_path, NAMES, columns=columns, scenes=scenes),))


@pytest.mark.parametrize(
    "groups, numbers",
    [
        ("column:video", (0, 1, 0, 2, 1)),
        ("name:^(.)/", (0, 0, 1, 0, 1)),
        ("name:(.)/frame_([0-9])", (0, 1, 2, 3, 4)),  # Both parts name the group.
        ("name:frame_[0-9]*([02468])|frame", (0, 1, 0, 2, 3)),  # A part that takes no part names one, too.
        # By name, 8 before 9 before 10: a/8 a/9 | a/10 b/1 | b/2.
        ("blocks:2", (0, 1, 1, 0, 2)),
        ("blocks:100", (0, 0, 0, 0, 0)),
        (["u", "v", "u", None, 3], (0, 1, 0, 2, 3)),
        ((), None),
    ],
)
def test_groups(pool, groups, numbers):
    if numbers is None:
        with pytest.raises(InputError, match="groups must have a label for each of the 5 images, got 0"):
            group_numbers(groups, pool)
    else:
        assert group_numbers(groups, pool) == numbers


@pytest.mark.parametrize(
    "groups, told",
    [
        ("video", "groups must be column:NAME, name:PATTERN or blocks:N, got 'video'"),
        ("rows:3", "groups must be column:NAME, name:PATTERN or blocks:N, got 'rows:3'"),
        ("column:", "groups must be column:NAME, name:PATTERN or blocks:N, got 'column:'"),
        ("column:scene", "image 0 in {gt} has no 'scene', which is to name its group"),
        ("name:(", "the pattern '(' of the groups is no regular expression: "),
        ("name:frame", "the pattern 'frame' has no part in brackets to name the group"),
        ("name:(a/.*)_", "the pattern '(a/.*)_' of the groups does not match the name b/frame_1.png"),
        ("blocks:0", "groups as blocks:N need a whole number of at least 1, got '0'"),
        ("blocks:two", "groups as blocks:N need a whole number of at least 1, got 'two'"),
    ],
)
def test_wrong_groups(pool, groups, told):
    with pytest.raises(InputError, match=re.escape(told.format(gt=pool.stores[0].gt.path))):
        group_numbers(groups, pool)


def test_a_column_of_lists(tmp_path, scenes):
    store = named_store(tmp_path, NAMES, columns=[{"video": [1]}] * 5, scenes=scenes)
    with pytest.raises(InputError, match="'video' of image 0 in .* is no text or number: .1."):
        group_numbers("column:video", ImagePool((store,)))


def test_labels_hold_across_caches_and_blocks_do_not(tmp_path, pool, scenes):
    other = named_store(tmp_path / "other", ("b/frame_3.png", "c/frame_1.png"), scenes=scenes[:2], first_id=50)
    both = ImagePool((*pool.stores, other))
    assert group_numbers("name:^(.)/", both) == (0, 0, 1, 0, 1, 1, 2)
    assert group_numbers("blocks:3", both) == (0, 0, 1, 0, 1, 2, 2)
    assert [image.image_id for image in both.images] == [0, 1, 2, 3, 4, 50, 51]


def test_sums():
    assert sums_of_groups([1, 20, 300, 4000], [5, 2, 5, 9]) == [301, 20, 4000]


# --- folds ---


def test_folds_part_no_group():
    groups = [0, 1, 1, 2, 0, 3, 4, 4, 4, 1]
    *held_out, final = folds_of(10, 3, 0, groups)
    assert sorted(place for part in held_out for place in part.held_out) == list(range(10))
    for part in held_out:
        assert not {groups[place] for place in part.tuning} & {groups[place] for place in part.held_out}
        assert len({groups[place] for place in part.held_out}) in (1, 2)
        check_whole(part, groups, "abcdefghij")
    assert final == Split(tuple(range(10)), ())


def test_groups_of_one_image_are_no_groups():
    for seed in range(5):
        assert folds_of(9, 4, seed, range(9)) == folds_of(9, 4, seed)


def test_fewer_groups_than_folds():
    with pytest.raises(InputError, match=r"folds must be a whole number in \[2, 3\], the number of groups, got 5"):
        folds_of(6, 5, 0, [0, 1, 2, 0, 1, 2])
    with pytest.raises(InputError, match="there is 1 group; at least two are needed to hold one out"):
        folds_of(6, 5, 0, [0] * 6)


def test_a_split_that_parts_a_group():
    with pytest.raises(InputError, match="^b is to be tuned on and c held out, but they are of one group"):
        check_whole(Split((0, 1), (2, 3)), [0, 1, 1, 2], "abcd")
    check_whole(Split((0, 1), (2, 3)), [0, 0, 1, 2], "abcd")


# --- caches that do not fit ---


def test_other_categories(tmp_path, pool):
    manifest_of = {}
    for folder in ("fewer", "renamed"):
        store = named_store(tmp_path / folder, NAMES[:1], scenes=small_scenes(1))
        manifest_of[folder] = store
    json_path = tmp_path / "renamed" / "gt" / "panoptic.json"
    manifest_path = tmp_path / "renamed" / "cache" / "manifest.json"
    for path in (json_path, manifest_path):
        content = json.loads(path.read_text())
        content["categories"][1]["name"] = "another"
        path.write_text(json.dumps(content))
    other = open_store(tmp_path / "renamed" / "cache", json_path, tmp_path / "renamed" / "gt" / "panoptic")
    second = list(pool.categories.values())[1]
    with pytest.raises(InputError) as caught:
        ImagePool((*pool.stores, other))
    told = f"different categories: number 2 is {second.id} {second.name!r}, {second.kind} in the one and "
    assert told in str(caught.value) and f"{second.id} 'another', {second.kind} in the other" in str(caught.value)
    assert len(ImagePool((*pool.stores, manifest_of["fewer"])).images) == 6


def test_ids_tell_the_images_to_tune_on_apart(tmp_path, pool, scenes):
    other = named_store(tmp_path / "other", ("z.png", "y.png"), scenes=scenes[:2], first_id=3)
    with pytest.raises(InputError, match="image 3, one of 2, is in .*cache and in .*other/cache; ids tell"):
        check_distinct([*pool.stores, other], [])
    apart = named_store(tmp_path / "apart", ("z.png",), scenes=scenes[:1], first_id=30)
    check_distinct([*pool.stores, apart], [])


def test_texts_tell_them_apart_too_but_none_may_look_like_a_number_of_another_cache(tmp_path, pool, scenes):
    names = ("z.png", "y.png")
    texts = named_store(tmp_path / "texts", names, scenes=scenes[:2], ids=("a", "b/../c"))
    check_distinct([*pool.stores, texts], [])
    again = named_store(tmp_path / "again", names, scenes=scenes[:2], ids=("b", "b/../c"))
    with pytest.raises(InputError, match="image b/../c, one of 1, is in .*texts/cache and in .*again/cache; ids tell"):
        check_distinct([texts, again], [])
    alike = named_store(tmp_path / "alike", names, scenes=scenes[:2], ids=("3", "a"))
    with pytest.raises(InputError, match="alike/cache has image '3' and .*cache has 3: a number and a text are diff"):
        check_distinct([*pool.stores, alike], [])


def test_images_to_report_on_may_have_the_same_ids_but_not_be_the_same(tmp_path, pool, scenes):
    """Splits of which each counts from 0."""
    others = small_scenes(9)[5:]
    check_distinct(pool.stores, [named_store(tmp_path / "other", NAMES[:4], scenes=others)])
    with pytest.raises(InputError, match="image 0, one of 5, is to be tuned on, in .*, and reported on, in .*; rep"):
        check_distinct(pool.stores, pool.stores)
    assert PredictionCache.open(pool.stores[0].cache.folder).manifest.images[0].file_name == NAMES[0]
