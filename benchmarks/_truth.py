"""One patient of the truth test: every lesion, every network, the truth and all scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from _hallucinating import exposed, patient, sections

from ldctlib.denoisers import ImageNetwork
from ldctlib.hallucinations import Flag, LesionPair, flag, share_kept
from ldctlib.masks import Masks
from ldctlib.metrics import psnr, ssim, vif
from ldctlib.segments import segment
from ldctlib.units import WINDOW_OF_ANATOMY

SLICES, MARGIN, CROP, LEAST_PX = 3, 24, 44, 12
LEAST_IOU = 0.5


class Case:
    """The part of a patient in which the lesions lie, at one dose.

    Args:
        anatomy, seed: of the patient.
        dose: of the low-dose scan.
    """

    def __init__(self, anatomy: str, seed: int, dose: float) -> None:
        self.window = WINDOW_OF_ANATOMY[anatomy]
        largest = _largest_sections(patient(anatomy, seed))
        slices = _fullest([z for z, _ in largest.values()])
        rows, columns = _around(
            [mask for z, mask in largest.values() if slices[0] <= z < slices[1]]
        )
        pair = exposed(anatomy, seed, dose)
        self.present, self.absent = (exam.crop(rows, columns, slice(*slices)) for exam in pair[:2])
        self.full, self.low = self.present.full.hu, self.present.low.hu
        self.added = pair.added[slice(*slices), rows, columns]
        inside = {
            pair.lesions.labels[i]: (z - slices[0], mask[rows, columns])
            for i, (z, mask) in largest.items()
            if slices[0] <= z < slices[1]
        }
        self.lesions = Masks.from_slices(inside.values(), self.full.shape, list(inside))
        self.found = segment(self.present.full, tier="extended", progress=False, processes=1)
        self.best = [_best(self.found, *place) for place in inside.values()]

    def records(self, network: ImageNetwork) -> Iterator[dict]:
        """A record a lesion."""
        clean, bare = (network(exam).hu for exam in (self.present, self.absent))
        kept = share_kept(clean - bare, self.added, self.lesions)
        oracle = _by_label(flag(self.low, clean, self.full, self.lesions))
        found = _by_label(flag(self.low, clean, self.full, self.found)) if len(self.found) else {}
        for i, label in enumerate(self.lesions.labels):
            z = int(self.lesions.largest_slices[i])
            place = self._crop(i, z)
            contrast = self.lesions.sum_over(self.added)[i] / self.lesions.areas[i]
            record = {"lesion": label, "area_px": int(self.lesions.areas[i])}
            record |= {"contrast_hu": float(contrast), "kept": float(kept[i])}
            record["outlined"] = _scores(oracle[label])
            record["found"] = _scores(found[self.best[i]]) if self.best[i] else None
            record["slice"] = self._metrics(clean, (z, slice(None), slice(None)))
            record["crop"] = self._metrics(clean, place)
            yield record

    def _crop(self, i: int, z: int) -> tuple[int, slice, slice]:
        """A square around a lesion."""
        centre = np.argwhere(self.lesions.plane(i, z)).mean(0).astype(int)
        sizes = self.full.shape[1:]
        corner = [
            int(np.clip(c - CROP // 2, 0, s - CROP)) for c, s in zip(centre, sizes, strict=True)
        ]
        return z, *(slice(start, start + CROP) for start in corner)

    def _metrics(self, clean: np.ndarray, place: tuple) -> dict[str, float]:
        """The usual metrics of a part of the image, and by how much denoising raised them."""
        full, told = self.full[place], {}
        for name, metric in (("psnr", psnr), ("ssim", ssim), ("vif", vif)):
            after, before = (metric(v[place], full, window=self.window) for v in (clean, self.low))
            told |= {name: float(after), f"{name} gain": float(after - before)}
        return told


def _scores(record: Flag) -> dict:
    """What is kept of a flag: the scores, the contrast left as measured, the decisions."""
    full, denoised = record.contrast_reference_hu, record.contrast_denoised_hu
    return {
        "srmse rise": record.srmse_denoised_hu - record.srmse_low_hu,
        "srmse ratio": record.srmse_denoised_hu / record.srmse_low_hu,
        "bias": abs(record.standardised_bias),
        "contrast lost": 1 - denoised / full,
        "tolerance": record.excess > 3,
        "p": record.p,
        "kind": record.kind,
    }


def _by_label(flags) -> dict[str, Flag]:
    return {record.label: record for record in flags}


def _largest_sections(of: LesionPair) -> dict[int, tuple[int, np.ndarray]]:
    """Of every lesion the slice in which most of it is seen, and its pixels there."""
    largest: dict[int, tuple[int, np.ndarray]] = {}
    for i, z, inside in sections(of, LEAST_PX):
        if i not in largest or inside.sum() > largest[i][1].sum():
            largest[i] = z, inside
    return largest


def _fullest(slices: list[int]) -> tuple[int, int]:
    """First and past the last of the neighbouring slices with most lesions."""
    starts = range(max(slices) + 1)
    first = max(starts, key=lambda z: sum(z <= s < z + SLICES for s in slices))
    return first, first + SLICES


def _around(masks: list[np.ndarray]) -> tuple[slice, slice]:
    """Rows and columns in which lesions lie, with a margin."""
    where = np.nonzero(np.any(masks, 0))
    return tuple(slice(max(0, int(a.min()) - MARGIN), int(a.max()) + MARGIN) for a in where)


def _best(masks: Masks, z: int, lesion: np.ndarray) -> str | None:
    """The segment that agrees with a lesion, if one does."""
    best, label = LEAST_IOU, None
    for i in np.flatnonzero(masks.largest_slices == z):
        plane = masks.plane(int(i), z)
        shared = (plane & lesion).sum() / (plane | lesion).sum()
        if shared >= best:
            best, label = shared, masks.labels[i]
    return label
