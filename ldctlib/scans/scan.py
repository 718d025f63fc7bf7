"""The scan: a CT volume in HU that knows its grid and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from ldctlib.masks import Masks

ANATOMIES = ("chest", "abdomen", "head")


@dataclass(frozen=True)
class Scan:
    """A CT volume.

    Args:
        hu: CT numbers in HU, float32 (Z, H, W); the first slice is the most caudal, rows run from
            anterior to posterior, columns from the patient's right to left.
        spacing_mm: (dz, dy, dx).
        name: what figures and files call it.
        anatomy: "chest", "abdomen", "head", or None if unknown.
        masks: named sets of structures on the same grid.
        z_mm: (Z,) slice positions; from ``spacing_mm`` if None.
        provenance: where it comes from and what was done to it: "source", "licence", "citation", …
        corner_mm: (y, x) of the centre of the first voxel of the first slice in patient coordinates
            (DICOM: x to the patient's left, y to posterior); None if unknown.

    Raises:
        ValueError: the volume is not 3-D, not finite, or its spacing is not positive.
    """

    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    name: str
    anatomy: str | None = None
    masks: Mapping[str, Masks] = field(default_factory=dict)
    z_mm: np.ndarray | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    corner_mm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        hu = np.asarray(self.hu, np.float32)
        if hu.ndim != 3 or 0 in hu.shape:
            raise ValueError(f"{self.name}: a scan is a volume (Z, H, W), not {hu.shape}.")
        if not np.isfinite(hu).all():
            raise ValueError(f"{self.name}: the volume holds values that are not finite.")
        if len(self.spacing_mm) != 3 or not all(s > 0 for s in self.spacing_mm):
            raise ValueError(f"{self.name}: voxel spacing must be positive, not {self.spacing_mm}.")
        if self.anatomy is not None and self.anatomy not in ANATOMIES:
            raise ValueError(f"{self.name}: anatomy is one of {', '.join(ANATOMIES)} or None.")
        if self.z_mm is not None and len(self.z_mm) != len(hu):
            raise ValueError(f"{self.name}: {len(self.z_mm)} positions for {len(hu)} slices.")
        for key, masks in self.masks.items():
            if masks.shape != hu.shape:
                raise ValueError(f"{self.name}: masks {key!r} do not lie on the scan's grid.")
        object.__setattr__(self, "hu", hu)
        object.__setattr__(self, "spacing_mm", tuple(float(s) for s in self.spacing_mm))
        object.__setattr__(self, "masks", MappingProxyType(dict(self.masks)))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))
        if self.z_mm is None:
            object.__setattr__(self, "z_mm", np.arange(len(hu)) * self.spacing_mm[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, H, W)."""
        z, h, w = self.hu.shape
        return z, h, w

    @property
    def pixel_mm(self) -> float:
        """In-plane pixel size; raises ValueError if pixels are not square."""
        _, dy, dx = self.spacing_mm
        if abs(dy - dx) > 1e-3 * dx:
            raise ValueError(f"{self.name}: pixels are not square ({dy} x {dx} mm).")
        return dx

    def with_hu(self, hu: np.ndarray, name: str | None = None, **provenance: str) -> Scan:
        """The same patient and grid with other CT numbers, e.g. denoised ones."""
        return replace(
            self,
            hu=hu,
            name=name or self.name,
            provenance={**self.provenance, **provenance},
        )

    def crop(
        self,
        rows: slice = slice(None),
        columns: slice = slice(None),
        z: slice = slice(None),
    ) -> Scan:
        """A part of the volume that knows where it lies: masks, positions and corner follow.

        Masks of which nothing lies in the part are left out.

        Args:
            rows: with step 1; negative ends count from the far side, as in NumPy.
            columns: likewise.
            z: likewise.

        Raises:
            ValueError: nothing lies there, or a step is not 1.

        >>> scan = Scan(np.zeros((4, 8, 8)), (5, 2, 2), "test", corner_mm=(10.0, 20.0))
        >>> part = scan.crop(slice(1, 5), slice(3, None), slice(2, 4))
        >>> part.shape, part.corner_mm, part.z_mm.tolist()
        ((2, 4, 5), (12.0, 26.0), [10.0, 15.0])
        """
        first = self._first(rows, columns, z)
        corner = self.corner_mm
        if corner is not None:
            steps = self.spacing_mm[1:]
            corner = (corner[0] + first[1] * steps[0], corner[1] + first[2] * steps[1])
        assert self.z_mm is not None
        return replace(
            self,
            hu=np.ascontiguousarray(self.hu[z, rows, columns]),
            z_mm=self.z_mm[z],
            masks={name: masks.crop(z, rows, columns) for name, masks in self.masks.items()},
            corner_mm=corner,
        )

    def slab(self, start: int, stop: int) -> Scan:
        """Slices ``start`` to ``stop - 1``, with what lies in them."""
        if not 0 <= start < stop <= len(self.hu):
            raise ValueError(f"{self.name} has no slices {start} to {stop - 1}.")
        return self.crop(z=slice(start, stop))

    def _first(self, rows: slice, columns: slice, z: slice) -> tuple[int, int, int]:
        """The first voxel of a part, which must hold one."""
        spans = [part.indices(n) for part, n in zip((z, rows, columns), self.shape, strict=True)]
        if any(step != 1 or past <= first for first, past, step in spans):
            raise ValueError(
                f"{self.name} of {self.shape} voxels has nothing to crop at slices {z}, rows "
                f"{rows}, columns {columns}."
            )
        depth, row, column = (first for first, _, _ in spans)
        return depth, row, column
