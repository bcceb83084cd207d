import numpy as np
import pytest
import torch
from pycocotools import mask as rle_codec

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import InstanceSet
from panoptic_heuristic.fusion.instance_arguments import as_tensor
from panoptic_heuristic.fusion.instances import one_by_one, tight_window, tight_windows
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import mask

BITMAPS = np.array(
    [
        mask("#... ##.. .... ...."),  # at the left upper corner
        mask(".... .... ..## ...#"),  # at the right lower corner
        mask(".... .##. .... ...."),
        mask("...# .... .... #..."),  # two parts, a box as large as the image
        mask(".... .... .... ...."),
        mask("#### #### #### ####"),
    ]
)
COUNT = len(BITMAPS)
SIZE = (4, 4)


def full_mask(instances: InstanceSet, index: int) -> np.ndarray:
    crop = instances.crop(index)
    full = torch.zeros(instances.image_size, dtype=torch.bool)
    full[crop.window] = crop.mask
    return full.numpy()


def full_masks(instances: InstanceSet) -> np.ndarray:
    return np.array([full_mask(instances, index) for index in range(len(instances))])


def from_bitmaps(masks) -> InstanceSet:
    return InstanceSet.from_bitmaps(masks, np.ones(len(masks)), np.ones(len(masks), int))


def from_rle(rles, size=SIZE) -> InstanceSet:
    return InstanceSet.from_rle(rles, np.ones(len(rles)), np.ones(len(rles), int), size)


def from_rois(probabilities, boxes, size=SIZE) -> InstanceSet:
    return InstanceSet.from_rois(probabilities, boxes, np.ones(len(boxes)), np.ones(len(boxes), int), size)


def uncompressed(bitmap: np.ndarray) -> dict:
    """COCO's run lengths: down the columns, the first run is outside."""
    pixels = bitmap.ravel(order="F")
    borders = np.flatnonzero(np.diff(np.concatenate([[False], pixels]).astype(int))) if pixels.size else []
    runs = np.diff(np.concatenate([[0], borders, [pixels.size]]))
    return {"size": list(bitmap.shape), "counts": runs.astype(int).tolist()}


def compressed(bitmap: np.ndarray) -> dict:
    return rle_codec.encode(np.asfortranarray(bitmap, dtype=np.uint8))


class TestCrops:
    def test_a_crop_is_the_smallest_box(self):
        crop = from_bitmaps(BITMAPS).crop(1)
        assert (crop.x0, crop.y0) == (2, 2)
        np.testing.assert_array_equal(crop.mask.numpy(), mask("## .#"))
        assert crop.window == (slice(2, 4), slice(2, 4))

    def test_a_crop_does_not_share_memory_with_the_input(self):
        bitmaps = BITMAPS.copy()
        instances = from_bitmaps(bitmaps)
        before = full_masks(instances)
        bitmaps[:] = True
        np.testing.assert_array_equal(full_masks(instances), before)

    def test_a_mask_is_cropped_once_and_only_when_asked_for(self):
        calls = []

        def make_crop(index):
            calls.append(index)
            return from_bitmaps(BITMAPS).crop(index)

        make, device = one_by_one(make_crop), torch.device("cpu")
        instances = InstanceSet(make, np.ones(3), [1, 1, 1], SIZE, count=3, device=device, is_numpy=True)
        assert calls == []
        assert instances.crop(1) is instances.crop(1)
        assert calls == [1]

    @pytest.mark.parametrize(
        "masks",
        [
            BITMAPS,
            BITMAPS.astype(np.uint8),
            BITMAPS.astype(np.int64) * 7,
            BITMAPS.astype(np.uint16) * 256,
            BITMAPS.astype(">i4"),
            np.asfortranarray(BITMAPS),
            np.ascontiguousarray(BITMAPS[:, ::-1, ::-1])[:, ::-1, ::-1],
            np.repeat(BITMAPS, 2, axis=2)[:, :, ::2],
            torch.from_numpy(BITMAPS),
            torch.from_numpy(BITMAPS.astype(np.int32)) * 3,
            torch.from_numpy(BITMAPS.astype(np.uint16)),
            torch.from_numpy(BITMAPS.copy()).transpose(1, 2).contiguous().transpose(1, 2),
            BITMAPS.tolist(),
        ],
        ids=str(
            "bool uint8 int64 uint16 big_endian fortran negative_strides strided "
            "tensor int32_tensor uint16_tensor transposed_tensor lists"
        ).split(),
    )
    def test_any_array_gives_the_same_masks(self, masks):
        np.testing.assert_array_equal(full_masks(from_bitmaps(masks)), BITMAPS)

    def test_read_only_arrays_are_read_and_left_alone(self):
        bitmaps, scores, category_ids = BITMAPS.copy(), np.ones(COUNT, np.float32), np.ones(COUNT, int)
        for array in (bitmaps, scores, category_ids):
            array.setflags(write=False)
        instances = InstanceSet.from_bitmaps(bitmaps, scores, category_ids)
        np.testing.assert_array_equal(full_masks(instances), BITMAPS)
        # torch would share the memory, warn, and let anyone write into it.
        assert not np.shares_memory(as_tensor(bitmaps).numpy(), bitmaps)
        assert np.shares_memory(as_tensor(BITMAPS).numpy(), BITMAPS)

    def test_run_lengths_give_the_masks_they_encode(self):
        for encode in (compressed, uncompressed):
            np.testing.assert_array_equal(full_masks(from_rle([encode(b) for b in BITMAPS])), BITMAPS)

    def test_run_lengths_may_be_text_as_json_has_them(self):
        rles = [{"size": (4, 4), "counts": compressed(bitmap)["counts"].decode()} for bitmap in BITMAPS]
        np.testing.assert_array_equal(full_masks(from_rle(rles)), BITMAPS)

    def test_all_builders_agree_on_scenes(self):
        # RoI crops have a margin, so they are compared as full masks; the other two must be the same crop.
        for seed in range(3):
            scene = make_scene(seed, image_size=(60, 81), instances=30, empty=3)
            bitmaps = from_bitmaps(scene.masks)
            rles = from_rle([compressed(m) for m in scene.masks], scene.image_size)
            rois = from_rois(scene.probabilities, scene.boxes, scene.image_size)
            np.testing.assert_array_equal(full_masks(bitmaps), scene.masks)
            np.testing.assert_array_equal(full_masks(rois), scene.masks)
            for index in range(len(bitmaps)):
                assert bitmaps.crop(index).window == rles.crop(index).window
                assert torch.equal(bitmaps.crop(index).mask, rles.crop(index).mask)

    def test_no_instances(self):
        for instances in (
            from_bitmaps(np.zeros((0, 4, 4), bool)),
            from_rle([]),
            from_rois(np.zeros((0, 28, 28), np.float32), np.zeros((0, 4), np.float32)),
            InstanceSet.from_bitmaps(torch.zeros(0, 4, 4, dtype=torch.bool), [], []),
        ):
            assert len(instances) == 0
            assert instances.image_size == SIZE
            assert instances.category_ids == ()
            assert instances.scores.shape == (0,)

    def test_an_image_of_one_pixel(self):
        bitmaps = np.array([[[True]], [[False]]])
        rois = from_rois(np.array([1.0, 0.0]).reshape(2, 1, 1), [[0, 0, 1, 1]] * 2, (1, 1))
        for instances in (from_bitmaps(bitmaps), from_rle([compressed(b) for b in bitmaps], (1, 1)), rois):
            np.testing.assert_array_equal(full_masks(instances), bitmaps)

    def test_an_empty_mask_has_an_empty_crop(self):
        assert from_bitmaps(BITMAPS).crop(4).mask.shape == (0, 0)
        assert from_rle([uncompressed(BITMAPS[4])]).crop(0).mask.shape == (0, 0)


class TestValues:
    def test_scores_are_float64_and_exact(self):
        instances = InstanceSet.from_bitmaps(BITMAPS[:2], torch.tensor([0.7, 0.5]), [1, 2])
        assert instances.scores.dtype == torch.float64
        assert instances.scores.tolist() == [float(np.float32(0.7)), 0.5]

    def test_category_ids_are_plain_ints(self):
        for ids in ([0, 9], np.array([0, 9], np.uint8), np.array([0, 9], np.uint16), torch.tensor([0, 9])):
            instances = InstanceSet.from_bitmaps(BITMAPS[:2], [1, 1], ids)
            assert instances.category_ids == (0, 9)
            assert {type(category_id) for category_id in instances.category_ids} == {int}

    def test_gradients_are_left_behind(self):
        probabilities = torch.rand(2, 28, 28, requires_grad=True)
        scores = torch.rand(2, requires_grad=True)
        instances = InstanceSet.from_rois(probabilities, [[0, 0, 4, 4]] * 2, scores, [1, 1], SIZE)
        assert not instances.scores.requires_grad
        assert not instances.probabilities.requires_grad


class TestRois:
    def test_a_probability_of_one_half_is_inside(self):
        # The pixels' centres are the cells' centres, so nothing is interpolated.
        below = np.nextafter(np.float32(0.5), np.float32(0))
        probabilities = np.where(BITMAPS[2], np.float32(0.5), below)
        rois = from_rois(probabilities[None], [[0, 0, 4, 4]])
        np.testing.assert_array_equal(full_mask(rois, 0), BITMAPS[2])

    @pytest.mark.parametrize(
        "box",
        [
            [2, 1, 2, 3],
            [1, 2, 3, 2],
            [2, 2, 2, 2],
            [3, 1, 1, 3],
            [2.9, 1, 2.1, 3],
            [-9, 0, -5, 4],
            [-5, 0, -1, 4],
            [5, 0, 9, 4],
            [9, 0, 12, 4],
            [0, -8, 4, -5],
            [0, 6, 4, 9],
            [-1e30, 0, -1e29, 4],
        ],
        ids=str(
            "no_width no_height point inverted inverted_in_a_pixel left just_left just_right right above below far"
        ).split(),
    )
    def test_a_box_without_area_or_outside_the_image_has_an_empty_mask(self, box):
        rois = from_rois(np.ones((1, 28, 28), np.float32), [box])
        assert not full_mask(rois, 0).any()

    def test_a_box_larger_than_the_image_fills_it(self):
        for reach in (5, 1e9, 1e30):
            rois = from_rois(np.ones((1, 28, 28), np.float32), [[-reach, -reach, reach, reach]])
            assert full_mask(rois, 0).all()

    @pytest.mark.parametrize("corner", [np.nan, np.inf, -np.inf])
    def test_a_box_that_is_not_finite_is_an_error(self, corner):
        boxes = [[0, 0, 1, 1], [0, corner, 1, 1]]
        with pytest.raises(InputError, match=r"boxes\[1\] is \[0\.0, (nan|-?inf), .*must be finite"):
            from_rois(np.ones((2, 28, 28), np.float32), boxes)


class TestValuesOfTheHead:
    BUILDERS = {
        "bitmaps": lambda n, **values: InstanceSet.from_bitmaps(BITMAPS[:n], np.ones(n), np.ones(n, int), **values),
        "rle": lambda n, **values: InstanceSet.from_rle(
            [compressed(bitmap) for bitmap in BITMAPS[:n]], np.ones(n), np.ones(n, int), SIZE, **values
        ),
        "rois": lambda n, boxes=None, **values: InstanceSet.from_rois(
            np.ones((n, 28, 28), np.float32),
            np.zeros((n, 4)) if boxes is None else boxes,
            np.ones(n), np.ones(n, int), SIZE, **values,
        ),
    }  # fmt: skip

    @pytest.fixture(params=BUILDERS)
    def build(self, request):
        return self.BUILDERS[request.param]

    def test_there_are_none_unless_given(self, build):
        instances = build(2)
        assert (instances.mask_quality, instances.semantic_agreement) == (None, None)
        assert (instances.boxes is None) == (instances.probabilities is None)

    @pytest.mark.parametrize("of", [np.array, torch.tensor, list], ids=["array", "tensor", "list"])
    def test_they_are_kept_in_float64_and_boxes_in_float32(self, build, of):
        instances = build(
            2, boxes=of([[0, 0, 2.5, 2], [1, 1, 4, 4]]), mask_quality=of([0.1, 1.0]), semantic_agreement=of([0.0, 0.7])
        )  # fmt: skip
        assert (instances.boxes.dtype, instances.boxes.tolist()) == (torch.float32, [[0, 0, 2.5, 2], [1, 1, 4, 4]])
        for measure in (instances.mask_quality, instances.semantic_agreement):
            assert (type(measure), measure.dtype) == (np.ndarray, np.float64)
        np.testing.assert_allclose(instances.mask_quality, [0.1, 1], rtol=1e-7)
        np.testing.assert_allclose(instances.semantic_agreement, [0, 0.7], rtol=1e-7)

    def test_they_are_no_longer_those_outside(self, build):
        given = np.array([0.25, 0.5])
        instances = build(2, mask_quality=given)
        given[:] = 1
        assert instances.mask_quality.tolist() == [0.25, 0.5]
        with pytest.raises(ValueError, match="read-only"):
            instances.mask_quality[0] = 1

    def test_none_of_none(self, build):
        instances = build(0, boxes=np.zeros((0, 4)), mask_quality=[], semantic_agreement=[])
        assert (len(instances), len(instances.boxes), len(instances.mask_quality)) == (0, 0, 0)

    def test_nan_says_that_a_measure_is_not_known(self, build):
        assert np.isnan(build(2, mask_quality=[np.nan, 0.5]).mask_quality).tolist() == [True, False]

    @pytest.mark.parametrize("name", ["mask_quality", "semantic_agreement"])
    @pytest.mark.parametrize("value", [-1e-9, 1.001, np.inf, -np.inf])
    def test_a_measure_out_of_range_is_an_error(self, build, name, value):
        with pytest.raises(InputError, match=rf"{name}\[1\] must be in \[0, 1\], or NaN .*, got {value}"):
            build(2, **{name: [0.5, value]})

    @pytest.mark.parametrize("values", [[0.5], [0.5] * 3, [[0.5, 0.5]], 0.5], ids=repr)
    def test_a_measure_of_another_number_of_instances_is_an_error(self, build, values):
        with pytest.raises(InputError, match=r"mask_quality must have the shape \(2,\), got"):
            build(2, mask_quality=values)

    def test_wrong_boxes_are_an_error(self, build):
        with pytest.raises(InputError, match=r"boxes must have the shape \(2, 4\), got \(1, 4\)"):
            build(2, boxes=[[0, 0, 1, 1]])
        with pytest.raises(InputError, match=r"boxes\[1\] is .*must be finite"):
            build(2, boxes=[[0, 0, 1, 1], [0, 0, np.nan, 1]])


class TestWindowsOfAllMasks:
    """The GPU's way runs on the CPU too, and is compared with the CPU's here."""

    @pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
    def test_they_are_those_of_each_mask(self, dtype):
        masks = torch.from_numpy(np.concatenate([BITMAPS, np.random.default_rng(0).random((50, 4, 4)) < 0.1]))
        masks = masks.to(dtype) * (1 if dtype == torch.bool else 3)
        assert [tuple(window) for window in tight_windows(masks)] == [tight_window(mask) for mask in masks]

    def test_of_none(self):
        assert tight_windows(torch.zeros(0, 4, 4, dtype=torch.bool)) == []

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
    def test_crops_of_a_gpu_are_those_of_the_cpu(self):
        for builder in (from_bitmaps, lambda masks: from_bitmaps(masks.to(torch.int32) * 3)):
            on_gpu = builder(torch.from_numpy(BITMAPS).cuda())
            for index in range(COUNT):
                crop, expected = on_gpu.crop(index), from_bitmaps(BITMAPS).crop(index)
                assert crop.mask.is_cuda and crop.window == expected.window
                assert torch.equal(crop.mask.cpu(), expected.mask)


ROI, BOX = np.ones((1, 28, 28), np.float32), np.array([[0, 0, 4, 4]])
LEFT, FULL = compressed(BITMAPS[0]), uncompressed(BITMAPS[5])
given = InstanceSet.from_bitmaps


class TestErrors:
    @pytest.mark.parametrize(
        "build, message",
        [
            (lambda: from_bitmaps(BITMAPS[0]), r"\(N, H, W\), got \(4, 4\)"),
            (lambda: from_bitmaps(BITMAPS.astype(np.float32)), "float32; threshold probabilities first"),
            (lambda: from_bitmaps([[[1, 0], [1]]]), "array of numbers"),
            (lambda: from_bitmaps(np.array([[["a"]]])), "array of numbers of up to 64 bits, got one of <U1"),
            (lambda: from_bitmaps(np.zeros((1, 0, 4), bool)), "at least 1, got"),
            (lambda: given(BITMAPS[:2], [1.0], [1, 1]), r"expected 2 scores.*\(1,\)"),
            (lambda: given(BITMAPS[:2], [1.0, 1.0], [1]), r"expected 2 category_ids.*\(1,\)"),
            (lambda: given(BITMAPS[:1], [[1.0]], [1]), r"expected 1 scores.*\(1, 1\)"),
            (lambda: given(BITMAPS[:1], [1.0], [[1]]), r"expected 1 category_ids.*\(1, 1\)"),
            (lambda: given(BITMAPS[:1], [1.0], [1.5]), "category_ids must be integers, got .*float64"),
            (lambda: given(BITMAPS[:1], [1.0], [1], (4, 5)), r"are 4x4 pixels, but image_size is \(4, 5\)"),
            (lambda: from_rois(ROI[:, :14], BOX), r"\(N, M, M\), got \(1, 14, 28\)"),
            (lambda: from_rois(ROI[:, :0, :0], BOX), r"\(N, M, M\), got \(1, 0, 0\)"),
            (lambda: from_rois(ROI.astype(bool), BOX), "floating point in .*bool"),
            (lambda: from_rois(ROI, BOX[:, :3]), r"boxes must have the shape \(1, 4\), got \(1, 3\)"),
            (lambda: from_rois(ROI, BOX, (0, 4)), "a side of image_size must be at least 1, got 0"),
            (lambda: from_rois(ROI, BOX, (4,)), r"image_size must be \(height, width\), got \(4,\)"),
            (lambda: from_rle([LEFT], (4, 5)), r"rles\[0\] is \[4, 4\], but image_size is \[4, 5\]"),
            (lambda: from_rle([FULL], (5, 4)), r"rles\[0\] is \[4, 4\], but image_size is \[5, 4\]"),
            (lambda: from_rle([LEFT, {"size": [4, 4]}]), r"rles\[1\] must be a dict with"),
            (lambda: from_rle(["abc"]), r"rles\[0\] must be a dict with"),
        ],
    )
    def test_wrong_input_is_named(self, build, message):
        with pytest.raises(InputError, match=message):
            build()

    @pytest.mark.parametrize("counts", [[3, 4], [16, 1], [17, -1], [], [8.0, 8.0], [[16]]], ids=repr)
    def test_runs_that_do_not_add_up_to_the_image_are_an_error(self, counts):
        with pytest.raises(InputError, match=r"rles\[0\]: counts must be run lengths .* the 16 pixels of the image"):
            from_rle([{"size": [4, 4], "counts": counts}])

    # "`0" would be right. The last ones: a mask of another size, a letter outside the alphabet, too many digits.
    @pytest.mark.parametrize(
        "counts", ["", "0", "@", "`", "zzz", "\xff", b"00", "2", "`p", "`" + 13 * "P" + "0"], ids=repr
    )
    def test_compressed_runs_that_do_not_fill_the_image_are_an_error(self, counts):
        # pycocotools decodes some of these into memory it never wrote.
        with pytest.raises(InputError, match=r"rles\[0\]: counts must be run lengths .* the 16 pixels of the image"):
            from_rle([{"size": [4, 4], "counts": counts}])

    def test_one_run_over_the_image_is_an_empty_mask(self):
        assert not full_mask(from_rle([{"size": [4, 4], "counts": "`0"}]), 0).any()

    def test_long_runs_and_falling_runs_are_read_right(self):
        # Several characters per run, and differences of both signs between runs.
        rng = np.random.default_rng(0)
        bitmaps = [np.zeros((700, 900), bool) for _ in range(4)]
        bitmaps[1][:, 3:880] = True
        bitmaps[2][:] = rng.random((700, 900)) < 0.5
        bitmaps[3][100:600, 200:] = rng.random((500, 700)) < 0.001
        instances = from_rle([compressed(bitmap) for bitmap in bitmaps], (700, 900))
        for index, bitmap in enumerate(bitmaps):
            np.testing.assert_array_equal(full_mask(instances, index), bitmap)
