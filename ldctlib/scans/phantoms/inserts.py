"""A test object for resolution: a disc of water with circular inserts, contrast by size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from ldctlib.masks import Masks
from ldctlib.scans.scan import Scan

GAP_MM = 6.0  # of water between the cells of the outer ring and the rim
TURN_RAD = 0.23  # of each ring against the one outside it: no centre lies at a special place


def inserts(
    contrasts_hu: Sequence[float] = (-800, -100, 30, 100, 300, 900),
    diameters_mm: Sequence[float] = (20, 10, 5),
    *,
    shape: tuple[int, int, int] = (8, 384, 384),
    pixel_mm: float = 0.7,
    slice_mm: float = 3.0,
    disc_mm: float = 220.0,
    background_hu: float = 0.0,
) -> Scan:
    """A disc of water in air with cylinders of every contrast and every diameter, free of noise.

    The inserts of one diameter lie on one ring, as far from the axis as each other, the largest
    outside. Around each, water is clear to twice its radius.

    Args:
        contrasts_hu: of the inserts against the water, in HU.
        diameters_mm: of the inserts.
        shape: (Z, H, W) in voxels; all slices are alike.
        pixel_mm: pixel size.
        slice_mm: distance of the slices.
        disc_mm: diameter of the water.
        background_hu: of the water.

    Returns:
        A scan with ``masks["structures"]``: the inserts, labelled "insert-20mm+100hu", ….

    Raises:
        ValueError: the disc does not fit the slice, or the inserts do not fit the disc.

    >>> scan = inserts((-100, 100), (20, 10), shape=(1, 256, 256), pixel_mm=1.0)
    >>> scan.masks["structures"].labels
    ('insert-20mm-100hu', 'insert-20mm+100hu', 'insert-10mm-100hu', 'insert-10mm+100hu')
    """
    if disc_mm > min(shape[1:]) * pixel_mm:
        raise ValueError(
            f"A disc of {disc_mm:g} mm does not fit {shape[1]} x {shape[2]} pixels of "
            f"{pixel_mm:g} mm: ask for more or larger pixels or a smaller disc_mm."
        )
    plane = np.full(shape[1:], -1000.0)
    plane += (1000 + background_hu) * disc_coverage(shape[1:], pixel_mm, (0.0, 0.0), disc_mm / 2)
    centres = _centres(len(contrasts_hu), diameters_mm, disc_mm)
    volumes = {}
    kinds = product(diameters_mm, contrasts_hu)
    for (diameter, contrast), centre in zip(kinds, centres, strict=True):
        covered = disc_coverage(shape[1:], pixel_mm, centre, diameter / 2)
        plane += contrast * covered
        volumes[f"insert-{diameter:g}mm{contrast:+g}hu"] = np.broadcast_to(covered >= 0.5, shape)
    return Scan(
        np.repeat(plane[None].astype(np.float32), shape[0], axis=0),
        (slice_mm, pixel_mm, pixel_mm),
        "phantom-inserts",
        masks={"structures": Masks.from_volumes(volumes)},
        provenance={"source": "procedural phantom, inserts", "licence": "MIT"},
    )


def disc_coverage(
    shape: tuple[int, int], pixel_mm: float, centre_mm: tuple[float, float], radius_mm: float
) -> np.ndarray:
    """The fraction of every pixel that a disc covers, exactly.

    Args:
        shape: (H, W) in pixels.
        pixel_mm: pixel size.
        centre_mm: (y, x) of the disc from the middle of the image.
        radius_mm: of the disc.

    Returns:
        (H, W), 0 to 1; all of them times the area of a pixel are the area of the disc.

    >>> disc_coverage((2, 2), 1.0, (0.0, 0.0), 0.5).round(4).tolist()
    [[0.1963, 0.1963], [0.1963, 0.1963]]
    """
    y, x = (
        ((np.arange(n + 1) - n / 2) * pixel_mm - c) / radius_mm
        for n, c in zip(shape, centre_mm, strict=True)
    )
    corners = _area_below(y[:, None], x[None])
    covered = np.diff(np.diff(corners, axis=0), axis=1) * (radius_mm / pixel_mm) ** 2
    return np.asarray(covered.clip(0, 1))


def _area_below(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Area of the part of the unit disc above and left of (y, x): of smaller y and smaller x."""

    def half_chords(t: np.ndarray) -> np.ndarray:  # integral of sqrt(1 - t^2) from 0 to t
        return np.asarray((t * np.sqrt(1 - t * t) + np.arcsin(t)) / 2)

    y, x = y.clip(-1, 1), x.clip(-1, 1)
    reach = np.sqrt(1 - y * y)  # columns within it are cut at y, those beyond whole or not at all
    near = np.clip(x, -reach, reach)
    cut = half_chords(near) + half_chords(reach)
    whole = 2 * (half_chords(x) + np.pi / 4 - cut)
    return np.asarray(np.where(y >= 0, whole, 0) + cut + y * (near + reach))


def _centres(
    count: int, diameters_mm: Sequence[float], disc_mm: float
) -> list[tuple[float, float]]:
    """(y, x) in mm of every insert, ring by ring."""
    centres, outside = [], disc_mm / 2 - GAP_MM
    for i, diameter in enumerate(diameters_mm):
        ring = outside - diameter
        if count > 1 and 2 * ring * np.sin(np.pi / count) < 2 * diameter:
            raise ValueError(
                f"{count} inserts of {diameter:g} mm do not fit a ring of {2 * ring:.0f} mm: ask "
                "for fewer or smaller ones, largest first, or a larger disc_mm."
            )
        angle = 2 * np.pi * np.arange(count) / count + (i + 1) * TURN_RAD
        centres += list(zip(ring * np.sin(angle), ring * np.cos(angle), strict=True))
        outside = ring - diameter
    return centres
