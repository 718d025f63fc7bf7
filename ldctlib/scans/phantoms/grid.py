"""The grid of a slab of slices: its coordinates, noise on it, and distances to shapes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from ldctlib.scans.phantoms import noise
from ldctlib.scans.phantoms.capsules import centre_line, chain_distance
from ldctlib.scans.phantoms.outlines import Outline, signed_distance, upsample
from ldctlib.scans.phantoms.patient import Patient

Box: TypeAlias = tuple[slice, slice, slice]
ALL: Box = (slice(None), slice(None), slice(None))
_SAMPLING_MM = 2.2  # a large outline's distance is computed this often and interpolated


class Grid:
    """The pixels of a few slices, in world mm and in those of the template that all patients share.

    Args:
        patient: whose body it is.
        z_mm: (Z,) heights of the slices in world mm.
        shape: (H, W) of a slice.
        pixel_mm: its pixels.

    Attributes:
        shape: (Z, H, W).
        x, y, z: world coordinates in mm, (1, 1, W), (1, H, 1) and (Z, 1, 1).
        X, Y, Z: template coordinates in mm, (Z, H, W).
    """

    def __init__(
        self, patient: Patient, z_mm: np.ndarray, shape: tuple[int, int], pixel_mm: float
    ) -> None:
        height, width = shape
        self.patient, self.pixel_mm = patient, float(pixel_mm)
        self._z = np.asarray(z_mm, float)
        self._y = (np.arange(height) - (height - 1) / 2) * self.pixel_mm
        self._x = (np.arange(width) - (width - 1) / 2) * self.pixel_mm
        self.z = self._z.astype(np.float32)[:, None, None]
        self.y = self._y.astype(np.float32)[None, :, None]
        self.x = self._x.astype(np.float32)[None, None, :]
        self.shape = (len(self._z), height, width)
        moved = [np.zeros(self.shape, np.float32) + axis for axis in (self.x, self.y, self.z)]
        for axis, amplitude, name, spacing in patient.warp_fields():
            moved[axis] += np.float32(amplitude) * self.field(name, spacing)
        self.X = moved[0] / np.float32(patient.width)
        self.Y = moved[1] / np.float32(patient.depth)
        self.Z = moved[2]

    def field(self, name: str, spacing_mm: float, box: Box = ALL) -> np.ndarray:
        """Smooth noise of mean 0 and variance 1, correlated over about 1.2 ``spacing_mm``."""
        axes = (a[s] for a, s in zip((self._z, self._y, self._x), box, strict=True))
        return noise.field_on_grid(self.patient.key(name), spacing_mm, *axes)

    @cached_property
    def n20(self) -> np.ndarray:
        """The slab's noise on a 20 mm lattice, for all that needs some."""
        return self.field("n20", 20.0)

    @cached_property
    def n8(self) -> np.ndarray:
        """The same on 8 mm."""
        return self.field("n8", 8.0)

    @cached_property
    def n4(self) -> np.ndarray:
        """The same on 4 mm."""
        return self.field("n4", 4.0)

    @cached_property
    def n2(self) -> np.ndarray:
        """The same on 2 mm."""
        return self.field("n2", 2.0)

    def texture(
        self, name: str, slope: float = 3.0, coarse_mm: float = 8.0, box: Box = ALL
    ) -> np.ndarray:
        """Tissue texture of unit variance: octaves from ``coarse_mm`` down to about 1 mm.

        Its power falls as frequency^-slope in three dimensions, so an octave of spacing h has the
        amplitude h^((slope - 3) / 2).
        """
        spacings = coarse_mm / 2.0 ** np.arange(max(1, round(np.log2(coarse_mm)) + 1))
        weights = spacings ** ((slope - 3) / 2)
        weights = (weights / np.sqrt((weights**2).sum())).astype(np.float32)
        octaves = zip(weights, spacings, strict=True)
        return np.asarray(
            sum(w * self.field(f"{name} {h:g}", float(h), box) for w, h in octaves), np.float32
        )

    def bent_field(
        self, name: str, X: np.ndarray, Y: np.ndarray, Z: np.ndarray, spacing_mm: float
    ) -> np.ndarray:
        """Noise at coordinates of one's own (arrays of one shape), for fibres and folds."""
        return noise.bent_field(self.patient.key(name), spacing_mm, X, Y, Z)

    def angle(self, y0: float = 0.0) -> np.ndarray:
        """Angle in radians about the axis (0, y0): 0 in front, positive on the patient's left."""
        return np.asarray(np.arctan2(self.X, y0 - self.Y))

    def box(
        self,
        x0: float,
        x1: float,
        y0: float,
        y1: float,
        z0: float | None = None,
        z1: float | None = None,
        margin_mm: float = 8.0,
    ) -> Box:
        """The part of the slab about these template bounds, wide enough for the patient's warp."""
        w, d = self.patient.width, self.patient.depth
        bend = 3.2 * sum(a for a, _ in self.patient.warps) + margin_mm
        rows = _span(self._y, y0 * d - bend, y1 * d + bend)
        columns = _span(self._x, x0 * w - bend, x1 * w + bend)
        bend_z = 1.6 * self.patient.warps[0][0] + margin_mm if self.patient.warps else margin_mm
        low = -np.inf if z0 is None else z0 - bend_z
        high = np.inf if z1 is None else z1 + bend_z
        return _span(self._z, low, high), rows, columns

    def box_of(self, outline: Outline, margin_mm: float = 8.0) -> Box:
        """The part of the slab about an outline."""
        heights = self._z[[0, -1]]
        corners = outline.polygons(heights).reshape(-1, 2)
        return self._box_about(np.column_stack([corners, np.repeat(heights, len(corners) // 2)]),
                               margin_mm, np.inf)  # fmt: skip

    def _box_about(self, points: np.ndarray, margin_mm: float, margin_z: float) -> Box:
        """The part of the slab within a margin of points (n, 3) in template mm."""
        world = self.patient.to_world(points)
        (x0, y0, z0), (x1, y1, z1) = world.min(0), world.max(0)
        return (
            _span(self._z, z0 - margin_z, z1 + margin_z),
            _span(self._y, y0 - margin_mm, y1 + margin_mm),
            _span(self._x, x0 - margin_mm, x1 + margin_mm),
        )

    def distance(self, outline: Outline, box: Box = ALL, exact: bool = False) -> np.ndarray:
        """Signed distance in mm to an outline, on the box; interpolated unless ``exact``."""
        polygons = outline.polygons(self._z[box[0]])
        out = np.empty(self.X[box].shape, np.float32)
        step = 1 if exact else max(1, round(_SAMPLING_MM / self.pixel_mm))
        if out.size == 0:
            return out
        if step == 1:
            X, Y = (np.ascontiguousarray(a[box]) for a in (self.X, self.Y))
            signed_distance(X, Y, polygons, out)
            return out
        # Samples lie on the same pixels whatever the box is, so that every slab agrees.
        rows, row = _samples(box[1], self.shape[1], step)
        columns, column = _samples(box[2], self.shape[2], step)
        X, Y = (np.ascontiguousarray(a[box[0]][:, rows][:, :, columns]) for a in (self.X, self.Y))
        coarse = np.empty(X.shape, np.float32)
        signed_distance(X, Y, polygons, coarse)
        upsample(coarse, rows - rows[0], columns - columns[0], row, column, out)
        return out

    def tube(
        self,
        points: Any,
        radius_mm: Any,
        box: Box | None = None,
        curve_mm: float = 3.0,
        margin_mm: float = 6.0,
        within: Box = ALL,
    ) -> tuple[np.ndarray, Box]:
        """Distance to a tube along a spline, and the box on which it was computed.

        Args:
            points: (m, 3) on the centre line, in template mm.
            radius_mm: one radius, or one for every point.
            box: where; by default just large enough.
            curve_mm: length of the straight pieces that stand for the spline.
            margin_mm: by which the box is larger than the tube.
            within: the box goes no further than this one.
        """
        chain = centre_line(points, radius_mm, curve_mm)
        if box is None:
            reach = 1.15 * float(chain[:, 3].max()) + margin_mm
            box = _overlap(self._box_about(chain[:, :3], reach, reach), within, self.shape)
        return chain_distance(self.X[box], self.Y[box], self.Z[box], chain), box

    def tubes(self, lines: Iterable[tuple[Any, Any]], box: Box) -> np.ndarray:
        """Distance on a box to the union of tubes (points, radius); 99 mm away from all of them."""
        whole = np.full(self.X[box].shape, np.float32(99))
        first = [s.indices(n)[0] for s, n in zip(box, self.shape, strict=True)]
        for points, radius in lines:
            distance, own = self.tube(points, radius, within=box)
            here = tuple(slice(s.start - o, s.stop - o) for s, o in zip(own, first, strict=True))
            np.minimum(whole[here], distance, out=whole[here])
        return whole


def _span(axis: np.ndarray, low: float, high: float) -> slice:
    return slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right")))


def _overlap(a: Box, b: Box, shape: tuple[int, ...]) -> Box:
    """The part that two boxes share; empty slices where they share none."""
    both = [(x.indices(n), y.indices(n)) for x, y, n in zip(a, b, shape, strict=True)]
    z, y, x = (slice(max(p[0], q[0]), max(p[0], q[0], min(p[1], q[1]))) for p, q in both)
    return z, y, x


def _samples(span: slice, count: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of every ``step``-th pixel about a span, and the span's own less the first."""
    start, stop, _ = span.indices(count)
    nodes = np.arange(start // step * step, stop + step, step)
    nodes = np.unique(np.minimum(nodes, count - 1))
    return nodes, np.arange(start, stop) - nodes[0]
