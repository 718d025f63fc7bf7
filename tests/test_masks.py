import numpy as np
import pytest

from ldctlib.masks import Masks


@pytest.fixture
def label_map():
    return np.random.default_rng(1).integers(0, 4, (3, 5, 7))


def test_label_map_becomes_one_mask_an_id(label_map):
    masks = Masks.from_label_map(label_map, {1: "a", 3: "c", 9: "absent"})
    assert masks.labels == ("a", "c")
    np.testing.assert_array_equal(masks.boolean("a"), label_map == 1)
    np.testing.assert_array_equal(masks.boolean(1), label_map == 3)
    np.testing.assert_array_equal(masks.areas, [(label_map == 1).sum(), (label_map == 3).sum()])


def test_masks_of_slices_may_overlap():
    first, second = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    first[1:3, 0:6] = True
    second[2:4, 2:5] = True
    masks = Masks.from_slices([(0, first), (0, second), (1, second)], (2, 4, 6))
    assert masks.areas.tolist() == [12, 6, 6]
    np.testing.assert_array_equal(masks.boolean(0)[0], first)
    np.testing.assert_array_equal(masks.boolean(2)[1], second)
    assert not masks.boolean(2)[0].any()


def test_sums_and_selection_agree_with_boolean_indexing(label_map):
    masks = Masks.from_label_map(label_map, {0: "o", 1: "a", 2: "b", 3: "c"})
    values = np.random.default_rng(2).normal(size=label_map.shape).astype(np.float32)
    sums = [values[label_map == i].sum(dtype=np.float64) for i in range(4)]
    np.testing.assert_allclose(masks.sum_over(values), sums, rtol=1e-12)
    chosen = masks.select([3, 1])
    assert chosen.labels == ("c", "a")
    np.testing.assert_allclose(chosen.sum_over(values), [sums[3], sums[1]], rtol=1e-12)


def test_no_masks_at_all():
    none = Masks.from_slices([], (2, 3, 4))
    assert len(none) == 0
    assert none.areas.shape == none.sum_over(np.zeros((2, 3, 4))).shape == (0,)
    assert len(Masks.from_label_map(np.zeros((1, 2, 2), int), {1: "a"})) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Masks.from_label_map(np.zeros((2, 2)), {}), "integer array"),
        (lambda: Masks.from_slices([(2, np.ones((3, 4), bool))], (2, 3, 4)), "does not lie in"),
        (lambda: Masks.from_slices([(0, np.ones((3, 3), bool))], (2, 3, 4)), "does not lie in"),
        (lambda: Masks.from_slices([], (2, 3, 4), labels=["x"]), "1 labels were given for 0"),
        (lambda: Masks.from_slices([], (2, 3, 4)).boolean("liver"), "No mask is called"),
        (lambda: Masks.from_slices([], (2, 3, 4)).sum_over(np.zeros((1, 3, 4))), "lie on"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def random_masks(shape=(4, 20, 30), count=15, seed=3):
    """Blobs over one to three slices, overlapping, with holes; and what they are made of."""
    random = np.random.default_rng(seed)
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    volumes = []
    for _ in range(count):
        cz, cy, cx = random.uniform((0, 0, 0), shape)
        blob = (3 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < random.uniform(4, 9) ** 2
        volumes.append(blob & (random.uniform(size=shape) < 0.9))
    volumes = [volume for volume in volumes if volume.any()]
    return Masks.from_volumes({f"blob-{i}": v for i, v in enumerate(volumes)}), np.stack(volumes)


def assert_same(masks, others):
    assert masks.shape == others.shape
    assert masks.labels == others.labels
    for name in ("offsets", "starts", "lengths"):
        np.testing.assert_array_equal(getattr(masks, name), getattr(others, name))
    assert (masks.scores is None) == (others.scores is None)
    if masks.scores is not None:
        np.testing.assert_array_equal(masks.scores, others.scores)


def test_geometry_agrees_with_boolean_volumes():
    masks, volumes = random_masks()
    for box, volume in zip(masks.bounding_boxes, volumes, strict=True):
        places = np.argwhere(volume)
        np.testing.assert_array_equal(box[::2], places.min(0))
        np.testing.assert_array_equal(box[1::2], places.max(0) + 1)
    for z in range(4):
        np.testing.assert_array_equal(masks.in_slice(z), np.flatnonzero(volumes[:, z].any((1, 2))))
    np.testing.assert_array_equal(masks.union(), volumes.any(0))


def test_a_mask_that_skips_a_slice_does_not_touch_it():
    volume = np.zeros((3, 4, 4), bool)
    volume[[0, 2], 1, 1] = True
    masks = Masks.from_volumes({"two ends": volume})
    assert [masks.in_slice(z).tolist() for z in range(3)] == [[0], [], [0]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int16, bool, ">f4"])
def test_sums_of_any_type_and_layout(dtype):
    masks, volumes = random_masks()
    values = np.random.default_rng(4).uniform(0, 90, (30, 20, 4)).astype(dtype).T
    expected = [values[volume].sum(dtype=np.float64) for volume in volumes]
    np.testing.assert_allclose(masks.sum_over(values), expected, rtol=1e-12)


def test_sums_in_threads_are_those_in_one():
    numba = pytest.importorskip("numba")
    random = np.random.default_rng(0)
    dots = [(z % 5, random.uniform(size=(30, 30)) < 0.3) for z in range(60)]
    masks = Masks.from_slices(dots, (5, 30, 30))
    assert len(masks.starts) > 4096
    values = random.normal(size=(5, 30, 30))
    before, sums = numba.get_num_threads(), []
    try:
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            sums.append(masks.sum_over(values))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(*sums)
    np.testing.assert_allclose(sums[0], [values[z][dot].sum() for z, dot in dots], atol=1e-12)


def test_iou_agrees_with_boolean_volumes():
    masks, volumes = random_masks()
    others, other_volumes = random_masks(seed=5)
    both = (volumes[:, None] & other_volumes[None]).sum((2, 3, 4))
    either = (volumes[:, None] | other_volumes[None]).sum((2, 3, 4))
    found = masks.iou(others)
    np.testing.assert_allclose(found.toarray(), both / either, rtol=1e-15)
    assert found.nnz == np.count_nonzero(both)
    own = masks.iou()
    np.testing.assert_array_equal(own.diagonal(), 1)
    assert abs(own - own.T).max() == 0
    assert masks.iou(masks.select([])).shape == (len(masks), 0)


def test_iou_of_more_pairs_than_there_is_room_for_at_first():
    square = np.ones((2, 2), bool)
    masks = Masks.from_slices([(0, square)] * 60, (1, 2, 2))
    np.testing.assert_array_equal(masks.iou().toarray(), np.ones((60, 60)))


def test_crop_agrees_with_slicing():
    masks, volumes = random_masks()
    part = masks.crop(slice(1, 3), slice(5, 16), slice(None, 12))
    cut = volumes[:, 1:3, 5:16, :12]
    there = np.flatnonzero(cut.any((1, 2, 3)))
    assert part.labels == tuple(f"blob-{i}" for i in there)
    for i, volume in enumerate(cut[there]):
        np.testing.assert_array_equal(part.boolean(i), volume)
    assert len(masks.crop(0, slice(0, 1), slice(0, 1)).labels) == volumes[:, 0, 0, 0].sum()


def test_sets_are_joined_side_by_side_and_one_above_the_other():
    masks, volumes = random_masks()
    scored = Masks(masks.shape, *masks._runs, masks.labels, np.arange(len(masks)) / 8)
    twice = Masks.concatenate([scored, scored.select([2, 0])])
    assert twice.labels == (*masks.labels, "blob-2", "blob-0")
    np.testing.assert_array_equal(twice.boolean(len(masks)), volumes[2])
    assert twice.scores[-2:].tolist() == [0.25, 0]
    assert Masks.concatenate([scored, masks]).scores is None
    slices = [scored.crop(z, slice(None), slice(None)) for z in range(4)]
    stacked = Masks.stack(slices)
    np.testing.assert_array_equal(stacked.union(), volumes.any(0))
    np.testing.assert_array_equal(stacked.areas, np.concatenate([s.areas for s in slices]))


def test_selection_by_truth_and_from_the_end():
    masks, volumes = random_masks()
    large = masks.areas > 100
    np.testing.assert_array_equal(masks.select(large).areas, masks.areas[large])
    np.testing.assert_array_equal(masks.boolean(-1), volumes[-1])
    assert len(masks.select([])) == 0


def test_one_file_holds_everything(tmp_path):
    masks, _ = random_masks()
    path = tmp_path / "masks.npz"
    masks.save(path)
    assert_same(Masks.load(path), masks)
    scored = Masks(masks.shape, *masks._runs, masks.labels, np.linspace(0, 5, len(masks)))
    scored.save(path)
    assert_same(Masks.load(path), scored)
    assert list(tmp_path.iterdir()) == [path]
    none = Masks.from_slices([], (2, 3, 4))
    none.save(path)
    assert_same(Masks.load(path), none)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    masks, _ = random_masks()
    path = tmp_path / "masks.npz"
    masks.save(path)

    def disk_full(file, **_):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", disk_full)
    with pytest.raises(OSError, match="No space"):
        masks.select([0]).save(path)
    assert_same(Masks.load(path), masks)
    assert list(tmp_path.iterdir()) == [path]


def test_published_examples_of_the_code():
    # The mask API's own description: M = [0 0 1 1 1 0 1] has counts [2 3 1 1], M = [1 1 1 1 1 1 0]
    # has [0 6 1]. A column of seven pixels; a letter of the text is 48 + the number, below 16.
    for image, counts, text in [
        ([0, 0, 1, 1, 1, 0, 1], [2, 3, 1, 1], "231N"),
        ([1, 1, 1, 1, 1, 1, 0], [0, 6, 1], "061"),
    ]:
        column = np.array(image, bool)[:, None]
        masks = Masks.from_slices([(0, column)], (1, 7, 1))
        plain, packed = (masks.to_coco(0, compressed)[0] for compressed in (False, True))
        assert plain["segmentation"] == {"size": [7, 1], "counts": counts}
        assert packed["segmentation"] == {"size": [7, 1], "counts": text}
        for code in (plain, packed, plain["segmentation"], packed["segmentation"]):
            np.testing.assert_array_equal(Masks.from_coco([code]).boolean(0)[0], column)


def test_columns_come_first_and_runs_go_on_in_the_next_column():
    image = np.array([[0, 1, 1], [1, 1, 0]], bool)
    masks = Masks.from_slices([(0, image)], (1, 2, 3))
    assert masks.to_coco(compressed=False)[0]["segmentation"]["counts"] == [1, 4, 1]
    np.testing.assert_array_equal(
        Masks.from_coco([{"size": [2, 3], "counts": [1, 4, 1]}]).boolean(0)[0], image
    )


def test_masks_over_slices_survive_the_annotations():
    masks, _ = random_masks()
    scored = Masks(masks.shape, *masks._runs, masks.labels, np.arange(len(masks)) / 4)
    for compressed in (True, False):
        assert_same(Masks.from_coco(scored.to_coco(compressed=compressed), depth=4), scored)
    annotation = masks.to_coco(1)[0]
    i, (x, y, width, height) = annotation["track_id"], annotation["bbox"]
    places = np.argwhere(masks.boolean(i)[1])
    assert annotation["area"] == len(places)
    assert [y, x] == places.min(0).tolist()
    assert [y + height, x + width] == (places.max(0) + 1).tolist()


def test_the_code_is_that_of_pycocotools():
    mask_api = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(6)
    images = [random.uniform(size=(60, 70)) < p for p in (0, 0.01, 0.5, 0.99, 1)]
    images += [np.pad(np.ones((30, 40), bool), ((20, 10), (10, 20)))]
    for image in images:
        theirs = mask_api.encode(np.asfortranarray(image.astype(np.uint8)))
        masks = Masks.from_slices([(0, image)], (1, 60, 70))
        np.testing.assert_array_equal(Masks.from_coco([theirs]).boolean(0)[0], image)
        if image.any():
            assert masks.to_coco(0)[0]["segmentation"]["counts"] == theirs["counts"].decode()


def test_records_of_segment_anything():
    square = np.zeros((5, 6), bool)
    square[1:4, 2:5] = True
    plain = {"size": [5, 6], "counts": [11, 3, 2, 3, 2, 3, 6]}
    facts = {"area": 9, "predicted_iou": 0.97, "stability_score": 0.95, "bbox": [2, 1, 2, 2]}
    found = {2: [{"segmentation": plain, **facts}], 0: [{"segmentation": square, **facts}] * 2}
    masks = Masks.from_sam(found, (3, 5, 6))
    assert masks.scores.tolist() == [0.97] * 3
    assert [masks.in_slice(z).tolist() for z in range(3)] == [[0, 1], [], [2]]
    np.testing.assert_array_equal(masks.boolean(2)[2], square)
    np.testing.assert_array_equal(masks.boolean(0)[0], square)
    assert Masks.from_sam(found, (3, 5, 6), "stability_score").scores.tolist() == [0.95] * 3
    assert len(Masks.from_sam({}, (3, 5, 6)).scores) == 0


def test_memory_goes_with_the_runs():
    slab = np.ones((64, 4096), bool)
    masks = Masks.from_slices([(z, slab) for z in range(4)], (4, 64, 4096))
    stored = sum(array.nbytes for array in masks._runs)
    assert stored <= 16 * 4 * 64 + 8 * 5


GRID = Masks.from_slices([(0, np.ones((3, 4), bool))], (2, 3, 4))
ROW = (np.array([0, 1]), np.array([3]), np.array([2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GRID.in_slice(2), "there is no slice 2"),
        (lambda: GRID.iou(GRID.crop(0, slice(2), slice(2))), "cannot be compared"),
        (lambda: GRID.crop(0, slice(3, 9), slice(0, 2)), "nothing to crop"),
        (lambda: GRID.crop(0, slice(0, 3, 2), slice(0, 2)), "nothing to crop"),
        (lambda: Masks.concatenate([]), "at least one"),
        (lambda: Masks.concatenate([GRID, GRID.crop(0, slice(2), slice(2))]), "one grid"),
        (lambda: Masks.stack([GRID, GRID.crop(0, slice(2), slice(2))]), "one size"),
        (lambda: Masks((2, 3, 4), *ROW, ("x",)), "stay in their row"),
        (lambda: Masks((2, 3, 5), *ROW, ("x", "y")), "2 labels were given for 1"),
        (lambda: Masks((2, 3, 5), *ROW, ("x",), np.ones(2)), "2 scores were given for 1"),
        (lambda: Masks.from_coco([]), "at least one"),
        (lambda: Masks.from_coco([{"size": [2, 3], "counts": [1, 2]}]), "do not fill an image"),
        (lambda: Masks.from_coco([{"size": [2, 3], "counts": "231N"}]), "do not fill an image"),
        (lambda: Masks.from_coco(GRID.to_coco(), depth=0), "is a slice from 0"),
        (lambda: Masks.from_sam({2: [{"segmentation": np.ones((3, 4))}]}, (2, 3, 4)), "not lie in"),
    ],
)
def test_what_cannot_be_done_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_files_are_refused(tmp_path):
    text, other = tmp_path / "text.npz", tmp_path / "other.npz"
    text.write_text("not a zip")
    np.savez(other, shape=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = tmp_path / "array.npy"
    for path, message in [(text, "not a file"), (other, "lacks"), (array, "not a file")]:
        with pytest.raises(ValueError, match=message):
            Masks.load(path)


def test_one_slice_of_a_mask_and_the_slice_with_most_of_it_are_those_of_its_volume():
    rng = np.random.default_rng(8)
    volumes = {str(i): rng.random((4, 9, 11)) < 0.1 * (i + 1) for i in range(5)}
    volumes["empty"] = np.zeros((4, 9, 11), bool)
    masks = Masks.from_volumes(volumes)
    for i, volume in enumerate(volumes.values()):
        assert masks.largest_slices[i] == volume.sum(axis=(1, 2)).argmax()
        for z in range(4):
            np.testing.assert_array_equal(masks.plane(i, z), volume[z])
