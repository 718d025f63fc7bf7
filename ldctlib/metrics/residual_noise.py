"""Level and grain of the noise in the difference of two images, around the segments on them."""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

import numpy as np

from ldctlib.masks import Masks
from ldctlib.masks.loops import as_flat, compiled, in_threads

WINDOW = 64  # side in pixels: many grains of noise, and still one level of it
LAGS = 10  # pixels; beyond, noise of reconstructed images is no longer correlated
WINDOWS = 256  # enough for the autocorrelation
ENOUGH = 64  # samples for a level of noise
LEAST_AREA_PX = 0.05  # no more is believed of how noise cancels over a large segment
CLIPPED = 0.98658  # standard deviation of a unit Gaussian cut off at 3


def local_noise(test: np.ndarray, reference: np.ndarray, masks: Masks) -> np.ndarray:
    """(S,) standard deviation of the noise in test - reference around every segment.

    The residual is read at every second pixel of the 64 x 64 around the middle of the segment.
    Its median is subtracted, and the standard deviation of what lies within three of the robust
    one (1.4826 times the median absolute value) is corrected for the cut. Padding (the lowest
    value of the reference, where both are equal) does not count. Where there is no noise, the
    median of the other segments is taken.

    Raises:
        ValueError: there is no noise around any segment.
    """
    sigma = np.empty(len(masks))
    images = _readable(test), _readable(reference)
    places = middles(masks)
    padding = float(images[1].min())
    in_threads(lambda a, b: _levels(*images, padding, places, WINDOW, a, b, sigma), masks.offsets)
    if not (sigma > 0).any():
        raise ValueError(
            "The two images do not differ by noise around any segment, so nothing can be "
            "estimated from their difference: give sigma_hu and correlation_px."
        )
    return np.where(sigma > 0, sigma, np.median(sigma[sigma > 0]))


def noise_autocorrelation(test: np.ndarray, reference: np.ndarray, masks: Masks) -> np.ndarray:
    """(2K + 1, 2K + 1) autocorrelation of the noise in test - reference, 1 in the centre.

    From the 64 x 64 pixels around up to 256 segments: residual less its mean, cut off at three
    standard deviations (see `local_noise`), multiplied with itself at every distance up to K = 10
    pixels, and divided by its variance. The mean is over the middle half of the windows in the
    order of their sums, so that those with an edge or a lost structure in them do not count (a
    median of every value would be biased, and a large segment adds up many small biases). What
    the subtraction of the mean takes from every value is given back.
    """
    chosen = np.unique(np.linspace(0, len(masks) - 1, WINDOWS).astype(int))
    few = masks.select(chosen)
    sigma = local_noise(test, reference, few)
    padding = reference.min()
    side = min(WINDOW, *masks.shape[1:])
    lags = min(LAGS, side // 4)
    tables = []
    for (z, y, x), level in zip(middles(few), sigma, strict=True):
        rows, columns = (
            slice(first, first + side)
            for first in np.clip(
                (y - side // 2, x - side // 2), 0, np.subtract(masks.shape[1:], side)
            )
        )
        true = reference[z, rows, columns].astype(np.float64)
        residual = test[z, rows, columns] - true
        inside = (residual != 0) | (true > padding)
        if inside.mean() > 0.5 and residual.std() > 0:
            tables.append(_normalised(residual / level, inside, lags))
    if not tables:
        raise ValueError("There is too little noise around the segments: give correlation_px.")
    order = np.argsort([table.sum() for table in tables])
    table = np.mean([tables[i] for i in order[len(order) // 4 : len(order) - len(order) // 4]], 0)
    table = (table + table[::-1, ::-1]) / 2
    area = table.sum() / (1 + (table.sum() - table.size) / side**2)
    return np.asarray(table * (1 - area / side**2) + area / side**2)


def correlation_areas(masks: Masks, table: np.ndarray) -> np.ndarray:
    """(S,) exact correlation area rho_s in pixels: r(i - j) over all pairs of pixels, over n_s.

    Two runs of pixels see each other through second sums of a row of the table: the cost goes with
    the pairs of runs, not of pixels. Pairs in different slices do not count.

    Args:
        masks: S segments.
        table: (2K + 1, 2K + 1) autocorrelation, 1 in the centre, symmetric about it.

    >>> square = Masks.from_slices([(0, np.ones((3, 3), bool))], (1, 3, 3))
    >>> correlation_areas(square, np.array([[0, 0, 0], [0.5, 1, 0.5], [0, 0, 0]])).round(6).tolist()
    [1.666667]
    """
    lags, width = len(table) // 2, masks.shape[2]
    rows = np.zeros((lags + 1, 2 * width + 2 * lags + 3))
    # r(dy, dx) at index dx + origin, added up twice along dx.
    origin = width + lags + 1
    rows[:, origin - lags : origin + lags + 1] = table[lags:]
    sums = rows.cumsum(1).cumsum(1)
    totals = np.empty(len(masks))
    runs = masks.offsets, masks.starts, masks.lengths
    in_threads(
        lambda a, b: _pairs(*runs, *masks.shape[1:], sums, origin, a, b, totals), masks.offsets
    )
    return np.asarray(totals / masks.areas)


def middles(masks: Masks) -> np.ndarray:
    """(S, 3) slice, row and column of a pixel of every mask: the middle of its middle run."""
    run = (masks.offsets[:-1] + masks.offsets[1:]) // 2
    pixel = masks.starts[run] + masks.lengths[run] // 2
    return np.stack(np.unravel_index(pixel, masks.shape), axis=1)


def _readable(volume: np.ndarray) -> np.ndarray:
    return as_flat(volume).reshape(volume.shape)


def _normalised(noise: np.ndarray, inside: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelation of one window, from the pairs of pixels that are both inside."""
    noise = np.where(inside, noise - np.median(noise[inside]), 0).clip(-3, 3)
    noise[inside] -= noise[inside].mean()
    size = [n + lags for n in noise.shape]
    products, pairs = (
        np.fft.irfft2(np.abs(np.fft.rfft2(image, size)) ** 2, size)
        for image in (noise, inside.astype(np.float64))
    )
    table = np.roll(products / np.maximum(pairs, 1), (lags, lags), (0, 1))
    near = table[: 2 * lags + 1, : 2 * lags + 1]
    return np.asarray(near / near[lags, lags])


@compiled
def _levels(test, reference, padding, places, window, first, past, sigma):
    """Robust standard deviation of the residual in the window around each place."""
    values = np.empty((window // 2) ** 2)
    height, width = test.shape[1:]
    for i in range(first, past):
        z, y0, x0 = places[i, 0], places[i, 1] - window // 2, places[i, 2] - window // 2
        n = 0
        for y in range(max(y0, 0), min(y0 + window, height), 2):
            for x in range(max(x0, 0), min(x0 + window, width), 2):
                a, b = np.float64(test[z, y, x]), np.float64(reference[z, y, x])
                if (a != b or b > padding) and np.isfinite(a - b):
                    values[n] = a - b
                    n += 1
        sigma[i] = 0
        if n >= ENOUGH:
            away = np.abs(values[:n] - np.median(values[:n]))
            limit = 3 * 1.4826 * np.median(away)
            total, count = 0.0, 0
            for value in away:
                if value <= limit:
                    total += value * value
                    count += 1
            sigma[i] = np.sqrt(total / count) / CLIPPED


@compiled
def _pairs(offsets, starts, lengths, height, width, sums, origin, first, past, totals):
    """Autocorrelation over all ordered pairs of pixels of a mask that lie in one slice."""
    for i in range(first, past):
        total = 0.0
        for r in range(offsets[i], offsets[i + 1]):
            row = starts[r] // width
            a = starts[r] - row * width
            b = a + lengths[r]
            for other in range(r, offsets[i + 1]):
                below = starts[other] // width - row
                if below >= len(sums) or row // height != (row + below) // height:
                    break
                c = starts[other] - (row + below) * width + origin - 1
                d = c + lengths[other]
                line = sums[below]
                seen = line[d - a] - line[c - a] - line[d - b] + line[c - b]
                total += seen if other == r else 2 * seen
        totals[i] = total
