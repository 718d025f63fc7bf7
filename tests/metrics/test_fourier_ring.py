"""Fourier ring correlation against its closed forms and a brute-force sum."""

import matplotlib
import numpy as np
import pytest

from ldctlib.metrics import frc, sfrc

matplotlib.use("Agg")
PIXEL_MM = 0.7


def noise(seed, shape=(128, 128)):
    return np.random.default_rng(seed).normal(0, 10, shape)


def low_passed(image, cutoff):
    """Without the frequencies above ``cutoff``, 1/mm."""
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(image.shape[-1], PIXEL_MM)] * 2))
    return np.fft.ifft2(np.fft.fft2(image) * (f < cutoff)).real


def smooth(seed, shape=(128, 128), width=0.25):
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(shape[-1], PIXEL_MM)] * 2))
    return np.fft.ifft2(np.fft.fft2(noise(seed, shape)) * np.exp(-((f / width) ** 2))).real


@pytest.mark.parametrize("hann", [True, False])
def test_images_that_differ_by_scale_and_offset_correlate_fully(hann):
    image = noise(0)
    found = frc(3 * image - 700, image, PIXEL_MM, hann=hann)
    np.testing.assert_allclose(found.values, 1, atol=1e-9)
    np.testing.assert_allclose(frc(-image, image, PIXEL_MM, hann=hann).values, -1, atol=1e-9)
    assert found.crossing() == found.frequencies[-1] == pytest.approx(0.5 / PIXEL_MM, rel=0.01)


def test_equals_the_sums_over_rings_by_hand():
    test, reference = noise(1, (16, 16)), noise(2, (16, 16)) + noise(1, (16, 16))
    window = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)] * 2)
    f, g = (np.fft.fft2((x - x.mean()) * window) for x in (test, reference))
    index = np.fft.fftfreq(16, 1 / 16)
    found = frc(test, reference, PIXEL_MM)
    assert len(found.values) == 8
    for i in range(8):
        ring = [
            (a, b)
            for a in range(16)
            for b in range(16)
            if round(np.hypot(index[a], index[b])) == i + 1
        ]
        both = sum(f[k] * np.conj(g[k]) for k in ring)
        powers = sum(abs(f[k]) ** 2 for k in ring) * sum(abs(g[k]) ** 2 for k in ring)
        assert abs(both.imag) < 1e-9 * abs(both)
        assert found.values[i] == pytest.approx(both.real / np.sqrt(powers))
        assert found.counts[i] == len(ring)
        radius = np.mean([np.hypot(index[a], index[b]) for a, b in ring])
        assert found.frequencies[i] == pytest.approx(radius / 16 / PIXEL_MM)


@pytest.mark.parametrize(("hann", "factor"), [(False, 1.0), (True, 1.39)])
def test_independent_images_scatter_about_zero(hann, factor):
    """By 1 / sqrt(n); a Hann window correlates those along a ring: sqrt(35/128) / (3/8)."""
    found = [frc(noise(2 * s), noise(2 * s + 1), PIXEL_MM, hann=hann) for s in range(40)]
    scatter = np.array([each.values / each.noise_level for each in found])[:, 8:]
    assert scatter.std() == pytest.approx(factor, rel=0.06)
    assert scatter.mean() == pytest.approx(0, abs=3 * factor / np.sqrt(scatter.size))


def test_a_low_pass_copy_drops_at_its_cutoff():
    image = noise(3)
    found = frc(low_passed(image, 0.3), image, PIXEL_MM, hann=False)
    step = 1 / (128 * PIXEL_MM)
    np.testing.assert_allclose(found.values[found.frequencies < 0.3 - step], 1, atol=1e-9)
    beyond = found.frequencies > 0.3 + step  # where only rounding is left
    assert (np.abs(found.values) < 4 * found.noise_level)[beyond].all()
    assert found.crossing() == pytest.approx(0.3, abs=step)
    windowed = frc(low_passed(image, 0.3) + 1e-3 * noise(4), image, PIXEL_MM)
    assert windowed.crossing() == pytest.approx(0.3, abs=2 * step)


def test_independent_noise_gives_snr_over_one_plus_snr():
    signal = np.stack([smooth(s) for s in range(30)])
    first, second = (signal + 2 * noise(seed, signal.shape) / 10 for seed in (100, 101))
    found = frc(first, second, PIXEL_MM, hann=False)
    snr = 25 * np.exp(-2 * (found.frequencies / 0.25) ** 2)
    np.testing.assert_allclose(found.values, snr / (1 + snr), atol=0.03)
    scatter = (found.values - snr / (1 + snr)) / found.noise_level
    assert scatter.std() < 1.2
    assert found.counts.sum() == pytest.approx(30 * np.pi * 64**2, rel=0.03)


def test_oblong_slices_are_cut_to_their_middle():
    test, reference = noise(5, (2, 60, 90)), noise(5, (2, 60, 90)) + noise(6, (2, 60, 90))
    middle = slice(15, 75)
    whole, cut = (
        frc(a, b, PIXEL_MM)
        for a, b in [(test, reference), (test[:, :, middle], reference[:, :, middle])]
    )
    np.testing.assert_array_equal(whole.values, cut.values)


def test_scanning_finds_where_detail_was_lost_and_where_it_was_invented():
    reference = np.concatenate([noise(7, (1, 192, 192)), noise(8, (1, 192, 192))])
    test = reference + 0.3 * noise(9, reference.shape)
    limit = 0.9 * sfrc(test, reference, PIXEL_MM, patch=48).crossings.min()
    test[0, 96:144, 24:72] = 6 * smooth(10, (48, 48), 0.2)  # something else altogether
    test[1, 0:48, 120:168] = low_passed(reference[1, 0:48, 120:168], 0.2)
    found = sfrc(test, reference, PIXEL_MM, patch=48)
    assert found.crossings.shape == (2, 7, 7)
    assert found.rows.tolist() == found.columns.tolist() == list(range(0, 145, 24))
    flags = found.flags(limit)
    assert flags[0, 4, 1]
    assert flags[1, 0, 5]
    distant = np.ones_like(flags)
    distant[0, 3:6, 0:3] = distant[1, 0:2, 4:7] = False
    assert not flags[distant].any()
    assert found.crossings[0, 4, 1] < 0.1
    assert found.crossings[1, 0, 5] == pytest.approx(0.2, abs=0.04)
    mean = found.map((192, 192))
    assert mean[0, 120, 48] < 0.3
    assert mean[0, 20, 160] == mean[0].max() == pytest.approx(0.5 / PIXEL_MM, rel=1e-3)


def test_a_patch_alone_has_the_crossing_of_frc():
    test, reference = noise(11, (80, 80)) + 2 * smooth(12, (80, 80)), 2 * smooth(12, (80, 80))
    found = sfrc(test, reference, PIXEL_MM, patch=32, stride=48)
    assert found.crossings.shape == (1, 2, 2)
    corner = frc(test[48:, 48:], reference[48:, 48:], PIXEL_MM).crossing()
    assert found.crossings[0, 1, 1] == pytest.approx(corner)


def test_air_is_left_out():
    reference = noise(13, (1, 64, 128))
    reference[:, :, :64] -= 1000
    found = sfrc(reference + noise(14, reference.shape), reference, PIXEL_MM, patch=32)
    assert np.isnan(found.crossings[0, :, :3]).all()
    assert np.isfinite(found.crossings[0, :, 4:]).all()
    assert not found.flags(np.inf)[0, :, :3].any()
    assert np.isnan(found.map((64, 128))[0, :, :48]).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="one grid"):
        frc(noise(0), noise(0, (64, 64)), PIXEL_MM)
    with pytest.raises(ValueError, match="at least 16 x 16"):
        frc(noise(0, (8, 8)), noise(1, (8, 8)), PIXEL_MM)
    with pytest.raises(ValueError, match="Patches of 256 pixels"):
        sfrc(noise(0), noise(1), PIXEL_MM, patch=256)


def test_an_empty_image_correlates_with_nothing():
    assert frc(np.zeros((32, 32)), noise(0, (32, 32)), PIXEL_MM).values.tolist() == [0.0] * 16


def test_plots():
    test = smooth(1) + noise(2)
    found = frc(test, smooth(1), PIXEL_MM, name="low")
    ax = found.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.values)
    assert ax.lines[1].get_ydata()[0] == 0.5
    patches = sfrc(test, smooth(1), PIXEL_MM, patch=32)
    ax = patches.plot(limit=0.2)
    heights = ax.patches[0].get_path().vertices[:, 1]
    assert heights.max() >= patches.crossings.size / 40
    assert ax.get_ylabel() == "patches"
    matplotlib.pyplot.close("all")
