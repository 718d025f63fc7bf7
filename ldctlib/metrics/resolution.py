"""Spatial resolution: MTF of a straight edge, and task transfer function of circular inserts.

A linear system has one transfer function, whatever the contrast. Of a network or an iterative
reconstruction it is a property of the task: it has to be measured at the contrast, and at the
dose, of what is to be seen (AAPM Report 233, doi:10.37206/186).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ndtr

from ldctlib.metrics._transfer import TransferFunction, contrast_and_cnr, edge_transfer

MINIMUM_CNR = 10.0  # where the standard error of f50 is 4 to 10 %, by the colour of the noise
_SHORTEST = 0.7  # profile to one side in units of 1 / f50; shorter ones bias f50 by over 2 %
_CORE = 0.4  # of the reach: what is nearer to the edge counts neither as inside nor as outside


def mtf(
    edge: np.ndarray,
    pixel_mm: float,
    *,
    name: str = "",
    minimum_cnr: float = MINIMUM_CNR,
) -> TransferFunction:
    """Modulation transfer function of a slanted edge.

    Args:
        edge: (H, W), or (Z, H, W) whose slices show the same edge, in HU: one straight edge from
            border to border, 2 to 10 degrees off the rows or columns, and nothing else.
        pixel_mm: pixel size.
        name: what a legend calls it.
        minimum_cnr: contrast to noise ratio of the mean slice below which nothing is measured.

    Returns:
        The transfer function across the edge, pixel aperture included where the image has one.

    Raises:
        ValueError: the edge is too noisy, not tilted, or leaves the image on the side.

    Source: ISO 12233; Judy 1976, Med Phys 3:233, doi:10.1118/1.594283.

    >>> from scipy.special import ndtr
    >>> y, x = np.mgrid[:64, :64] - 31.5
    >>> edge = 100 * ndtr((x * np.cos(0.08) + y * np.sin(0.08)) / 1.5)
    >>> round(mtf(edge, pixel_mm=0.5).f50, 3)  # sqrt(2 ln 2) / (2 pi 0.75 mm) = 0.250
    0.25
    """
    slices = _slices(edge)
    mean = slices.mean(0)
    steepness = [np.abs(np.diff(mean.mean(axis), axis=0)).max() for axis in (0, 1)]
    if steepness[1] > steepness[0]:  # the edge runs along the rows
        slices, mean = slices.swapaxes(1, 2), mean.T
    distance = _distance_to_edge(mean)
    reach = min(-distance[:, 0].max(), distance[:, -1].min())
    if reach < 4:
        raise ValueError(
            "The edge runs out of the image or nearly so: cut out a part in which it goes from "
            "the first row to the last, at least 4 pixels from the sides."
        )
    return _measured(slices, distance, reach, pixel_mm, name, minimum_cnr)


def ttf(
    image: np.ndarray,
    pixel_mm: float,
    insert: np.ndarray,
    *,
    reach_mm: float | None = None,
    name: str = "",
    minimum_cnr: float = MINIMUM_CNR,
) -> TransferFunction:
    """Task transfer function of a circular insert: resolution at its contrast and noise.

    Args:
        image: (H, W), or (Z, H, W) whose slices, or repeats, show the same insert, in HU. Their
            profiles are averaged.
        pixel_mm: pixel size.
        insert: boolean (H, W), the disc that the insert fills; its centroid in the image itself
            is the centre, its area gives the radius.
        reach_mm: how far from its edge the profile goes, where nothing else may be; 0.8 radii if
            None. Less lets in less noise, but cuts the tails of a blurred edge.
        name: what a legend calls it.
        minimum_cnr: contrast to noise ratio of the mean slice below which nothing is measured.

    Returns:
        The transfer function, pixel aperture included where the image has one.

    Raises:
        ValueError: the insert is too faint for the noise, too small, or too near to the border.

    Source: Richard et al. 2012, Med Phys 39:4115, doi:10.1118/1.4725171; AAPM Report 233.
    """
    slices = _slices(image)
    if insert.shape != slices.shape[1:] or not insert.any():
        raise ValueError(f"The insert is a boolean {slices.shape[1:]} with at least one pixel.")
    radius = float(np.sqrt(insert.sum() / np.pi))
    reach = 0.8 * radius if reach_mm is None else reach_mm / pixel_mm
    if not 2 <= reach < radius:
        raise ValueError(
            f"An insert of {radius:.1f} pixels radius has no profile of {reach:.1f} pixels to "
            "both sides of its edge: take a reach of at least 2 pixels and a larger insert."
        )
    rows, columns = np.nonzero(insert)
    centre = (float(rows.mean()), float(columns.mean()))
    for _ in range(3):
        centre = _centroid(slices.mean(0), centre, radius, reach)
    distance = radius - _radii(slices.shape[1:], centre)
    if min(*centre, *np.subtract(insert.shape, centre)) < radius + reach:
        raise ValueError("The insert is too near to the border of the image for its surroundings.")
    return _measured(slices, distance, reach, pixel_mm, name, minimum_cnr)


def _measured(
    slices: np.ndarray,
    distance: np.ndarray,
    reach: float,
    pixel_mm: float,
    name: str,
    minimum_cnr: float,
) -> TransferFunction:
    """The transfer function of pixels at these signed distances, positive inside."""
    inside = slices[:, (distance > _CORE * reach) & (distance <= reach)]
    outside = slices[:, (distance < -_CORE * reach) & (distance >= -reach)]
    contrast, cnr = contrast_and_cnr(inside, outside)
    if not cnr >= minimum_cnr:
        raise ValueError(
            f"The contrast of {contrast:.0f} HU is {cnr:.1f} times the noise of the mean of "
            f"{len(slices)} slices, but a transfer function needs {minimum_cnr:g} times: average "
            "more slices or repeats, take more dose, or a larger contrast."
        )
    flat = slices.reshape(len(slices), -1)
    frequencies, values, without_one = edge_transfer(distance.ravel(), flat, reach, pixel_mm)
    measured = TransferFunction(frequencies, values, contrast, cnr, name, without_one)
    if measured.f50 * reach * pixel_mm < _SHORTEST:
        raise ValueError(
            f"The edge is blurred over most of the {reach * pixel_mm:.1f} mm to both sides of it "
            "that the profile takes: take a larger insert, a larger reach_mm, or more of the edge."
        )
    return measured


def _slices(image: np.ndarray) -> np.ndarray:
    slices = np.asarray(image, np.float64)
    slices = slices[None] if slices.ndim == 2 else slices
    if slices.ndim != 3 or 0 in slices.shape or not np.isfinite(slices).all():
        raise ValueError(f"Take a finite (H, W) or (Z, H, W), not {np.shape(image)}.")
    return slices


def _radii(shape: tuple[int, ...], centre: tuple[float, float]) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(y - centre[0], x - centre[1]))


def _centroid(
    mean: np.ndarray, centre: tuple[float, float], radius: float, reach: float
) -> tuple[float, float]:
    """Centre of mass of what differs from the surroundings, within the reach of the insert."""
    r = _radii(mean.shape, centre)
    surround = mean[(r > radius + _CORE * reach) & (r < radius + reach)].mean()
    weight = np.where(r < radius + _CORE * reach, mean - surround, 0)
    y, x = np.ogrid[: mean.shape[0], : mean.shape[1]]
    total = weight.sum()
    return float((weight * y).sum() / total), float((weight * x).sum() / total)


def _distance_to_edge(mean: np.ndarray) -> np.ndarray:
    """Signed distance in pixels to the straight edge that crosses all rows, by least squares."""
    y, x = np.ogrid[: mean.shape[0], : mean.shape[1]]
    y, x = y - (mean.shape[0] - 1) / 2, x - (mean.shape[1] - 1) / 2
    low, high = (
        mean[:, : mean.shape[1] // 8 + 1].mean(),
        mean[:, -(mean.shape[1] // 8 + 1) :].mean(),
    )
    slope = np.abs(np.diff(mean.mean(0)))

    def distance(p: np.ndarray) -> np.ndarray:
        return np.asarray((x - p[0]) * np.cos(p[1]) + y * np.sin(p[1]))

    def misfit(p: np.ndarray) -> np.ndarray:
        model = p[3] + (p[4] - p[3]) * ndtr(distance(p) / np.hypot(p[2], 0.3))
        return np.asarray((model - mean).ravel() / max(abs(high - low), 1e-9))

    start = [x.ravel()[slope.argmax()], 0.0, 2.0, low, high]
    return distance(least_squares(misfit, start, x_scale=[1, 0.1, 1, 100, 100]).x)
