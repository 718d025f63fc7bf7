"""Mean error of every segment in units of its standard error: what noise alone cannot explain.

CT noise is coloured: neighbouring pixels err together, so the mean over n pixels varies more (or,
over a large segment, less) than sigma / sqrt(n). Its exact standard error follows from the noise's
autocorrelation r and the shape of the segment s,

    var(mean over s) = sigma^2 rho_s / n_s,    rho_s = sum over pixels i, j of s of r(i - j) / n_s,

where rho_s is the correlation area in pixels: 1 for white noise, and for a segment much larger
than the noise's grain the sum of r over all distances.
"""

from __future__ import annotations

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics._segment_sums import difference_sums
from ldctlib.metrics.residual_noise import (
    LEAST_AREA_PX,
    correlation_areas,
    local_noise,
    noise_autocorrelation,
)


def standardised_bias(
    test: np.ndarray,
    reference: np.ndarray,
    masks: Masks,
    *,
    sigma_hu: float | np.ndarray | None = None,
    correlation_px: float | np.ndarray | None = None,
) -> np.ndarray:
    """Mean error of every segment over its standard error: mean_s(x - y) sqrt(n_s/rho_s) / sigma.

    Where the two images differ by noise alone, z is standard normal. What is not given is
    estimated from the residual x - y itself (see `local_noise` and `noise_autocorrelation`), so
    the noise of the reference is counted too. Slices are taken as independent: over masks that go
    through several thin slices of one reconstruction, z comes out somewhat too large.

    Measured on noise of filtered back-projection with sigma and r estimated: discs of 2, 4 and 8
    pixels radius have a variance of z of 1.01, 1.02 and 1.00 where the level is the same
    everywhere, and of 1.04 to 1.09 in a disc of water, at the rim of which it is a quarter lower
    than in the middle: the local level is one number for 64 x 64 pixels. Over masks nearly as
    large as those, the sum of r is hardly known, and z may come out too small or too large.

    Args:
        test: volume (Z, H, W) in HU, or an image (H, W) if the masks lie on one slice.
        reference: the truth, same shape.
        masks: S segments on the same grid.
        sigma_hu: standard deviation of the noise in x - y: a number, one a segment (S,), or a map
            like the images, of which a segment gets its root mean square; if None, the local
            noise of the residual around each segment.
        correlation_px: area in pixels over which the noise is correlated: 1 is white, and A means
            r(d) = exp(-pi d^2 / A); or a table of r, (2K + 1, 2K + 1) with r = 1 in its centre; if
            None, the table measured on the residual.

    Returns:
        (S,) z; positive where the test image is brighter.

    Raises:
        ValueError: shapes differ, a segment is empty, a value is not finite, or there is no noise
            to estimate anything from.

    >>> square = np.zeros((64, 64), bool); square[20:30, 20:30] = True
    >>> masks = Masks.from_slices([(0, square)], (1, 64, 64))
    >>> standardised_bias(np.full((64, 64), 2.0), np.zeros((64, 64)), masks, sigma_hu=10,
    ...                   correlation_px=1).round(6).tolist()
    [2.0]
    """
    totals, _ = difference_sums(test, reference, masks)
    if len(masks) == 0:
        return np.zeros(0)
    test, reference = (np.asarray(image).reshape(masks.shape) for image in (test, reference))
    if sigma_hu is None:
        sigma = local_noise(test, reference, masks)
    else:
        sigma = _given_level(np.asarray(sigma_hu, np.float64), masks)
    if correlation_px is None:
        table = noise_autocorrelation(test, reference, masks)
    else:
        table = _given_grain(np.asarray(correlation_px, np.float64))
    areas = np.maximum(correlation_areas(masks, table), LEAST_AREA_PX)
    return np.asarray(totals / (sigma * np.sqrt(areas * masks.areas)))


def _given_level(sigma: np.ndarray, masks: Masks) -> np.ndarray:
    """(S,) standard deviations from a number, one a segment, or a map."""
    if sigma.shape in (masks.shape, masks.shape[1:]) and sigma.size == np.prod(masks.shape):
        sigma = np.sqrt(masks.sum_over(sigma.reshape(masks.shape) ** 2) / masks.areas)
    if sigma.shape not in ((), (len(masks),)) or not (sigma > 0).all():
        raise ValueError(
            f"sigma_hu is a positive number, one for each of the {len(masks)} segments, or a map "
            f"{masks.shape} of the noise."
        )
    return np.broadcast_to(sigma, len(masks))


def _given_grain(correlation: np.ndarray) -> np.ndarray:
    """A table of the autocorrelation from such a table, or from an area in pixels."""
    if correlation.ndim == 0:
        return gaussian_grain(float(correlation))
    side, middle = len(correlation), len(correlation) // 2
    good = correlation.shape == (side, side) and side % 2 == 1
    if not good or not np.isclose(correlation[middle, middle], 1):
        raise ValueError(
            "correlation_px is an area in pixels, or a table (2K + 1, 2K + 1) of the "
            "autocorrelation with 1 in its centre."
        )
    return correlation


def gaussian_grain(area_px: float) -> np.ndarray:
    """Gaussian autocorrelation (2K + 1, 2K + 1), 1 in the centre, that sums to an area in pixels.

    >>> gaussian_grain(1).tolist(), gaussian_grain(7.5).sum().round(6).item()
    ([[1.0]], 7.5)
    """
    from scipy.optimize import brentq

    if not area_px >= 1:
        raise ValueError(f"Noise is correlated over at least 1 pixel, not over {area_px}.")
    if area_px == 1:
        return np.ones((1, 1))
    lags = np.arange(-np.ceil(2 * area_px**0.5), np.ceil(2 * area_px**0.5) + 1)

    def line(width: float) -> np.ndarray:
        return np.asarray(np.exp(-np.pi * lags**2 / width))

    width = brentq(lambda w: line(w).sum() ** 2 - area_px, 1e-3, 2 * area_px)
    return np.outer(line(width), line(width))
