"""The slab of slices that a phantom is painted on."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from scipy.interpolate import CubicSpline

from ldctlib.scans.phantoms import noise
from ldctlib.scans.phantoms.capsules import chain_distance, cover
from ldctlib.scans.phantoms.labels import Labels
from ldctlib.scans.phantoms.outlines import Outline, signed_distance, upsample
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage
from ldctlib.scans.phantoms.trees import Tree

Box: TypeAlias = tuple[slice, slice, slice]
ALL: Box = (slice(None), slice(None), slice(None))
_SAMPLING_MM = 2.2  # a large outline's distance is computed this often and interpolated


class Canvas:
    """CT numbers and structure numbers of a few slices, and the means to paint organs on them.

    Args:
        patient: whose body it is.
        z_mm: (Z,) heights of the slices in world mm.
        shape: (H, W) of a slice.
        pixel_mm: its pixels.
        slice_mm: distance between slices.
        labels: shared by all slabs of a volume.

    Attributes:
        x, y, z: world coordinates in mm, (1, 1, W), (1, H, 1) and (Z, 1, 1).
        X, Y, Z: template coordinates in mm, (Z, H, W).
        hu: (Z, H, W) float32, air at first.
        ids: (Z, H, W) int32, the number of the structure on top; 0 is none.
    """

    def __init__(
        self,
        patient: Patient,
        z_mm: np.ndarray,
        shape: tuple[int, int],
        pixel_mm: float,
        slice_mm: float,
        labels: Labels,
    ) -> None:
        height, width = shape
        self.patient, self.labels = patient, labels
        self.pixel_mm, self.slice_mm = float(pixel_mm), float(slice_mm)
        self._z = np.asarray(z_mm, float)
        self._y = (np.arange(height) - (height - 1) / 2) * self.pixel_mm
        self._x = (np.arange(width) - (width - 1) / 2) * self.pixel_mm
        self.z = self._z.astype(np.float32)[:, None, None]
        self.y = self._y.astype(np.float32)[None, :, None]
        self.x = self._x.astype(np.float32)[None, None, :]
        self.hu = np.full((len(self._z), height, width), -1000, np.float32)
        self.ids = np.zeros(self.hu.shape, np.int32)
        self._cache: dict[tuple[str, float], np.ndarray] = {}
        moved = [np.zeros(self.hu.shape, np.float32) + axis for axis in (self.x, self.y, self.z)]
        for axis, amplitude, name, spacing in patient.warp_fields():
            moved[axis] += np.float32(amplitude) * self.field(name, spacing)
        self.X = moved[0] / np.float32(patient.width)
        self.Y = moved[1] / np.float32(patient.depth)
        self.Z = moved[2]

    # --- noise ---------------------------------------------------------------------------------

    def field(self, name: str, spacing_mm: float, box: Box = ALL) -> np.ndarray:
        """Smooth noise of mean 0 and variance 1, correlated over about 1.2 ``spacing_mm``."""
        axes = (a[s] for a, s in zip((self._z, self._y, self._x), box, strict=True))
        return noise.field_on_grid(self.patient.key(name), spacing_mm, *axes)

    def _kept(self, name: str, spacing_mm: float) -> np.ndarray:
        if (name, spacing_mm) not in self._cache:
            self._cache[name, spacing_mm] = self.field(name, spacing_mm)
        return self._cache[name, spacing_mm]

    @property
    def n20(self) -> np.ndarray:
        """The slab's noise on a 20 mm lattice, for all that needs some."""
        return self._kept("n20", 20.0)

    @property
    def n8(self) -> np.ndarray:
        """The same on 8 mm."""
        return self._kept("n8", 8.0)

    @property
    def n4(self) -> np.ndarray:
        """The same on 4 mm."""
        return self._kept("n4", 4.0)

    @property
    def n2(self) -> np.ndarray:
        """The same on 2 mm."""
        return self._kept("n2", 2.0)

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

    # --- geometry ------------------------------------------------------------------------------

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
        low = -np.inf if z0 is None else z0 - bend
        high = np.inf if z1 is None else z1 + bend
        return _span(self._z, low, high), rows, columns

    def box_of(self, outline: Outline, margin_mm: float = 8.0) -> Box:
        """The part of the slab about an outline."""
        return self.box(*outline.bounds, margin_mm=margin_mm)

    def distance(self, outline: Outline, box: Box = ALL, exact: bool = False) -> np.ndarray:
        """Signed distance in mm to an outline, on the box; interpolated unless ``exact``."""
        polygons = outline.polygons(self._z[box[0]])
        X, Y = self.X[box], self.Y[box]
        out = np.empty(X.shape, np.float32)
        step = 1 if exact else max(1, round(_SAMPLING_MM / self.pixel_mm))
        if X.size == 0:
            return out
        if step == 1 or min(X.shape[1:]) <= 2 * step:
            signed_distance(np.ascontiguousarray(X), np.ascontiguousarray(Y), polygons, out)
            return out
        rows, columns = (np.append(np.arange(0, n - 1, step), n - 1) for n in X.shape[1:])
        X, Y = (np.ascontiguousarray(a[:, rows][:, :, columns]) for a in (X, Y))
        coarse = np.empty(X.shape, np.float32)
        signed_distance(X, Y, polygons, coarse)
        upsample(coarse, step, out)
        return out

    def tube(
        self, points: Any, radius_mm: Any, box: Box | None = None, curve_mm: float = 3.0
    ) -> tuple[np.ndarray, Box]:
        """Distance to a tube along a spline, and the box on which it was computed.

        Args:
            points: (m, 3) on the centre line, in template mm.
            radius_mm: one radius, or one for every point.
            box: where; by default just large enough.
            curve_mm: length of the straight pieces that stand for the spline.
        """
        centre = np.asarray(points, float)
        radius = np.broadcast_to(np.asarray(radius_mm, float), len(centre))
        steps = np.linalg.norm(np.diff(centre, axis=0), axis=1)
        s = np.concatenate([[0.0], np.cumsum(steps)])
        fine = np.linspace(0, s[-1], max(2, int(s[-1] / curve_mm) + 1))
        line = CubicSpline(s, centre)(fine) if len(centre) > 2 else _straight(s, centre, fine)
        thick = np.interp(fine, s, radius)
        if box is None:
            (x0, y0, z0), (x1, y1, z1) = line.min(0) - thick.max(), line.max(0) + thick.max()
            box = self.box(x0, x1, y0, y1, z0, z1)
        out = np.empty(self.X[box].shape, np.float32)
        X, Y, Z = (np.ascontiguousarray(a[box]) for a in (self.X, self.Y, self.Z))
        chain_distance(X, Y, Z, np.column_stack([line, thick]).astype(np.float32), out)
        return out, box

    # --- painting ------------------------------------------------------------------------------

    def left_out(self, label: str) -> bool:
        """Whether this structure is removed from the patient."""
        self.labels.number(label)
        return self.labels.left_out(label)

    def paint(
        self,
        distance: np.ndarray,
        hu: Any,
        label: str | None = None,
        box: Box = ALL,
        soft_mm: float | None = None,
        opacity: float = 1.0,
    ) -> None:
        """Fill the inside of a shape.

        Args:
            distance: signed distance in mm on the box, negative inside.
            hu: CT number, or an array of them on the box.
            label: of the structure; None leaves the labels below as they are.
            box: the part of the slab.
            soft_mm: width of its edge; a pixel by default.
            opacity: 1 replaces what is below.
        """
        self.blend(coverage(distance, soft_mm or self.pixel_mm) * opacity, hu, label, box)

    def blend(self, alpha: np.ndarray, hu: Any, label: str | None = None, box: Box = ALL) -> None:
        """Mix ``hu`` in with weight ``alpha`` (on the box); it is labelled where alpha > 1/2."""
        if label is not None:
            number = self.labels.number(label)
            if self.labels.left_out(label):
                return
            self.ids[box][alpha > 0.5] = number
        below = self.hu[box]
        below += (alpha * (hu - below)).astype(np.float32)

    def shade(self, delta_hu: np.ndarray, box: Box = ALL) -> None:
        """Add to the CT numbers of what is painted already."""
        self.hu[box] += np.asarray(delta_hu, np.float32)

    def tree(
        self,
        tree: Tree,
        hu: Any,
        prefix: str,
        clip: np.ndarray | None = None,
        soft_mm: float | None = None,
        samples_z: int = 1,
        grow: float = 1.0,
        add_mm: float = 0.0,
    ) -> None:
        """Paint a vessel tree; its branches are labelled "prefix-0", "prefix-1", ….

        Args:
            tree: in world mm (`Tree.to_world`).
            hu: CT number, or an array (Z, H, W).
            prefix: of the labels.
            clip: (Z, H, W) in [0, 1], multiplies the coverage.
            soft_mm: width of the edge; a pixel by default.
            samples_z: heights within a slice that are averaged.
            grow: radii are multiplied by this,
            add_mm: and then this is added.
        """
        first = self.labels.block(prefix, len(tree.branch_radius))
        kept = ~np.isin(tree.branch, self.labels.left_out_of_block(prefix))
        alpha, winner = cover(
            self._z, self._y, self._x, self.pixel_mm, self.slice_mm,
            tree.segments[kept], tree.radii[kept] * grow + add_mm, tree.branch[kept],
            soft_mm or self.pixel_mm, samples_z,
        )  # fmt: skip
        if clip is not None:
            alpha *= clip
        self.ids[alpha > 0.5] = winner[alpha > 0.5] + first
        self.hu += (alpha * (hu - self.hu)).astype(np.float32)


def _span(axis: np.ndarray, low: float, high: float) -> slice:
    return slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right")))


def _straight(s: np.ndarray, points: np.ndarray, fine: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(fine, s, points[:, axis]) for axis in range(3)])
