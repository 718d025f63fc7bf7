"""Is the error of a segment larger after denoising than noise alone would leave?"""

from __future__ import annotations

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics.residual_noise import correlation_areas


def freedom(masks: Masks, table: np.ndarray) -> np.ndarray:
    """(S,) independent pixels that a segment's mean square error is worth in coloured noise.

    The mean of n squares of Gaussian noise with standard deviation sigma and autocorrelation r has
    the variance 2 sigma^4 / nu, with nu = n^2 / sum over pixels i, j of r(i - j)^2: n for white
    noise, less for any other.

    Args:
        masks: S segments. Pixels in different slices count as independent.
        table: (2K + 1, 2K + 1) autocorrelation, 1 in the centre, as of `noise_autocorrelation`.

    Source: Isserlis 1918, doi:10.1093/biomet/12.1-2.134: cov(e_i^2, e_j^2) = 2 cov(e_i, e_j)^2.

    >>> square = Masks.from_slices([(0, np.ones((3, 3), bool))], (1, 3, 3))
    >>> table = np.array([[0, 0, 0], [0.5, 1, 0.5], [0, 0, 0]])  # 9 + 12 / 4 pairs of pixels
    >>> freedom(square, table).round(6).tolist()
    [6.75]
    """
    return np.asarray(masks.areas / correlation_areas(masks, table**2))


def excess(
    low: np.ndarray, denoised: np.ndarray, between: np.ndarray, freedom: np.ndarray
) -> np.ndarray:
    """By how many standard deviations of noise the denoised scan errs more than the low dose.

    Null hypothesis: in this segment both errors, e of the low dose and d of the denoised scan, are
    Gaussian noise of mean 0, of one strength and one grain. They may be correlated to any degree:
    they share the noise of the reference, and what noise the denoiser left in. Then d + e and
    d - e are uncorrelated, and with u^2, v^2 and w the means of e^2, d^2 and e d, so that
    w = (u^2 + v^2 - s^2) / 2, their correlation in the segment is

        R = (v^2 - u^2) / sqrt((u^2 + v^2)^2 - 4 w^2),

    which noise of `freedom` nu moves about 0. Fisher's transform atanh R has the standard deviation
    1 / sqrt(nu - 1), and is asinh T with

        T = (v^2 - u^2) / (2 sqrt(u^2 v^2 - w^2)).

    For uncorrelated errors it is ln(v / u): 3 standard deviations are v = u exp(3 / sqrt(nu - 1)).

    On noise of filtered back-projection, the standard deviation is 1.01 for discs of 2, 4 and
    8 pixels radius, for errors correlated by 0, 0.5 and 0.9; 3 are exceeded in 0.16 to 0.14 % of
    them, where a normal variable does in 0.135 %, and in 0.26 % of discs of 1 pixel (5 in all).

    Args:
        low: (S,) u, `srmse` of the low dose against the reference.
        denoised: (S,) v, of the denoised scan against the reference.
        between: (S,) s, of the denoised scan against the low dose.
        freedom: (S,) nu.

    Returns:
        (S,) standard normal under the null hypothesis; 0 where one pixel is all there is.

    Source: Pitman 1939, doi:10.1093/biomet/31.1-2.9, and Morgan 1939, doi:10.1093/biomet/31.1-2.13,
    for the correlation; Clifford, Richardson and Hemon 1989, doi:10.2307/2532039, for its variance
    between two coloured fields.

    >>> u, v, nu = np.array([10.0, 10.0]), np.array([20.0, 10.0]), np.array([10.0, 10.0])
    >>> excess(u, v, np.hypot(u, v), nu).round(3).tolist()  # uncorrelated: 3 ln 2, 3 ln 1
    [2.079, 0.0]
    """
    u, v, s = low, denoised, between
    # 4 (u^2 v^2 - w^2) in factors, which do not cancel where the denoised scan is nearly the low
    spread = np.maximum((u + v) ** 2 - s**2, 0) * np.maximum(s**2 - (u - v) ** 2, 0)
    least = 1e-12 * (u**2 + v**2) + np.finfo(np.float64).tiny  # where one error scales the other
    rise = np.arcsinh((v**2 - u**2) / np.maximum(np.sqrt(spread), least))
    return np.asarray(rise * np.sqrt(np.maximum(freedom - 1, 0)))
