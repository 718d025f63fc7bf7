"""The bilateral filter against a double loop, and what its training begins with."""

import math

import numpy as np
import pytest
import torch

from ldctlib.denoisers import METHODS, Precision, network
from ldctlib.denoisers.bilateral import BENCHMARK_START, bilateral_filter, window_side

CPU = torch.device("cpu")


def by_double_loop(image, sigma_x, sigma_y, sigma_r):
    """Every pixel and every neighbour, one after the other."""
    height, width = image.shape
    half_x, half_y = window_side(sigma_x) // 2, window_side(sigma_y) // 2
    out = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            total = weights = 0.0
            for k in range(max(i - half_x, 0), min(i + half_x + 1, height)):
                for m in range(max(j - half_y, 0), min(j + half_y + 1, width)):
                    far = (k - i) ** 2 / (2 * sigma_x**2) + (m - j) ** 2 / (2 * sigma_y**2)
                    unlike = (image[k, m] - image[i, j]) ** 2 / (2 * sigma_r**2)
                    weight = math.exp(-far - unlike)
                    total += weight * image[k, m]
                    weights += weight
            out[i, j] = total / weights
    return out


@pytest.mark.parametrize("sigmas", [(0.5, 0.5, 0.01), (1.3, 0.7, 0.4), (0.4, -2.0, -1.0)])
def test_against_a_double_loop(sigmas):
    image = np.random.default_rng(0).normal(size=(9, 13))
    widths = [torch.tensor(s, dtype=torch.float64) for s in sigmas]
    got = bilateral_filter(torch.from_numpy(image)[None, None], *widths)[0, 0].numpy()
    np.testing.assert_allclose(got, by_double_loop(image, *sigmas), rtol=1e-13)


def test_gradients():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 4, 5, dtype=torch.float64, generator=draw, requires_grad=True)
    widths = [torch.tensor(s, dtype=torch.float64, requires_grad=True) for s in (0.8, 0.6, 0.9)]
    assert torch.autograd.gradcheck(bilateral_filter, (x, *widths))


def test_with_a_wide_range_it_is_a_gaussian_mean():
    x = torch.zeros(1, 1, 7, 7, dtype=torch.float64)
    x[..., 3, 3] = 1
    wide = torch.tensor(1e6, dtype=torch.float64)
    sigma = torch.tensor(0.8, dtype=torch.float64)
    taps = torch.exp(-0.5 * (torch.arange(-2, 3) / 0.8) ** 2).double()
    expected = torch.outer(taps, taps) / taps.sum() ** 2
    torch.testing.assert_close(bilateral_filter(x, sigma, sigma, wide)[0, 0, 3, 3], expected[2, 2])
    torch.testing.assert_close(bilateral_filter(x, sigma, sigma, wide)[0, 0, 2, 3], expected[1, 2])


def test_slices_and_flat_images_stay_apart():
    x = torch.randn(3, 1, 12, 12)
    net = network("bilateral")
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]))
    torch.testing.assert_close(net(torch.full((1, 1, 6, 6), 0.3)), torch.full((1, 1, 6, 6), 0.3))


def objective(**options):
    kind = METHODS["bilateral"].trainable
    settings = {"device": CPU, "precision": Precision(), "seed": 0}
    return kind.objective(kind.network(), kind.recipe, **settings, **options)


def test_initial_widths_are_honoured():
    published = objective().network.state_dict()
    assert published["filters.1.sigma_x"].item() == pytest.approx(0.486467)
    assert published["filters.2.color_sigma"].item() == pytest.approx(0.952656)
    really = objective(**BENCHMARK_START).network.state_dict()
    assert really["filters.0.sigma_y"].item() == pytest.approx(0.5)
    assert really["filters.0.color_sigma"].item() == pytest.approx(0.01)


def test_each_kind_of_width_has_its_rate():
    trained = objective()
    low, full = torch.randn(2, 1, 16, 16), torch.zeros(2, 1, 16, 16)
    before = {k: v.clone() for k, v in trained.network.state_dict().items()}
    trained.step(low, full)
    moved = {k: (v - before[k]).abs().item() for k, v in trained.network.state_dict().items()}
    # The first step of Adam is as long as its learning rate.
    assert moved["filters.0.sigma_x"] == pytest.approx(4.001423666e-5, rel=1e-2)
    assert moved["filters.0.color_sigma"] == pytest.approx(3.555342304e-3, rel=1e-2)
    assert moved["filters.0.sigma_z"] == 0
