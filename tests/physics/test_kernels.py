"""Kernels: modulations in 1/mm, the same on every detector that is fine enough."""

import numpy as np
import pytest
import torch
from fan_beams import SOFT, fine, small

from ldctlib.physics import KERNELS, FanBeam, Kernel, fbp
from ldctlib.physics.filtering import (
    FINER,
    filter_views,
    filter_views_transposed,
    fine_channels,
    response,
)
from ldctlib.physics.kernels import kernel_for, kernel_name, kernel_of

# 50 % and 10 % of the modulation, in 1/mm
STATED = {"soft": (0.30, 0.48), "standard": (0.35, 0.56), "sharp": (0.43, 0.60),
          "lung": (0.55, 0.64)}  # fmt: skip


@pytest.mark.parametrize(("name", "stated"), STATED.items())
def test_kernels_have_the_sharpness_that_is_stated(name, stated):
    """By bisection of the formula, from the side where nothing passes."""
    kernel = KERNELS[name]
    for level, frequency, found in zip((0.5, 0.1), stated, (kernel.f50, kernel.f10), strict=True):
        low, high = 0.9 * frequency, kernel.cutoff_per_mm
        for _ in range(40):
            middle = (low + high) / 2
            r = middle / kernel.cutoff_per_mm
            value = 0.5 * (1 + np.cos(np.pi * r)) * (1 + kernel.boost * r**2)
            low, high = (middle, high) if value >= level else (low, middle)
        assert found == pytest.approx(low, abs=1e-4)
        assert found == pytest.approx(frequency, abs=0.006)


def test_window_formulas():
    f = np.array([0.0, 0.25, 0.5])
    assert Kernel("hamming", 0.5)(f) == pytest.approx([1, 0.54, 0.08])
    assert Kernel("cosine", 1.0)(f) == pytest.approx(np.cos(np.pi * f / 2))
    assert Kernel("shepp-logan", 1.0)(f[1:]) == pytest.approx(
        np.sin(np.pi * f[1:] / 2) / (np.pi * f[1:] / 2)
    )
    assert Kernel("ram-lak", 0.3)(f).tolist() == [1, 1, 0]
    assert Kernel("ram-lak", 0.5, boost=2.0)(-f) == pytest.approx([1, 1.5, 3])


def test_kernels_by_name_or_by_themselves():
    own = Kernel("cosine", 0.5)
    assert kernel_of("sharp") is KERNELS["sharp"]
    assert kernel_of(own) is own
    assert kernel_name(Kernel("hann", 0.7, boost=1.5)) == "sharp"
    assert kernel_name(own) == repr(own)


def test_what_is_no_kernel_is_refused():
    with pytest.raises(ValueError, match="soft, standard, sharp, lung"):
        kernel_of("hann")
    with pytest.raises(ValueError, match="window"):
        Kernel("gauss", 0.5)
    for cutoff in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="cutoff"):
            Kernel("hann", cutoff)


def test_a_detector_too_coarse_is_refused():
    """Channels of the Siemens scanner sample up to 0.709 /mm, twice as wide ones half of it."""
    siemens = FanBeam.siemens()
    edge = 1085.6 / (2 * 1.2858 * 595)
    assert kernel_for(Kernel("hann", edge), siemens).cutoff_per_mm == edge
    with pytest.raises(ValueError, match=r"up to 0\.709 /mm"):
        kernel_for(Kernel("hann", 1.01 * edge), siemens)
    with pytest.raises(ValueError, match="softer kernel"):
        fbp(torch.zeros(90, 70), small(), "soft")


def test_the_ramp_is_a_ramp():
    """|f| times the kernel, on samples that become finer, whose interpolation is undone."""
    geometry = FanBeam.siemens()
    found = response(Kernel("ram-lak", 0.7), geometry) * geometry.channel_rad / geometry.view_rad
    r = np.linspace(0, 1, len(found))
    expected = r / 4 * geometry.channel_rad / np.sinc(r / 2 / FINER) ** 2
    inside = (r > 0.02) & (r * geometry.nyquist_per_mm < 0.699)
    ratio = found[inside] / expected[inside]
    assert ratio / ratio.mean() == pytest.approx(1, abs=0.02)
    assert (found[r * geometry.nyquist_per_mm > 0.701] == 0).all()
    assert 0 <= found[0] < 1e-2 * found.max()


@pytest.mark.parametrize("channels", [70, 71])
def test_the_transposed_filter_is_the_adjoint(channels):
    geometry = small(channels=channels)
    spectrum = torch.from_numpy(response(SOFT, geometry))
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, channels, generator=random, dtype=torch.float64)
    y = torch.randn(3, 5, fine_channels(geometry), generator=random, dtype=torch.float64)
    forward = (filter_views(x, spectrum) * y).sum()
    backward = (x * filter_views_transposed(y, spectrum, channels)).sum()
    assert float(forward / backward) == pytest.approx(1, abs=1e-12)


def test_filtered_views_pass_through_the_filtered_channels():
    """Every second sample is what the plain filter gives; those between are band-limited."""
    geometry = fine(channels=64)
    spectrum = response(KERNELS["soft"], geometry)
    view = np.random.default_rng(0).normal(size=64)
    kernel = np.fft.irfft(spectrum)
    plain = np.convolve(view, np.fft.fftshift(kernel))[len(kernel) // 2 :][:64]
    found = filter_views(torch.from_numpy(view), torch.from_numpy(spectrum)).numpy()
    assert found[::FINER] == pytest.approx(plain, abs=1e-9 * np.abs(plain).max())
