"""Lesions: what can be asked for, where there is room for one, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.grid import Box
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage

_TRIES, _BATCH = 4096, 64


@dataclass(frozen=True)
class Lesion:
    """A lesion of controlled size and contrast.

    Args:
        kind: "sphere" adds ``contrast_hu`` to whatever is there, in every anatomy; each anatomy
            has natural kinds besides, such as "solid" (chest) or "metastasis" (abdomen).
        centre_mm: (x, y, z) in world mm, or None to let the seed find room for it.
        diameter_mm: in mm.
        contrast_hu: difference to its surroundings in HU; for a natural kind, None takes a usual
            value.
    """

    kind: str = "sphere"
    centre_mm: tuple[float, float, float] | None = None
    diameter_mm: float = 10.0
    contrast_hu: float | None = -20.0

    def __post_init__(self) -> None:
        if not self.diameter_mm > 0:
            raise ValueError(f"A lesion needs a positive diameter, not {self.diameter_mm} mm.")
        if self.kind == "sphere" and self.contrast_hu is None:
            raise ValueError("A sphere needs a contrast in HU.")


def check_kinds(lesions: Sequence[Lesion], known: Sequence[str]) -> None:
    """Raise ValueError for a kind of lesion that the anatomy does not have."""
    for lesion in lesions:
        if lesion.kind not in known:
            raise ValueError(f"No lesion is called {lesion.kind!r} here; there are {known}.")


def place(
    patient: Patient,
    name: str,
    radius_mm: float,
    inside: Callable[[np.ndarray], np.ndarray],
    bounds: Sequence[tuple[float, float]],
    taken: Sequence[tuple[np.ndarray, float]] = (),
) -> np.ndarray:
    """A random place with room for a lesion.

    Args:
        patient: gives the random numbers.
        name: of the lesion.
        radius_mm: of the lesion.
        inside: signed distance in mm to the host at points (n, 3) in template mm.
        bounds: ((x0, x1), (y0, y1), (z0, z1)) in template mm.
        taken: world centre and radius of lesions to stay clear of.

    Returns:
        (3,) centre in world mm.

    Raises:
        ValueError: there is no room.
    """
    low, high = np.array(bounds, float).T
    rng = patient.rng(f"place {name}")
    for _ in range(_TRIES // _BATCH):
        tries = rng.uniform(low, high, (_BATCH, 3))
        fits = tries[inside(tries) < -radius_mm]
        for centre in patient.to_world(fits):
            if all(np.linalg.norm(centre - c) > radius_mm + r + 2 for c, r in taken):
                return np.asarray(centre)
    raise ValueError(f"There is no room for {name}, {2 * radius_mm:.0f} mm wide; make it smaller.")


def box_about(canvas: Canvas, centre: Sequence[float], radius_mm: float) -> Box:
    """The part of the slab within ``radius_mm`` of a world point."""
    x, y, z = centre
    axes = (canvas.z.ravel(), z), (canvas.y.ravel(), y), (canvas.x.ravel(), x)
    a, b, c = (
        slice(int(np.searchsorted(axis, p - radius_mm)), int(np.searchsorted(axis, p + radius_mm)))
        for axis, p in axes
    )
    return a, b, c


def offsets(canvas: Canvas, centre: Sequence[float], box: Box) -> tuple[np.ndarray, ...]:
    """(dx, dy, dz) in world mm from a point, broadcastable on the box."""
    x, y, z = centre
    rows, columns = slice(None), slice(None)
    return (
        canvas.x[:, :, box[2]] - np.float32(x),
        canvas.y[:, box[1], columns] - np.float32(y),
        canvas.z[box[0], rows] - np.float32(z),
    )


def paint_sphere(
    canvas: Canvas, centre: Sequence[float], diameter_mm: float, contrast_hu: float, label: str
) -> None:
    """An exact sphere that adds ``contrast_hu`` to what it lies in."""
    box = box_about(canvas, centre, diameter_mm / 2 + 2 * canvas.pixel_mm)
    dx, dy, dz = offsets(canvas, centre, box)
    alpha = coverage(np.sqrt(dx**2 + dy**2 + dz**2) - diameter_mm / 2, canvas.pixel_mm)
    canvas.blend(alpha, canvas.hu[box] + contrast_hu, label, box)


def lump(
    canvas: Canvas, centre: Sequence[float], diameter_mm: float, name: str, rough: float = 0.16
) -> tuple[np.ndarray, Box]:
    """Distance to a sphere with an uneven surface, and the box it was computed on.

    The lump is as large as the sphere of its diameter would be.
    """
    box = box_about(canvas, centre, 1.3 * diameter_mm + 6)
    if canvas.X[box].size == 0:
        return np.empty(canvas.X[box].shape, np.float32), box
    dx, dy, dz = np.broadcast_arrays(*offsets(canvas, centre, box))
    # Turned at random, or the lattice of the noise would show in the shape.
    turn = np.linalg.qr(canvas.patient.rng(f"turn {name}").normal(size=(3, 3)))[0]
    u, v, w = (np.asarray(r[0] * dx + r[1] * dy + r[2] * dz, np.float32) for r in turn)

    def surface(u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Radius of the lump, before it is scaled, in the direction of every point."""
        uneven = 0.9 * canvas.bent_field(f"lump {name}", u, v, w, max(0.45 * diameter_mm, 3.0))
        uneven = uneven + 0.4 * canvas.bent_field(f"knob {name}", u, v, w, 3.0)
        return np.asarray(diameter_mm / 2 * (1 + rough * uneven))

    reach = 0.9 * diameter_mm
    steps = ((np.arange(30, dtype=np.float32) + 0.5) / 15 - 1) * np.float32(reach)
    probe = np.meshgrid(steps, steps, steps)
    filled = (np.sqrt(sum(p**2 for p in probe)) < surface(*probe)).mean() * (2 * reach) ** 3
    scale = np.float32((np.pi / 6 * diameter_mm**3 / filled) ** (1 / 3))
    distance = np.sqrt(dx**2 + dy**2 + dz**2)
    return distance - scale * surface(u / scale, v / scale, w / scale), box
