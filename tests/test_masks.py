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
