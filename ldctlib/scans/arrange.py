"""Put the slices of a series in order and check that they make one volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from ldctlib.scans.slices import Slice


@dataclass(frozen=True)
class Series:
    """The slices of one series, most caudal first, seen as anterior to posterior, right to left.

    Args:
        title: what messages call it.
        slices: headers in order.
        turn: brings a stored image (rows, columns) into that orientation.
        corners_mm: (Z, 3) centre of each turned slice's first pixel, patient coordinates.
        across, down: (3,) unit vectors along the rows and columns of the turned slices.
        pixel_mm: (down, across) of the turned slices.
        z_mm: (Z,) positions along the slices' normal.
        step_mm: usual distance between slices along the normal.
        tilt_deg: angle between the normal and the direction in which the table moves.
    """

    title: str
    slices: tuple[Slice, ...]
    turn: Callable[[np.ndarray], np.ndarray]
    corners_mm: np.ndarray
    across: np.ndarray
    down: np.ndarray
    pixel_mm: tuple[float, float]
    z_mm: np.ndarray
    step_mm: float
    tilt_deg: float


def arrange(slices: list[Slice], spacing: str = "even") -> Series:
    """Sort slices along their normal and check that they make one volume.

    Raises:
        ValueError: sizes, pixels or orientations differ, slices are not axial, lie beside each
            other, coincide, are missing or unevenly spaced.
    """
    first = slices[0]
    for other in slices[1:]:
        _check_alike(first, other)
    turn, across, down, pixel_mm, shift = _orientation(first)
    normal = np.cross(across, down)
    corners = np.array([s.position for s in slices]) + shift
    order = np.argsort(corners @ normal, kind="stable")
    slices, corners = [slices[i] for i in order], corners[order]
    z_mm = corners @ normal
    title = series_title(first.header)
    return Series(
        title=title,
        slices=tuple(slices),
        turn=turn,
        corners_mm=corners,
        across=across,
        down=down,
        pixel_mm=pixel_mm,
        z_mm=z_mm,
        step_mm=_step(slices, z_mm, title, spacing),
        tilt_deg=_tilt(slices, corners @ np.array([across, down]).T, z_mm),
    )


def _check_alike(first: Slice, other: Slice) -> None:
    pairs = (
        ("image sizes", first.shape, other.shape, 0.0),
        ("pixel sizes in mm", first.pixel_mm, other.pixel_mm, 1e-3),
        ("orientations", (*first.across, *first.down), (*other.across, *other.down), 1e-3),
    )
    for what, a, b, tolerance in pairs:
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance):
            values = [", ".join(f"{v:.4g}" for v in values) for values in (a, b)]
            raise ValueError(
                f"A volume needs equal {what}: {first.label} has {values[0]} and "
                f"{other.label} has {values[1]}; read them from separate folders."
            )


def _orientation(
    s: Slice,
) -> tuple[
    Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray, tuple[float, float], np.ndarray
]:
    normal = np.abs(np.cross(s.across, s.down))
    if normal[2] < np.sqrt(0.5):
        plane = "sagittal" if normal[0] > normal[1] else "coronal"
        raise ValueError(f"{s.label} is a {plane} image; ldctlib reads axial slices.")
    across, down, pixel_mm, (rows, columns) = s.across, s.down, s.pixel_mm, s.shape
    transpose = abs(across[1]) > abs(across[0])
    if transpose:
        across, down, pixel_mm, (rows, columns) = down, across, pixel_mm[::-1], (columns, rows)
    shift = np.zeros(3)
    flip_x, flip_y = across[0] < 0, down[1] < 0
    if flip_x:
        shift, across = shift + across * (columns - 1) * pixel_mm[1], -across
    if flip_y:
        shift, down = shift + down * (rows - 1) * pixel_mm[0], -down

    def turn(image: np.ndarray) -> np.ndarray:
        image = image.T if transpose else image
        return image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]

    return turn, across, down, pixel_mm, shift


def _step(slices: list[Slice], z_mm: np.ndarray, title: str, spacing: str) -> float:
    if len(slices) == 1:
        if slices[0].thickness_mm is None:
            raise ValueError(f"{slices[0].label} has no SliceThickness; read the whole series.")
        return slices[0].thickness_mm
    steps = np.diff(z_mm)
    usual = round(float(np.median(steps)), 6)
    if steps.min() < 0.01:
        i = int(steps.argmin())
        raise ValueError(
            f"{slices[i].label} and {slices[i + 1].path.name} lie at the same position "
            f"({z_mm[i]:.2f} mm); remove copies, or keep one acquisition or phase only."
        )
    times = (steps / usual).round()
    tolerance = max(0.1 * usual, 0.11)  # scanners round positions to 0.1 mm
    odd = np.flatnonzero(np.abs(steps - usual) > tolerance)
    if not len(odd):
        return round(float(steps.mean()), 6)
    if spacing == "keep":
        return usual
    if (np.abs(steps - times * usual) <= tolerance).all():
        i = int(odd[0])
        raise ValueError(
            f"{title} misses {int((times - 1).sum())} of its slices, the first between "
            f"{slices[i].path.name} and {slices[i + 1].path.name} ({steps[i]:.2f} mm apart instead "
            f'of {usual:.2f} mm); add the missing files, or pass spacing="keep".'
        )
    raise ValueError(
        f"{title} is unevenly spaced: slices are {steps.min():.2f} to {steps.max():.2f} mm apart, "
        f"for example {slices[odd[0]].path.name} and {slices[odd[0] + 1].path.name}; "
        'pass spacing="keep" to take them as they are, with Scan.z_mm the true positions.'
    )


def _tilt(slices: list[Slice], in_plane: np.ndarray, z_mm: np.ndarray) -> float:
    if len(slices) == 1:
        return 0.0
    slope = (in_plane[-1] - in_plane[0]) / (z_mm[-1] - z_mm[0])
    beside = np.abs(in_plane - in_plane[0] - np.outer(z_mm - z_mm[0], slope)).max(axis=1)
    if beside.max() > 0.5 * min(slices[0].pixel_mm):
        worst = int(beside.argmax())
        raise ValueError(
            f"{slices[worst].label} lies {beside[worst]:.1f} mm beside the other slices: its field "
            "of view is another one; read it from a separate folder."
        )
    return float(np.degrees(np.arctan(np.linalg.norm(slope))))


def series_title(header: Dataset) -> str:
    """What messages call a series: its number and description.

    >>> series_title(Dataset())
    'series without a number'
    """
    number, text = header.get("SeriesNumber"), header.get("SeriesDescription")
    title = "series without a number" if number is None else f"series {number}"
    return f"{title}, {str(text)!r}" if text else title
