"""The noise power spectrum against white, filtered and reconstructed noise."""

import matplotlib
import numpy as np
import pytest
import torch

from ldctlib.metrics import nps
from ldctlib.physics import KERNELS, FanBeam, fbp

matplotlib.use("Agg")
PIXEL_MM = 0.6


def filtered_noise(count, size=64, sigma=10.0, seed=0):
    """White noise through a periodic band-pass, and the spectrum that it must have."""
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, PIXEL_MM)] * 2))
    response = f * np.exp(-((f / 0.35) ** 2))
    white = np.random.default_rng(seed).normal(0, sigma, (count, size, size))
    noise = np.fft.ifft2(np.fft.fft2(white) * response).real
    return noise, np.fft.fftshift((sigma * PIXEL_MM * response) ** 2)


def test_white_noise_is_flat():
    noise = np.random.default_rng(1).normal(7, 12, (200, 32, 32))
    found = nps(noise - 7, PIXEL_MM, background="none")
    expected = 144 * PIXEL_MM**2
    assert found.regions == 200
    np.testing.assert_allclose(found.spectrum, expected, rtol=0.45)
    np.testing.assert_allclose(found.values, expected, rtol=0.06)
    assert found.spectrum.mean() == pytest.approx(expected, rel=0.01)


def test_parseval():
    images = np.random.default_rng(2).normal(size=(3, 40, 40)).cumsum(1)
    found = nps(images, PIXEL_MM, background="none")
    assert found.variance_hu2 == pytest.approx((images**2).mean(), rel=1e-12)
    step = found.axis[1] - found.axis[0]
    assert found.variance_hu2 == pytest.approx(found.spectrum.sum() * step**2)


def test_filtered_noise_has_the_spectrum_of_its_filter():
    noise, expected = filtered_noise(400)
    found = nps(noise, PIXEL_MM, background="none")
    np.testing.assert_allclose(found.spectrum, expected, rtol=0.3, atol=1e-3 * expected.max())
    f = found.frequencies
    radial = (10 * PIXEL_MM * f * np.exp(-((f / 0.35) ** 2))) ** 2
    np.testing.assert_allclose(found.values, radial, rtol=0.06, atol=0.02 * radial.max())
    # f² exp(-2 f² / c²) is largest at c / sqrt(2), and its mean frequency is c sqrt(2 / pi)
    assert found.peak_frequency == pytest.approx(0.35 / np.sqrt(2), rel=0.06)
    assert found.mean_frequency == pytest.approx(0.35 * np.sqrt(2 / np.pi), rel=0.02)


def test_radial_values_are_means_over_rings_by_hand():
    image = np.random.default_rng(3).normal(size=(24, 24))
    found = nps(image, PIXEL_MM, background="none")
    side = 24 * PIXEL_MM
    for i, (frequency, value) in enumerate(zip(found.frequencies, found.values, strict=True)):
        ring = [
            (np.hypot(u, v) / side, found.spectrum[12 + u, 12 + v])
            for u in range(-12, 12)
            for v in range(-12, 12)
            if abs(np.hypot(u, v) - (i + 1)) < 0.5
        ]
        assert np.mean(ring, 0).tolist() == pytest.approx([frequency, value])


@pytest.mark.parametrize("background", ["pairs", "mean"])
def test_repeats_take_the_object_off(background):
    noise, expected = filtered_noise(200, seed=4)
    y, x = np.mgrid[:64, :64]
    anatomy = 300 * np.hypot(y - 20, x - 40) + 500 * (x > 30)
    found = nps(noise + anatomy, PIXEL_MM, background=background)
    assert found.spectrum.sum() == pytest.approx(expected.sum(), rel=0.02)
    assert found.regions == (100 if background == "pairs" else 200)
    plain = nps(noise + anatomy, PIXEL_MM, background="polynomial")
    assert plain.spectrum.sum() > 100 * expected.sum()


def test_a_polynomial_takes_cupping_off_and_little_noise():
    noise, expected = filtered_noise(60, seed=5)
    y, x = np.mgrid[:64, :64] / 64
    cupped = noise + 40 + 30 * x - 20 * y + 50 * x * y - 80 * (x - 0.4) ** 2
    found = nps(cupped, PIXEL_MM)
    assert found.variance_hu2 == pytest.approx(expected.sum() / (64 * PIXEL_MM) ** 2, rel=0.02)
    np.testing.assert_allclose(found.spectrum, nps(noise, PIXEL_MM).spectrum, atol=1e-9)
    white = np.random.default_rng(6).normal(size=(300, 16, 16))
    kept = nps(white, PIXEL_MM).variance_hu2  # 6 of 256 degrees of freedom are fitted
    assert kept == pytest.approx(1 - 6 / 256, abs=0.012)


def test_squares_of_a_larger_image():
    noise = np.random.default_rng(7).normal(0, 5, (4, 100, 70))
    found = nps(noise, PIXEL_MM, size=32, background="none")
    assert found.spectrum.shape == (32, 32)
    assert found.regions == 4 * 6 * 4
    assert found.variance_hu2 == pytest.approx(25, rel=0.03)


def noise_of_power(kernel, count, generator):
    """Noise whose power is |f| W(f)², at points 0.7 mm apart, cut out of a larger periodic one."""
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(256, 0.7)] * 2))
    response = np.sqrt(f) * kernel(f) / 0.7
    for _ in range(count):
        white = np.fft.fft2(generator.normal(size=(256, 256)))
        whole = np.fft.ifft2(white * response).real
        yield from (whole[y : y + 48, x : x + 48] for y in (0, 80, 160) for x in (0, 80, 160))


@pytest.mark.parametrize("kernel", ["soft", "standard", "sharp"])
def test_noise_of_a_reconstruction_is_ramp_times_kernel(kernel):
    """Of white noise s in line integrals, around the axis: s² a dbeta / 2 |f| W(f)².

    A square of 48 pixels smears its spectrum, so noise of that power is measured likewise; the
    source is far away, so that frequencies are the same on both sides of the axis.
    """
    geometry = FanBeam(48, 0.7, 240, 120, 2380.0, 4342.4, 1.2858, offset=0.25)
    channel_mm, sigma = geometry.channel_rad * geometry.sod_mm, 0.01
    random, parts = np.random.default_rng(8), []
    for _ in range(8):
        lines = random.normal(0, sigma, (100, *geometry.sinogram_shape)).astype(np.float32)
        parts.append(fbp(torch.from_numpy(lines), geometry, kernel).numpy())
    measured = nps(np.concatenate(parts), 0.7, background="none")
    twin = np.stack(list(noise_of_power(KERNELS[kernel], 120, random)))
    expected = nps(twin, 0.7, background="none").values
    expected = expected * sigma**2 * channel_mm * geometry.view_rad / 2
    f = measured.frequencies
    # below, a ring has too few frequencies: repeats differ by 2 to 4 %
    inside = (f > 0.1) & (f < 0.8 * KERNELS[kernel].cutoff_per_mm)
    assert inside.sum() >= 12
    np.testing.assert_allclose(measured.values[inside], expected[inside], rtol=0.05)


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        (np.zeros((3, 32, 32)), {"background": "pairs"}, "even number of images, not 3"),
        (np.zeros((32, 32)), {"background": "mean"}, "two repeats"),
        (np.zeros((32, 32)), {"background": "median"}, "not 'median'"),
        (np.zeros((32, 32)), {"size": 40}, "Squares of 40 x 40"),
        (np.full((32, 32), np.inf), {}, "finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(images, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        nps(images, PIXEL_MM, **options)


def test_plot():
    found = nps(filtered_noise(4)[0], PIXEL_MM, name="FBP")
    ax = found.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.values)
    assert ax.get_legend().get_texts()[0].get_text() == "FBP"
    matplotlib.pyplot.close("all")
