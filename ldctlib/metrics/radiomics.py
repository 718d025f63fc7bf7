"""Radiomic features of organs: what they look like as numbers, measured by pyradiomics."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ldctlib.masks import Masks
from ldctlib.metrics._extraction import Region, extract
from ldctlib.scans import Scan

Volume: TypeAlias = "Scan | np.ndarray"
AnyMasks: TypeAlias = "Masks | Mapping[str, np.ndarray] | np.ndarray"

# RFS v1: the image as it is, bins of 25 HU that start at multiples of 25 HU, energies of HU + 1024.
# Shape is no class of it: the masks are shared, so shape never differs.
SETTINGS: Mapping[str, Any] = MappingProxyType(
    {"binWidth": 25, "voxelArrayShift": 1024, "force2D": False}
)
CLASSES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


@dataclass(frozen=True)
class RadiomicFeatures:
    """Features of several organs on several scans.

    Args:
        scans, organs, features: names along the three axes of ``values``.
        values: (scans, organs, features) float64.
        left_out: why an organ was not measured, by its name.
    """

    scans: tuple[str, ...]
    organs: tuple[str, ...]
    features: tuple[str, ...]
    values: np.ndarray
    left_out: Mapping[str, str] = field(default_factory=dict)

    def of(self, scan: str, organ: str) -> dict[str, float]:
        """The features of one organ on one scan, by name."""
        row = self.values[self.scans.index(scan), self.organs.index(organ)]
        return dict(zip(self.features, row.tolist(), strict=True))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a number: scan, organ, feature, value."""
        for i, j, k in np.ndindex(self.values.shape):
            names = self.scans[i], self.organs[j], self.features[k]
            row = dict(zip(("scan", "organ", "feature"), names, strict=True))
            yield {**row, "value": float(self.values[i, j, k])}

    def frame(self) -> Any:
        """`rows` as a ``pandas.DataFrame``."""
        import pandas as pd

        return pd.DataFrame(self.rows())


def radiomic_features(
    scans: Volume | Mapping[str, Volume],
    masks: AnyMasks,
    *,
    settings: Mapping[str, Any] = SETTINGS,
    classes: Sequence[str] = CLASSES,
    spacing_mm: tuple[float, float, float] | None = None,
    min_voxels: int = 1000,
    min_slices: int = 3,
    processes: int = 1,
    progress: bool = False,
) -> RadiomicFeatures:
    """Measure every organ on every scan with pyradiomics.

    What was measured before, in this or an earlier call, is not measured again.

    Args:
        scans: one scan or volume (Z, H, W) in HU, or several by name, all on one grid.
        masks: the organs: `Masks`, boolean volumes by name, one boolean volume, or an integer label
            map, whose organs are then called "label-1", "label-2", ….
        settings: of pyradiomics; those of RFS v1 by default.
        classes: feature classes of pyradiomics; the 93 features of RFS v1 by default.
        spacing_mm: (dz, dy, dx) where no scan says it.
        min_voxels: organs of fewer are left out, with a warning that names them.
        min_slices: and so are those that touch fewer.
        processes: how many work at once. With more than one, a script must start its work under
            ``if __name__ == "__main__":``.
        progress: whether to show a progress bar.

    Raises:
        ImportError: pyradiomics is not installed.
        ValueError: grids differ, a value is not finite, a mask is empty, all organs are too small,
            or the spacing is unknown.

    Source: van Griethuysen et al., Cancer Research 77, e104 (2017),
    doi:10.1158/0008-5472.CAN-17-0339.

    >>> noise = np.random.default_rng(0).normal(50, 20, (8, 24, 24))
    >>> features = radiomic_features(noise, noise < 1e3, spacing_mm=(1, 1, 1))
    >>> len(features.features), round(features.of("scan", "mask")["firstorder_Mean"], 1)
    (93, 49.8)
    """
    volumes = _volumes(scans)
    organs = as_masks(masks)
    _check(volumes, organs, processes)
    spacing = _spacing(scans, spacing_mm)
    boxes = [_bounding_box(organs.boolean(i)) for i in range(len(organs))]
    left_out = _too_small(organs, boxes, min_voxels, min_slices)
    kept = [i for i, label in enumerate(organs.labels) if label not in left_out]
    resampled = settings.get("resampledPixelSpacing") is not None  # then the surroundings count

    def cut(scan: str, i: int) -> Region:
        box = (slice(None),) * 3 if resampled else boxes[i]
        inside = organs.boolean(i)[box]
        name = f"{organs.labels[i]} on {scan}"
        return Region(name, volumes[scan][box].astype(np.float32), inside, spacing)

    # the largest first, so that no process ends long after the others
    order = sorted(((scan, i) for i in kept for scan in volumes), key=lambda j: -organs.areas[j[1]])
    jobs = [partial(cut, *job) for job in order]
    found = dict(zip(order, extract(jobs, settings, classes, processes, progress), strict=True))
    names = tuple(next(iter(found.values())))
    values = [[[found[scan, i][n] for n in names] for i in kept] for scan in volumes]
    labels = tuple(organs.labels[i] for i in kept)
    return RadiomicFeatures(tuple(volumes), labels, names, np.array(values), left_out)


def as_masks(masks: AnyMasks) -> Masks:
    """Masks from boolean volumes by name, from one boolean volume, or from a label map."""
    if isinstance(masks, Masks):
        return masks
    if isinstance(masks, Mapping):
        return Masks.from_volumes(masks)
    label_map = np.asarray(masks)
    if label_map.dtype == bool:
        return Masks.from_volumes({"mask": label_map})
    names = {int(i): f"label-{i}" for i in np.unique(label_map) if i != 0}
    return Masks.from_label_map(label_map, names)


def _volumes(scans: Volume | Mapping[str, Volume]) -> dict[str, np.ndarray]:
    if not isinstance(scans, Mapping):
        scans = {scans.name if isinstance(scans, Scan) else "scan": scans}
    return {k: s.hu if isinstance(s, Scan) else np.asarray(s) for k, s in scans.items()}


def _spacing(
    scans: Volume | Mapping[str, Volume], spacing_mm: tuple[float, float, float] | None
) -> tuple[float, float, float]:
    group = scans.values() if isinstance(scans, Mapping) else [scans]
    known = [s.spacing_mm for s in group if isinstance(s, Scan)]
    known += [spacing_mm] if spacing_mm is not None else []
    if not known:
        raise ValueError("An array does not know its voxels: give spacing_mm=(dz, dy, dx).")
    if not np.allclose(known, known[0], rtol=1e-3):
        raise ValueError(f"The scans have different voxels: {sorted(set(known))} mm.")
    return known[0]


def _check(volumes: Mapping[str, np.ndarray], organs: Masks, processes: int) -> None:
    if not volumes:
        raise ValueError("There is no scan to measure.")
    if processes < 1:
        raise ValueError(f"At least one process must work, not {processes}.")
    for name, hu in volumes.items():
        if hu.shape != organs.shape:
            raise ValueError(f"{name} has the shape {hu.shape}, its masks {organs.shape}.")
        if not np.isfinite(hu).all():
            raise ValueError(f"{name} holds values that are not finite.")
    empty = [label for label, n in zip(organs.labels, organs.areas, strict=True) if n == 0]
    if empty or not len(organs):
        raise ValueError(f"Masks without a voxel: {', '.join(empty) or 'there is no mask at all'}.")
    if len(set(organs.labels)) != len(organs):
        raise ValueError("Two masks have the same label; give each its own.")


def _too_small(
    organs: Masks, boxes: Sequence[tuple[slice, ...]], min_voxels: int, min_slices: int
) -> dict[str, str]:
    """Why an organ is not measured, said aloud."""
    left_out = {}
    for label, voxels, box in zip(organs.labels, organs.areas, boxes, strict=True):
        slices = box[0].stop - box[0].start
        if voxels < min_voxels or slices < min_slices:
            left_out[label] = f"{voxels} voxels in {slices} slices"
    if left_out:
        which = "; ".join(f"{label}: {why}" for label, why in left_out.items())
        limits = f"fewer than {min_voxels} voxels or {min_slices} slices"
        if len(left_out) == len(organs):
            raise ValueError(f"Every organ is too small ({limits}): {which}.")
        warnings.warn(f"Left out, as too small ({limits}): {which}.", stacklevel=3)
    return left_out


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    if not mask.any():
        return (slice(0, 0),) * 3
    axes = ((1, 2), (0, 2), (0, 1))
    ends = [np.flatnonzero(mask.any(axis))[[0, -1]] for axis in axes]
    return tuple(slice(int(a), int(b) + 1) for a, b in ends)
