"""Channels of a channelised observer: a few templates through which it sees an image.

Every function returns (C, H, W), centred on the middle of the image, (H - 1)/2 and (W - 1)/2: the
signal has to be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import eval_laguerre


def laguerre_gauss_channels(
    shape: tuple[int, int], width_px: float, channels: int = 5
) -> np.ndarray:
    """Rotationally symmetric channels for a signal of known place and no orientation.

    u_j(r) = √2/a exp(-π r²/a²) L_j(2π r²/a²), orthonormal over the plane.

    Args:
        shape: (H, W), several times the width so that the channels have decayed at the edge.
        width_px: a, about the diameter of the signal.
        channels: how many, j = 0, 1, …

    Source: Gallas and Barrett, J. Opt. Soc. Am. A 20, 1725 (2003), doi:10.1364/JOSAA.20.001725.

    >>> u = laguerre_gauss_channels((64, 64), 12.0).reshape(5, -1)
    >>> bool(np.allclose(u @ u.T, np.eye(5), atol=1e-6))
    True
    """
    _positive(width_px=width_px, channels=channels)
    y, x = _offsets(shape)
    q = np.pi * (x**2 + y**2) / width_px**2
    envelope = np.sqrt(2) / width_px * np.exp(-q)
    return np.stack([envelope * eval_laguerre(j, 2 * q) for j in range(channels)])


def gabor_channels(
    shape: tuple[int, int],
    *,
    bands: int = 4,
    orientations: int = 4,
    phases: Sequence[float] = (0.0,),
    highest: float = 1 / 8,
) -> np.ndarray:
    """Gratings under a Gaussian, one octave wide each, like receptive fields of the visual cortex.

    Args:
        shape: (H, W).
        bands: number of octaves, downwards from ``highest``.
        orientations: number of directions over 180°.
        phases: in rad; 0 is the even channel.
        highest: upper end of the highest octave in cycles per pixel.

    Source: Eckstein et al., Opt. Express 11, 460 (2003), doi:10.1364/OE.11.000460.

    >>> gabor_channels((32, 32)).shape
    (16, 32, 32)
    """
    _positive(bands=bands, orientations=orientations, highest=highest)
    y, x = _offsets(shape)
    found = []
    for band in range(bands):
        upper = highest / 2**band
        centre, octave = 0.75 * upper, upper / 2
        # full width at half maximum in space of a Gaussian that has ``octave`` in frequency
        fwhm = 4 * np.log(2) / (np.pi * octave)
        envelope = np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)
        for angle in np.arange(orientations) * np.pi / orientations:
            wave = 2 * np.pi * centre * (x * np.cos(angle) + y * np.sin(angle))
            found += [envelope * np.cos(wave + phase) for phase in phases]
    return np.stack(found)


def difference_of_gaussians_channels(
    shape: tuple[int, int], kind: Literal["dense", "sparse"] = "dense"
) -> np.ndarray:
    """Rotationally symmetric band-passes, differences of two Gaussians in frequency.

    C_j(f) = exp(-½ (f / Q σ_j)²) - exp(-½ (f / σ_j)²) with σ_j = σ₀ α^j in cycles per pixel: dense
    are 10 channels (σ₀ 0.005, α 1.4, Q 1.67), sparse are 3 (0.015, 2, 2). None of them sees the
    mean. A small image samples the lowest channels coarsely: take 64 pixels or more for dense.

    Args:
        shape: (H, W).
        kind: "dense" or "sparse".

    Source: Abbey and Barrett, J. Opt. Soc. Am. A 18, 473 (2001), doi:10.1364/JOSAA.18.000473.

    >>> bool(abs(difference_of_gaussians_channels((64, 64)).sum(axis=(1, 2))).max() < 1e-12)
    True
    """
    settings = {"dense": (0.005, 1.4, 1.67, 10), "sparse": (0.015, 2.0, 2.0, 3)}
    if kind not in settings:
        raise ValueError(f"Difference-of-Gaussians channels are dense or sparse, not {kind!r}.")
    first, ratio, q, channels = settings[kind]
    v, u = (np.fft.fftfreq(n) for n in shape)
    f2 = u[None, :] ** 2 + v[:, None] ** 2
    sigma = first * ratio ** np.arange(channels)[:, None, None]
    bands = np.exp(-f2 / (2 * (q * sigma) ** 2)) - np.exp(-f2 / (2 * sigma**2))
    y, x = _offsets(shape)
    # the inverse transform of a spectrum that is even in both directions, about the middle
    down, across = np.cos(2 * np.pi * y * v[None, :]), np.cos(2 * np.pi * x.T * u[None, :])
    return np.asarray(down @ bands @ across.T / f2.size)


def _offsets(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Distance (y, x) in pixels from the middle of the image."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    return y[:, None], x[None, :]


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} of the channels is positive, not {value}.")
