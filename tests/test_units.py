import numpy as np
import pytest
import torch

from ldctlib.units import (
    WINDOWS,
    Normalization,
    apply_window,
    hu_to_mu,
    level_width,
    mu_to_hu,
    window_bounds,
)


def test_attenuation_round_trip():
    hu = np.linspace(-1000, 3000, 81)
    np.testing.assert_allclose(mu_to_hu(hu_to_mu(hu)), hu, atol=1e-9)
    assert hu_to_mu(np.array([-1200.0])) == 0
    assert torch.equal(hu_to_mu(torch.tensor([0.0, -2000.0])), torch.tensor([0.0192, 0.0]))


def test_window_is_the_dicom_linear_rule():
    # centre 1074, width 400 of stored values HU + 1024
    stored = np.array([-5.0, 874, 874.5, 1074, 1273, 1273.5, 2000])
    expected = [0, 0, 0.00125313, 0.50125313, 1, 1, 1]
    np.testing.assert_allclose(apply_window(stored - 1024, "abdomen"), expected, atol=1e-8)


@pytest.mark.parametrize("name", WINDOWS)
def test_window_bounds_are_where_grey_begins_and_ends(name):
    low, high = window_bounds(name)
    assert high - low == level_width(name)[1] - 1
    np.testing.assert_allclose(
        apply_window(np.array([low, (low + high) / 2, high]), name), [0, 0.5, 1], atol=1e-12
    )


def test_bad_windows_are_refused():
    with pytest.raises(ValueError, match="No window is called 'lungs'"):
        level_width("lungs")
    with pytest.raises(ValueError, match="at least 1 HU"):
        level_width((40.0, 0.0))


def test_normalisation_returns_what_it_was_given():
    benchmark = Normalization.benchmark()
    hu = np.linspace(-1024, 3071, 4096)
    np.testing.assert_allclose(benchmark.inverse(benchmark(hu)), hu, atol=1e-10)
    assert benchmark(np.array([481.45419786099086 - 1024])) == 0
    stored = np.array([0.0, 500, 2000])
    np.testing.assert_allclose(
        benchmark(stored - 1024), (stored - 481.45419786099086) / 502.18507379395044, rtol=1e-12
    )


def test_a_normalisation_needs_a_scale():
    with pytest.raises(ValueError, match="finite mean and a positive std"):
        Normalization(0.0, 0.0)
