"""Every ray of a scanner as a straight line on the pixel grid: the tables that projection needs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ldctlib.physics.geometry import FanBeam


class Rays(NamedTuple):
    """Joseph's method: a ray is followed along the axis it runs closer to, one pixel at a time.

    In step ``i`` along its leading axis the ray crosses the other axis at ``start + slope * i``,
    between two pixels, whose linear interpolation is added and weighted by ``step_mm``.

    Args:
        start: crossing in pixels at step 0, counted from one pixel before the image,
            float32 (views, channels).
        slope: pixels per step, in [-1, 1].
        step_mm: length of the ray in one step.
        segments: (views, 2, 2) first and past-the-last channel whose leading axis is 0 (columns)
            or 1 (rows): a fan narrower than 90 degrees needs one run of channels for each.

    Source: Joseph 1982, IEEE Trans Med Imaging 1:192, doi:10.1109/TMI.1982.4307572.
    """

    start: np.ndarray
    slope: np.ndarray
    step_mm: np.ndarray
    segments: np.ndarray


@lru_cache(maxsize=4)
def rays(geometry: FanBeam) -> Rays:
    """The rays of a scanner: 10 MB and 0.1 s for the Siemens geometry, kept for later calls."""
    direction = geometry.beta[:, None] + np.pi + geometry.gamma
    along_x, along_y = np.cos(direction), np.sin(direction)
    centre = (geometry.pixels - 1) / 2
    source = geometry.sod_mm / geometry.pixel_mm
    source_x = source * np.cos(geometry.beta)[:, None] + centre
    source_y = source * np.sin(geometry.beta)[:, None] + centre

    by_row = np.asarray(np.abs(along_y) > np.abs(along_x))
    leading = np.where(by_row, along_y, along_x)
    slope = np.where(by_row, along_x, along_y) / leading
    start = np.where(by_row, source_x - source_y * slope, source_y - source_x * slope) + 1
    tables = start, slope, geometry.pixel_mm / np.abs(leading)
    start, slope, step_mm = (t.astype(np.float32) for t in tables)
    return Rays(start, slope, step_mm, _segments(by_row))


def _segments(by_row: np.ndarray) -> np.ndarray:
    """The run of channels of each view that follow columns (axis 0) and rows (axis 1)."""
    views, channels = by_row.shape
    segments = np.zeros((views, 2, 2), np.int64)
    for axis, member in enumerate((np.logical_not(by_row), by_row)):
        first = member.argmax(1)
        past = channels - member[:, ::-1].argmax(1)
        segments[:, axis] = np.stack([first, past], 1) * member.any(1)[:, None]
    return segments
