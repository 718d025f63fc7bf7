"""Analytic observers against closed forms, circulant covariances and brute force."""

import numpy as np
import pytest
from scipy.linalg import circulant

from ldctlib.metrics import (
    auc,
    auc_from_dprime,
    auc_interval,
    disc_task,
    dprime_from_auc,
    dprime_hotelling,
    dprime_npw,
    dprime_npwe,
    dprime_pw,
    eye_filter,
    frequency_grid,
    image_task,
)

PIXEL_MM = 0.7


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def signal(rng):
    return rng.normal(0, 10, (12, 10))


def coloured(rng, shape=(12, 10)):
    """A noise power spectrum of real noise (even in frequency), in HU² mm²."""
    power = rng.uniform(1, 30, shape)
    return power + np.roll(power[::-1, ::-1], (1, 1), (0, 1))


def test_white_noise_has_the_norm_of_the_signal_over_sigma(signal):
    task, white = image_task(signal, PIXEL_MM), 25 * PIXEL_MM**2
    expected = np.linalg.norm(signal) / 5
    assert dprime_pw(task, white, PIXEL_MM) == pytest.approx(expected, rel=1e-12)
    assert dprime_npw(task, white, PIXEL_MM) == pytest.approx(expected, rel=1e-12)


def test_prewhitening_is_the_hotelling_observer_of_stationary_noise(rng, signal):
    """Noise that repeats at the borders has a covariance that the FFT makes diagonal."""
    nps = coloured(rng)
    autocovariance = np.fft.ifft2(nps).real / PIXEL_MM**2
    pixels = np.indices(signal.shape).reshape(2, -1)
    apart = pixels[:, :, None] - pixels[:, None, :]
    covariance = autocovariance[apart[0] % 12, apart[1] % 10]
    task, s = image_task(signal, PIXEL_MM), signal.ravel()
    hotelling = np.sqrt(s @ np.linalg.inv(covariance) @ s)
    assert dprime_pw(task, nps, PIXEL_MM) == pytest.approx(hotelling, rel=1e-9)
    assert dprime_hotelling(signal, covariance) == pytest.approx(hotelling, rel=1e-9)
    matched = s @ s / np.sqrt(s @ covariance @ s)
    assert dprime_npw(task, nps, PIXEL_MM) == pytest.approx(matched, rel=1e-9)


def test_hotelling_of_a_chain_of_pixels():
    """The inverse of an autoregressive covariance is tridiagonal: d'² of a step is known."""
    rho, n = 0.8, 50
    covariance = rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (1 - rho**2)
    s = np.ones(n)
    expected = (1 - rho**2) + (n - 1) * (1 - rho) ** 2  # sum of squared innovations
    assert dprime_hotelling(s, covariance) ** 2 == pytest.approx(expected)
    ring = circulant(covariance[0] + covariance[0][(-np.arange(n)) % n])
    assert dprime_hotelling(s, ring) ** 2 == pytest.approx(n / ring[0].sum())


def test_no_observer_beats_the_prewhitening_one(rng, signal):
    task = image_task(signal, PIXEL_MM)
    for _ in range(20):
        nps, eye = coloured(rng), rng.uniform(0.1, 1, signal.shape)
        best = dprime_pw(task, nps, PIXEL_MM)
        assert dprime_npw(task, nps, PIXEL_MM) < best
        assert dprime_npwe(task, nps, PIXEL_MM, eye=eye) < best
        # the filter that whitens makes the non-prewhitening observer the best one
        whitening = 1 / np.sqrt(nps)
        assert dprime_npwe(task, nps, PIXEL_MM, eye=whitening) == pytest.approx(best)


def test_npwe_is_its_double_integral(rng):
    shape = (6, 5)
    w, t, n, e, i = (rng.uniform(0.5, 2, shape) for _ in range(5))
    df2 = 1 / (6 * PIXEL_MM * 5 * PIXEL_MM)
    above = below = 0.0
    for v in range(6):
        for u in range(5):
            seen = (w[v, u] * t[v, u] * e[v, u]) ** 2
            above += seen * df2
            below += seen * (e[v, u] ** 2 * n[v, u] + i[v, u]) * df2
    found = dprime_npwe(w, n, PIXEL_MM, t, eye=e, internal_nps=i)
    assert found == pytest.approx(above / np.sqrt(below))


def test_disc_is_the_transform_of_a_finely_sampled_disc():
    n, pixel_mm, d, contrast = 512, 0.1, 10.0, 3.0
    y, x = np.indices((n, n)) * pixel_mm - n * pixel_mm / 2
    disc = contrast * (np.hypot(x, y) <= d / 2)
    sampled = np.abs(image_task(disc, pixel_mm))
    closed = disc_task(d, contrast, (n, n), pixel_mm)
    low = frequency_grid((n, n), pixel_mm) < 0.5
    assert np.abs(sampled - np.abs(closed))[low].max() < 0.002 * closed.max()
    # Parseval: white noise sees the area of the disc
    energy = dprime_pw(closed, 1.0, pixel_mm) ** 2
    assert energy == pytest.approx(contrast**2 * np.pi * d**2 / 4, rel=0.01)


def test_first_zero_of_the_disc():
    """J₁ vanishes at 3.8317: a disc of 10 mm has no power at 0.12197 /mm."""
    n, pixel_mm = 1000, 10 / (1000 * 0.121967 / 10)
    task = disc_task(10.0, 1.0, (n, n), pixel_mm)
    on_axis = frequency_grid((n, n), pixel_mm)[0]
    k = np.argmin(np.abs(on_axis - 0.121967))
    assert abs(task[0, k]) < 1e-3 * task[0, 0]


def test_eye_sees_best_at_four_cycles_per_degree():
    eye = eye_filter((1, 4096), 0.2, viewing_distance_mm=400, magnification=2)
    per_mm = frequency_grid((1, 4096), 0.2)[0]
    # one degree is 400 mm π/180 on the screen, half of it in the patient
    per_degree = per_mm * np.pi / 180 * 400 / 2
    assert per_degree[np.argmax(eye[0])] == pytest.approx(4, rel=0.01)
    assert eye.max() == pytest.approx(1, abs=1e-4)
    assert eye[0, 0] == 0
    shape = per_degree**1.3 * np.exp(-(1.3 / 32) * per_degree**2)
    np.testing.assert_allclose(eye[0], shape / (4**1.3 * np.exp(-0.65)), atol=1e-12)


def test_spectra_as_functions_arrays_and_numbers(rng):
    task = disc_task(5, 10, (32, 32), PIXEL_MM)
    f = frequency_grid((32, 32), PIXEL_MM)

    def blur(f):
        return np.exp(-2 * np.pi**2 * 0.5**2 * f**2)

    by_function = dprime_npw(task, lambda f: 5 + 40 * f, PIXEL_MM, blur)
    assert by_function == dprime_npw(task, 5 + 40 * f, PIXEL_MM, blur(f))
    # blurring signal and noise alike takes nothing from the observer who undoes it
    noise = 5 + 40 * f
    same = dprime_pw(task, noise * blur(f) ** 2, PIXEL_MM, blur)
    assert same == pytest.approx(dprime_pw(task, noise, PIXEL_MM))
    assert dprime_pw(task, noise, PIXEL_MM, blur) < same


def test_area_is_phi_of_dprime_over_root_two(rng):
    for d in (0.0, 0.5, 1.5):
        counted = auc(rng.normal(d, 1, 4000), rng.normal(0, 1, 4000))
        assert counted == pytest.approx(auc_from_dprime(d), abs=0.02)
        assert dprime_from_auc(auc_from_dprime(d)) == pytest.approx(d, abs=1e-12)


def test_area_counts_every_pair(rng):
    for _ in range(20):
        present, absent = rng.integers(0, 5, 7), rng.integers(0, 4, 9)
        pairs = [(p > a) + 0.5 * (p == a) for p in present for a in absent]
        assert auc(present, absent) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(("count", "d"), [(8, 0.0), (8, 2.5), (40, 1.2)])
def test_score_interval_holds_its_level(rng, count, d):
    truth, trials = auc_from_dprime(d), 400
    found = [auc_interval(rng.normal(d, 1, count), rng.normal(0, 1, count)) for _ in range(trials)]
    held = np.mean([i.low <= truth <= i.high for i in found])
    assert 0.92 < held <= 1  # four standard errors below 95 %
    assert all(i.low <= i.auc <= i.high for i in found)
    half = auc_interval(range(3, 11), range(8), level=0.5)
    full = auc_interval(range(3, 11), range(8), level=0.95)
    assert full.low < half.low < half.high < full.high


def test_interval_mirrors_when_the_kinds_are_exchanged(rng):
    x, y = rng.normal(1, 1, 9), rng.normal(0, 1, 14)
    forward, back = auc_interval(x, y), auc_interval(y, x)
    np.testing.assert_allclose([1 - back.auc, 1 - back.high, 1 - back.low], forward, atol=1e-9)


def test_bad_input_is_refused():
    task = disc_task(5, 10, (8, 8), PIXEL_MM)
    no_mean = np.ones((8, 8))
    no_mean[0, 0] = 0
    for call, message in [
        (lambda: dprime_pw(task, no_mean, PIXEL_MM), "zero where the task has signal"),
        (lambda: dprime_npw(task, 0.0, PIXEL_MM), "infinite"),
        (lambda: dprime_npw(task, -1.0, PIXEL_MM), "not negative"),
        (lambda: dprime_npw(0 * task, 1.0, PIXEL_MM), "nothing to detect"),
        (lambda: dprime_npw(task, np.ones(8), PIXEL_MM), "function of frequency"),
        (lambda: dprime_npw(task, 1.0, 0.0), "pixel size"),
        (lambda: dprime_hotelling(np.ones(3), np.ones((3, 3))), "positive definite"),
        (lambda: dprime_hotelling(np.ones(3), np.eye(4)), "3 pixels"),
        (lambda: disc_task(-1, 1, (8, 8), 1.0), "diameter"),
        (lambda: auc([], [1.0]), "at least one"),
        (lambda: dprime_from_auc(1.0), "between 0 and 1"),
        (lambda: auc_interval([1.0], [0.0], level=95), "level"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
