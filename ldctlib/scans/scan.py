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

    def slab(self, start: int, stop: int) -> Scan:
        """Slices ``start`` to ``stop - 1``, without masks."""
        if not 0 <= start < stop <= len(self.hu):
            raise ValueError(f"{self.name} has no slices {start} to {stop - 1}.")
        assert self.z_mm is not None
        return replace(self, hu=self.hu[start:stop], z_mm=self.z_mm[start:stop], masks={})
