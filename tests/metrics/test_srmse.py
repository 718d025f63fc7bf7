"""SRMSE: the identities it must obey, and a brute-force double loop."""

import numpy as np
import pytest
import torch

from ldctlib.masks import Masks
from ldctlib.metrics import max_srmse, mean_srmse, percentile_srmse, rmse, segment_errors, srmse

SHAPE = (5, 24, 31)


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    reference = random.normal(0, 300, SHAPE).astype(np.float32)
    return reference + random.normal(3, 20, SHAPE).astype(np.float32), reference


@pytest.fixture(scope="module")
def partition():
    labels = np.random.default_rng(1).integers(1, 9, SHAPE)
    return Masks.from_label_map(labels, {i: f"part {i}" for i in range(1, 9)})


def blobs(count=20, seed=2):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    discs = []
    for _ in range(count):
        cy, cx, radius = random.uniform((4, 4, 2), (20, 27, 7))
        discs.append((int(random.integers(SHAPE[0])), np.hypot(y - cy, x - cx) < radius))
    return Masks.from_slices(discs, SHAPE)


def brute_force(test, reference, masks):
    errors = []
    for i in range(len(masks)):
        total, count = 0.0, 0
        for z, y, x in np.argwhere(masks.boolean(i)):
            total += (float(test[z, y, x]) - float(reference[z, y, x])) ** 2
            count += 1
        errors.append((total / count) ** 0.5)
    return np.array(errors)


@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f4"), ("i2", "f4"), ("f2", "f8")])
def test_a_double_loop_over_segments_and_voxels_agrees(pair, dtypes):
    test, reference = (image.astype(dtype) for image, dtype in zip(pair, dtypes, strict=True))
    masks = Masks.concatenate([blobs(), Masks.from_volumes({"all": np.ones(SHAPE, bool)})])
    expected = brute_force(test, reference, masks)
    np.testing.assert_allclose(srmse(test, reference, masks), expected, rtol=1e-9)
    strided = [np.asfortranarray(test), np.repeat(reference, 2, 2)[:, :, ::2]]
    np.testing.assert_allclose(srmse(*strided, masks), expected, rtol=1e-9)


def test_one_mask_of_all_voxels_is_the_rmse(pair):
    everything = Masks.from_volumes({"all": np.ones(SHAPE, bool)})
    whole = np.sqrt(np.mean((pair[0].astype(float) - pair[1]) ** 2))
    assert srmse(*pair, everything)[0] == pytest.approx(whole, rel=1e-12)
    first = everything.crop(0, slice(None), slice(None))
    assert max_srmse(pair[0][0], pair[1][0], first) == pytest.approx(rmse(pair[0][0], pair[1][0]))


def test_segments_that_tile_the_volume_give_its_rmse(pair, partition):
    errors = srmse(*pair, partition)
    square = (partition.areas * errors**2).sum() / np.prod(SHAPE)
    assert square == pytest.approx(np.mean((pair[0].astype(float) - pair[1]) ** 2), rel=1e-12)
    assert max_srmse(*pair, partition) >= square**0.5


def test_order_of_mean_percentile_and_maximum(pair):
    masks = blobs()
    errors = srmse(*pair, masks)
    assert mean_srmse(*pair, masks) == pytest.approx(errors.mean())
    assert max_srmse(*pair, masks) == percentile_srmse(*pair, masks, 100) == errors.max()
    assert percentile_srmse(*pair, masks, 0) == errors.min()
    assert percentile_srmse(*pair, masks) == pytest.approx(np.percentile(errors, 99))
    assert mean_srmse(*pair, masks) < percentile_srmse(*pair, masks) < max_srmse(*pair, masks)


def test_a_segment_that_comes_twice_changes_the_mean_only(pair):
    masks = blobs()
    errors = srmse(*pair, masks)
    twice = Masks.concatenate([masks, masks.select([int(errors.argmax())])])
    assert max_srmse(*pair, twice) == max_srmse(*pair, masks)
    assert mean_srmse(*pair, twice) == pytest.approx((errors.sum() + errors.max()) / 21)


def test_an_offset_is_the_error_of_every_segment(pair, partition):
    reference = np.rint(pair[1])
    np.testing.assert_array_equal(srmse(reference - 7, reference, partition), 7)
    np.testing.assert_array_equal(srmse(reference, reference, partition), 0)


def test_white_noise_has_the_distribution_of_chi_square():
    # n SRMSE^2 / sigma^2 is chi-square with n degrees of freedom.
    sigma, shape = 12.0, (40, 80, 80)
    noise = np.random.default_rng(3).normal(0, sigma, shape)
    tiles = np.arange(np.prod(shape)).reshape(shape) // (80 * 80) * 100
    tiles = tiles + np.arange(80)[:, None] // 8 * 10 + np.arange(80) // 8
    masks = Masks.from_label_map(tiles, {i: str(i) for i in range(4000)})
    errors = srmse(noise, np.zeros(shape), masks)
    assert set(masks.areas) == {64}
    assert np.mean(errors**2) == pytest.approx(sigma**2, rel=4 * np.sqrt(2 / noise.size))
    assert errors.std() == pytest.approx(sigma / np.sqrt(2 * 64), rel=0.05)


def test_a_lesion_that_vanished_is_in_the_maximum_and_not_in_the_mean():
    random = np.random.default_rng(4)
    reference = np.zeros((1, 128, 128))
    lesion = np.hypot(*(np.mgrid[:128, :128] - 60)) < 4
    reference[0][lesion] = 60.0
    tiles = (np.mgrid[:128, :128] // 16 * np.array([8, 1])[:, None, None]).sum(0)
    masks = [(0, (tiles == i) & ~lesion) for i in range(64)] + [(0, lesion)]
    masks = Masks.from_slices(masks, reference.shape)
    kept = reference + random.normal(0, 10, reference.shape)
    lost = np.where(lesion, 0, reference) + random.normal(0, 10, reference.shape)
    assert max_srmse(lost, reference, masks) > 4 * max_srmse(kept, reference, masks)
    assert mean_srmse(lost, reference, masks) < 1.1 * mean_srmse(kept, reference, masks)


def test_tensors_stay_tensors_and_agree(pair):
    masks = blobs()
    test, reference = map(torch.from_numpy, pair)
    errors = segment_errors(test, reference, masks)
    assert errors.dtype == torch.float32
    np.testing.assert_allclose(errors, srmse(*pair, masks), rtol=1e-6)
    wide = segment_errors(test.double(), reference.double(), masks)
    np.testing.assert_allclose(wide, srmse(*pair, masks), rtol=1e-12)
    assert isinstance(srmse(test, pair[1], masks), torch.Tensor)
    assert max_srmse(test, reference, masks) == pytest.approx(max_srmse(*pair, masks))
    assert percentile_srmse(test, reference, masks, 90) == pytest.approx(
        percentile_srmse(*pair, masks, 90)
    )
    assert mean_srmse(test.requires_grad_(), reference, masks).requires_grad


def test_gradient_is_that_of_finite_differences(pair):
    masks = blobs(6)
    test, reference = (torch.from_numpy(image).double() for image in pair)
    test.requires_grad_()
    weights = torch.linspace(1, 2, 6, dtype=torch.float64)
    (segment_errors(test, reference, masks) * weights).sum().backward()
    random, step = np.random.default_rng(5), 1e-4
    covered = np.argwhere(masks.union())
    for place in map(tuple, covered[random.choice(len(covered), 12, replace=False)]):
        moved = np.zeros(SHAPE)
        moved[place] = step
        up, down = (srmse(pair[0] + s * moved, pair[1], masks) @ weights.numpy() for s in (1, -1))
        assert test.grad[place].item() == pytest.approx((up - down) / (2 * step), rel=1e-5)
    assert (test.grad.numpy()[~masks.union()] == 0).all()
    assert torch.autograd.gradcheck(
        lambda image: segment_errors(image, reference[:1, :6, :6], masks_of_corner()),
        test.detach()[:1, :6, :6].requires_grad_(),
    )


def masks_of_corner():
    corner = np.arange(36).reshape(6, 6)
    return Masks.from_slices([(0, corner % 2 == 0), (0, corner < 20)], (1, 6, 6))


def test_no_error_has_no_gradient():
    test = torch.zeros(1, 6, 6, requires_grad=True)
    segment_errors(test, torch.zeros(1, 6, 6), masks_of_corner()).sum().backward()
    assert (test.grad == 0).all()


def test_bad_input_gets_one_clear_sentence(pair):
    masks, none = blobs(), Masks.from_slices([], SHAPE)
    hole = Masks.from_slices([(0, np.zeros(SHAPE[1:], bool))], SHAPE, ["hole"])
    broken = pair[0].copy()
    broken[masks.boolean(3)] = np.nan
    with pytest.raises(ValueError, match=r"Mask 20 \('hole'\) has no voxel"):
        srmse(*pair, Masks.concatenate([masks, hole]))
    with pytest.raises(ValueError, match="bring them to one grid"):
        srmse(pair[0][:4], pair[1], masks)
    with pytest.raises(ValueError, match="the masks lie on"):
        srmse(pair[0][:4], pair[1][:4], masks)
    with pytest.raises(ValueError, match="the masks lie on"):
        srmse(pair[0][0], pair[1][0], masks)
    for image in (broken, np.where(np.isnan(broken), np.inf, broken)):
        with pytest.raises(ValueError, match="not finite, in mask"):
            srmse(image, pair[1], masks)
    with pytest.raises(ValueError, match="not finite"):
        srmse(torch.from_numpy(broken), torch.from_numpy(pair[1]), masks)
    errors = segment_errors(torch.from_numpy(broken), torch.from_numpy(pair[1]), masks)
    assert errors[3].isnan()
    assert errors[masks.iou()[[3]].toarray()[0] == 0].isfinite().all()
    with pytest.raises(ValueError, match="There are no segments"):
        max_srmse(*pair, none)
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile_srmse(*pair, masks, 101)
    assert srmse(*pair, none).shape == (0,)


def test_a_value_outside_all_segments_is_not_looked_at(pair):
    masks = blobs()
    elsewhere = np.where(masks.union(), pair[0], np.nan)
    np.testing.assert_array_equal(srmse(elsewhere, pair[1], masks), srmse(*pair, masks))
