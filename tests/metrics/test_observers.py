"""The channelised observer against known covariances; its intervals against simulation."""

import os

import numpy as np
import pytest

from ldctlib.metrics import (
    auc_from_dprime,
    cho,
    cho_split,
    difference_of_gaussians_channels,
    disc_task,
    dprime_hotelling,
    dprime_pw,
    frequency_grid,
    gabor_channels,
    laguerre_gauss_channels,
    low_contrast_table,
)
from ldctlib.scans import mita_lcd

SIDE = 16
Y, X = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
DISC = 4.0 * (np.hypot(Y, X) < 3)
FILTER = np.exp(-((frequency_grid((SIDE, SIDE), 1.0) - 0.2) ** 2) / 0.02) + 0.2


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def noise(rng, count):
    """Images of stationary noise with a known covariance (10 HU² times that of the filter)."""
    white = rng.normal(0, 10, (count, SIDE, SIDE))
    return np.fft.ifft2(np.fft.fft2(white) * FILTER).real


@pytest.fixture(scope="module")
def covariance():
    rows = np.fft.ifft2(100 * FILTER**2).real
    pixels = np.indices((SIDE, SIDE)).reshape(2, -1)
    apart = (pixels[:, :, None] - pixels[:, None, :]) % SIDE
    return rows[apart[0], apart[1]]


@pytest.mark.parametrize(
    "channels",
    [
        laguerre_gauss_channels((SIDE, SIDE), 6.0),
        gabor_channels((SIDE, SIDE), bands=2, orientations=3),
        difference_of_gaussians_channels((SIDE, SIDE), "sparse"),
        DISC[None],
    ],
    ids=["laguerre-gauss", "gabor", "sparse", "signal"],
)
def test_known_covariance(rng, covariance, channels):
    u = channels.reshape(len(channels), -1).T
    delta = u.T @ DISC.ravel()
    truth = np.sqrt(delta @ np.linalg.solve(u.T @ covariance @ u, delta))
    found = cho(noise(rng, 3000) + DISC, noise(rng, 3000), channels)
    assert found.dprime == pytest.approx(truth, abs=4 * np.sqrt(2 / 3000) * (1 + truth))
    assert found.low <= auc_from_dprime(found.dprime) == found.auc <= found.high
    assert truth <= dprime_hotelling(DISC, covariance)
    split = cho_split(noise(rng, 3000) + DISC, noise(rng, 3000), channels)
    assert split.dprime == pytest.approx(truth, abs=8 * np.sqrt(2 / 3000) * (1 + truth))
    assert split.auc == pytest.approx(auc_from_dprime(truth), abs=0.03)


def test_every_pixel_a_channel_is_the_hotelling_observer(rng):
    side = slice(5, 9)
    channels = np.eye(16).reshape(16, 4, 4)
    pixels = noise(rng, 8000)[:, side, side]
    k = np.cov(pixels.reshape(8000, -1).T)
    found = cho(noise(rng, 8000)[:, side, side] + DISC[side, side], pixels, channels)
    assert found.dprime == pytest.approx(dprime_hotelling(DISC[side, side], k), rel=0.08)


@pytest.mark.parametrize(("d", "present", "absent"), [(0.7, 10, 40), (2.5, 10, 10), (1.5, 25, 25)])
def test_exact_interval_holds_its_level_and_the_estimate_is_the_median(rng, d, present, absent):
    """Five channels with random correlations; four standard errors of 500 trials are 4 to 9 %."""
    mix, trials, truth = rng.normal(size=(5, 5)), 500, auc_from_dprime(d)
    shift = mix[0] * d
    channels = np.eye(5).reshape(5, 1, 5)
    held = below = 0
    for _ in range(trials):
        v1 = rng.normal(size=(present, 5)) @ mix + shift
        v0 = rng.normal(size=(absent, 5)) @ mix
        found = cho(v1[:, None], v0[:, None], channels)
        held += found.low <= truth <= found.high
        below += found.dprime <= d
    assert held / trials == pytest.approx(0.95, abs=0.04)
    assert below / trials == pytest.approx(0.5, abs=0.09)


def test_split_does_not_find_a_signal_that_is_not_there(rng):
    """Judged on the images that trained it the same observer would find one."""
    channels, tested, same = np.eye(8).reshape(8, 1, 8), [], []
    for k in range(300):
        v1, v0 = rng.normal(size=(2, 20, 8))
        tested.append(cho_split(v1[:, None], v0[:, None], channels, seed=k).auc)
        template = np.linalg.solve(np.cov(np.r_[v1, v0].T), v1.mean(0) - v0.mean(0))
        same.append(np.mean((v1 @ template)[:, None] > (v0 @ template)[None]))
    assert np.mean(tested) == pytest.approx(0.5, abs=0.03)
    assert np.mean(same) > 0.7


def test_internal_noise(rng):
    channels = laguerre_gauss_channels((SIDE, SIDE), 6.0)
    present, absent = noise(rng, 1500) + DISC, noise(rng, 1500)
    plain, noisy = (cho(present, absent, channels, internal_noise=k) for k in (0.0, 1.0))
    assert noisy.dprime == pytest.approx(plain.dprime / np.sqrt(2))
    assert noisy.high < plain.high
    drawn = cho_split(present, absent, channels, internal_noise=1.0, seed=4)
    assert drawn.dprime == pytest.approx(noisy.dprime, abs=0.25)
    assert drawn == cho_split(present, absent, channels, internal_noise=1.0, seed=4)


def test_rotation_and_channel_scale_change_nothing(rng):
    channels = laguerre_gauss_channels((SIDE, SIDE), 6.0)
    present, absent = noise(rng, 40) + DISC, noise(rng, 40)
    found = cho(present, absent, channels)
    turned = cho(np.rot90(present, axes=(1, 2)), np.rot90(absent, axes=(1, 2)), channels)
    scaled = cho(3 * present, 3 * absent, channels * np.arange(1, 6)[:, None, None])
    for other in (turned, scaled):
        np.testing.assert_allclose(other[:4], found[:4], rtol=1e-7)


def test_laguerre_gauss_channels_are_round_and_orthonormal():
    u = laguerre_gauss_channels((65, 65), 12.0)
    np.testing.assert_allclose(np.tensordot(u, u, ((1, 2), (1, 2))), np.eye(5), atol=1e-6)
    # 5² = 3² + 4²: pixels at one radius, not related by a symmetry of the grid
    np.testing.assert_allclose(u[:, 32, 32 + 25], u[:, 32 + 15, 32 + 20], atol=1e-15)
    # radial profile of channel 1 has its zero where L₁ has: 2π r²/a² = 1
    r0 = 12 / np.sqrt(2 * np.pi)
    assert u[1, 32, 32 + int(r0)] > 0 > u[1, 32, 32 + int(r0) + 1]


def test_gabor_channels_have_their_frequency_and_direction():
    u = gabor_channels((128, 128), bands=2, orientations=4)
    power = np.abs(np.fft.fft2(u)) ** 2
    f = np.fft.fftfreq(128)
    for k, (centre, angle) in enumerate(
        (c, a) for c in (3 / 32, 3 / 64) for a in np.arange(4) * np.pi / 4
    ):
        v, w = np.unravel_index(power[k].argmax(), (128, 128))
        assert np.hypot(f[v], f[w]) == pytest.approx(centre, abs=0.01)
        assert np.arctan2(f[v], f[w]) % np.pi == pytest.approx(angle, abs=0.1)
    # an octave wide: half the amplitude at the edges of the band
    along = np.abs(np.fft.fft2(u[0]))[0]
    edge = np.interp([1 / 16, 1 / 8], f[:64], along[:64]) / along[:64].max()
    np.testing.assert_allclose(edge, 0.5, atol=0.02)


@pytest.mark.parametrize(("kind", "count"), [("dense", 10), ("sparse", 3)])
def test_difference_of_gaussians_have_their_spectrum(kind, count):
    u = difference_of_gaussians_channels((65, 65), kind)
    assert len(u) == count
    spectrum = np.fft.fft2(np.fft.ifftshift(u, axes=(1, 2)))
    assert np.abs(spectrum.imag).max() < 1e-12
    f = frequency_grid((65, 65), 1.0)
    s = {"dense": 0.005 * 1.4**2, "sparse": 0.015 * 2**2}[kind]
    q = {"dense": 1.67, "sparse": 2.0}[kind]
    third = np.exp(-0.5 * (f / (q * s)) ** 2) - np.exp(-0.5 * (f / s) ** 2)
    np.testing.assert_allclose(spectrum[2].real, third, atol=1e-12)
    even = difference_of_gaussians_channels((64, 64), kind)
    np.testing.assert_allclose(even, even[:, ::-1], atol=1e-15)


def test_bad_input_is_refused(rng):
    images, channels = rng.normal(size=(4, SIDE, SIDE)), laguerre_gauss_channels((SIDE, SIDE), 6.0)
    for call, message in [
        (lambda: cho(images[:3], images[:3], channels), "too few for 5 channels"),
        (lambda: cho(images, images, np.r_[channels[:2], channels[:1]]), "not independent"),
        (lambda: cho(images[:, :8], images, channels), "one size"),
        (lambda: cho(images * np.nan, images, channels), "finite"),
        (lambda: cho(images, images, channels, internal_noise=-1), "Internal noise"),
        (lambda: cho_split(images, images, channels, train=0.1), "too few to train"),
        (lambda: cho_split(images, images, channels, train=1.0), r"in \(0, 1\)"),
        (lambda: laguerre_gauss_channels((8, 8), 0), "width_px"),
        (lambda: difference_of_gaussians_channels((8, 8), "medium"), "dense or sparse"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("LDCTLIB_DATA_DIR"),
    reason="needs the MITA-LCD images: set LDCTLIB_DATA_DIR to the folder of the data sets",
)
def test_observer_on_real_images_agrees_with_the_spectrum_of_their_noise():
    """FBP is linear: the Fourier d' of the discs predicts what the channelised observer finds."""
    agree = 0
    for dose in (10, 55, 100):
        images = mita_lcd("fbp", dose)
        f = frequency_grid((64, 64), images.pixel_mm)
        for row in low_contrast_table(["fbp"], [dose]):
            absent = images.patches(row["insert"])[1]
            window = np.outer(np.hanning(64), np.hanning(64))
            window *= images.pixel_mm / 64 / np.sqrt(np.mean(window**2))
            power = (np.abs(np.fft.fft2((absent - absent.mean(0)) * window)) ** 2).mean(0)
            ring = np.digitize(f, np.arange(0, 1.2, 0.025))
            smooth = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()).clip(1)
            insert = images.inserts[row["insert"]]
            task = disc_task(insert.diameter_mm, insert.contrast_hu, (64, 64), images.pixel_mm)
            predicted = auc_from_dprime(dprime_pw(task, smooth[ring], images.pixel_mm))
            agree += row["low"] <= predicted <= row["high"]
    assert agree >= 10  # of 12 intervals of 95 %
