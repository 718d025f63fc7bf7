"""Metrics against closed forms, brute force, independent libraries and published vectors."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import visual_information_fidelity

from ldctlib.metrics import psnr, rmse, ssim, vif
from ldctlib.units import apply_window

FULL_RANGE = (-1024.0, 1900.0)


@pytest.fixture(scope="module")
def vectors():
    """The test pair of 512 x 512 pixels, in HU."""
    h, w = np.mgrid[:512, :512].astype(float)
    outside = (h - 256) ** 2 + (w - 256) ** 2 > 200**2
    truth = (1074 + 150 * np.sin(0.05 * h) * np.cos(0.07 * w) - 400 * outside).astype(np.float32)
    test = (truth + 20 * np.sin(1.3 * h + 0.7 * w) + 5 * np.cos(2.1 * w)).astype(np.float32)
    return test - np.float32(1024), truth - np.float32(1024)


@pytest.fixture(scope="module")
def noisy():
    """Three correlated noisy slices and their truth, in HU."""
    rng = np.random.default_rng(3)
    truth = np.cumsum(rng.normal(0, 12, (3, 90, 75)), axis=1)
    return truth + rng.normal(0, 30, truth.shape), truth


def test_published_vectors(vectors):
    test, truth = vectors
    assert ssim(test, truth, window="lung") == pytest.approx(0.9236449206, abs=1e-6)
    assert psnr(test, truth, window="lung") == pytest.approx(40.5114399154, abs=1e-4)
    assert rmse(test, truth, data_range=FULL_RANGE) == pytest.approx(14.5775456567, abs=1e-6)
    assert ssim(test, truth, data_range=FULL_RANGE) == pytest.approx(0.9745840715, abs=1e-6)
    assert psnr(test, truth, data_range=FULL_RANGE) == pytest.approx(46.0458591596, abs=1e-6)
    assert vif(test, truth, data_range=FULL_RANGE) == pytest.approx(0.41740617, abs=2e-3)
    swapped = vif(test, truth, data_range=FULL_RANGE, convention="ldctbench")
    assert swapped == pytest.approx(0.3910449743, abs=2e-3)


def test_ssim_equals_scikit_image(noisy):
    test, truth = noisy
    ours = ssim(test, truth, window="abdomen", reduce="none")
    grey = apply_window(test, "abdomen"), apply_window(truth, "abdomen")
    theirs = [structural_similarity(x, y, data_range=1.0) for x, y in zip(*grey, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    gaussian = ssim(test, truth, data_range=400.0, neighbourhood="gaussian", reduce="none")
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = [
        structural_similarity(x, y, data_range=400.0, **options)
        for x, y in zip(test, truth, strict=True)
    ]
    np.testing.assert_allclose(gaussian, theirs, atol=1e-9)


def test_ssim_equals_the_formula_window_by_window(noisy):
    x, y = noisy[0][0, :14, :12], noisy[1][0, :14, :12]
    c1, c2 = 4.0**2, 12.0**2
    values = []
    for i in range(8):
        for j in range(6):
            a, b = x[i : i + 7, j : j + 7].ravel(), y[i : i + 7, j : j + 7].ravel()
            (va, cov), (_, vb) = np.cov(a, b)
            luminance = (2 * a.mean() * b.mean() + c1) / (a.mean() ** 2 + b.mean() ** 2 + c1)
            values.append(luminance * (2 * cov + c2) / (va + vb + c2))
    assert ssim(x, y, data_range=400.0) == pytest.approx(np.mean(values), abs=1e-12)


def test_vif_equals_torchmetrics_in_both_conventions(noisy):
    test, truth = noisy
    for z in range(len(test)):
        t, r = (torch.from_numpy(image[z])[None, None] for image in (test, truth))
        right = float(visual_information_fidelity(t, r))
        swapped = float(visual_information_fidelity(r, t))
        assert vif(test[z], truth[z]) == pytest.approx(right, abs=1e-6)
        assert vif(test[z], truth[z], convention="ldctbench") == pytest.approx(swapped, abs=1e-6)
        assert abs(right - swapped) > 1e-3


def test_vif_scales_with_its_noise_variance_and_ignores_offsets(noisy):
    test, truth = noisy
    value = vif(test, truth)
    assert vif(5 * test, 5 * truth, noise_variance=50.0) == pytest.approx(value, rel=1e-9)
    assert vif(test + 50, truth) == pytest.approx(value, rel=1e-9)
    assert vif(truth, truth) == pytest.approx(1, abs=1e-9)
    assert vif(0.8 * truth, truth) < 1 < vif(1.2 * truth, truth)


def test_vif_of_constant_images():
    flat, wave = np.zeros((48, 48)), np.random.default_rng(0).normal(0, 9, (48, 48))
    assert vif(flat, flat) == 1
    assert vif(wave, flat) == 0
    assert vif(flat, wave) == pytest.approx(0, abs=1e-9)
    assert float(vif(torch.from_numpy(flat), torch.from_numpy(flat))) == 1


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (rmse, {}),
        (psnr, {"window": "abdomen"}),
        (ssim, {"window": "abdomen"}),
        (ssim, {"data_range": 400.0, "neighbourhood": "gaussian"}),
        (vif, {}),
        (vif, {"data_range": (-50.0, 60.0)}),
    ],
)
def test_torch_agrees_with_numpy_and_has_gradients(noisy, metric, options):
    test, truth = noisy
    tensor = torch.from_numpy(test).requires_grad_()
    value = metric(tensor, torch.from_numpy(truth), **options)
    assert value.item() == pytest.approx(metric(test, truth, **options), rel=1e-9)
    value.backward()
    assert torch.isfinite(tensor.grad).all()
    assert tensor.grad.abs().sum() > 0


def test_volume_is_the_mean_of_its_slices(noisy):
    test, truth = noisy
    for metric in (rmse, psnr, ssim, vif):
        options = {} if metric in (rmse, vif) else {"window": "abdomen"}
        slices = [metric(x, y, **options) for x, y in zip(test, truth, strict=True)]
        assert metric(test, truth, **options) == pytest.approx(np.mean(slices), rel=1e-12)
        np.testing.assert_allclose(metric(test, truth, reduce="none", **options), slices)


def test_closed_forms():
    zero, image = np.zeros((12, 12)), np.random.default_rng(0).normal(0, 20, (12, 12))
    assert psnr(zero + 0.1, zero, data_range=1.0) == pytest.approx(20, abs=1e-12)
    assert psnr(image, image, window="abdomen") == np.inf
    assert ssim(image, image, data_range=100.0) == pytest.approx(1, abs=1e-12)
    board = np.indices((12, 12)).sum(0) % 2 - 0.5
    assert ssim(5 + board, 5 - board, data_range=1.0) < 0
    # what lies outside the window is not seen
    assert rmse(zero - 1000, zero - 900, window="abdomen") == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: psnr(np.zeros((9, 9)), np.zeros((9, 9))), "depends on the range"),
        (lambda: ssim(np.zeros((19, 19)), np.zeros((19, 19))), "depends on the range"),
        (lambda: rmse(np.zeros((9, 9)), np.zeros((9, 8))), "one grid"),
        (lambda: rmse(np.zeros(9), np.zeros(9)), r"\(H, W\)"),
        (lambda: rmse(np.full((9, 9), np.nan), np.zeros((9, 9))), "not finite"),
        (lambda: psnr(np.zeros((9, 9)), np.zeros((9, 9)), window="lungs"), "No window"),
        (lambda: psnr(np.zeros((9, 9)), np.zeros((9, 9)), data_range=(5, 5)), "low to high"),
        (lambda: psnr(np.zeros((9, 9)), np.zeros((9, 9)), data_range=-1), "positive"),
        (
            lambda: psnr(np.zeros((9, 9)), np.zeros((9, 9)), window="lung", data_range=1),
            "not both",
        ),
        (lambda: ssim(np.zeros((9, 9)), np.zeros((9, 9)), data_range=1), "at least 11"),
        (lambda: vif(np.zeros((40, 41)), np.zeros((40, 41))), "at least 41"),
        (lambda: vif(np.zeros((41, 41)), np.zeros((41, 41)), data_range=400), "no range"),
        (lambda: vif(np.zeros((41, 41)), np.zeros((41, 41)), convention="tm"), "convention"),
        (lambda: rmse(np.zeros((9, 9)), np.zeros((9, 9)), reduce="sum"), "reduce"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
