"""Repeated images of low-contrast discs: the MITA-LCD images of the LCD-CT toolbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ldctlib.scans.catalogue import dataset, fetch_files

METHODS = {"fbp": ("fbp", "<i2", 1000), "network": ("DL_denoised", ">u2", 32768 + 1000)}
DOSES = (10, 55, 100)
REALISATIONS, PIXELS = 10, 256
FIELD_MM = 165.0


@dataclass(frozen=True)
class Insert:
    """A disc of the phantom.

    Args:
        diameter_mm: its diameter.
        contrast_hu: its difference from water.
        centre_px: (row, column).
        turns: quarter turns, counter-clockwise, that bring it to the upper left of the image.
    """

    diameter_mm: float
    contrast_hu: float
    centre_px: tuple[float, float]
    turns: int


INSERTS = {
    "3 mm, 14 HU": Insert(3, 14, (94.6, 160.4), 1),
    "5 mm, 7 HU": Insert(5, 7, (94.6, 94.6), 0),
    "7 mm, 5 HU": Insert(7, 5, (160.4, 94.6), 3),
    "10 mm, 3 HU": Insert(10, 3, (160.4, 160.4), 2),
}


@dataclass(frozen=True)
class LowContrastImages:
    """Independent noisy images with and without four discs.

    Args:
        name: data set, method and dose.
        present: (N, H, W) in HU, with the discs.
        absent: (N, H, W) in HU, of water alone.
        truth: (H, W) in HU, the phantom with discs without noise and blur.
        pixel_mm: pixel size.
        inserts: the discs by name.
        provenance: source, licence and citation.
    """

    name: str
    present: np.ndarray
    absent: np.ndarray
    truth: np.ndarray
    pixel_mm: float
    inserts: Mapping[str, Insert]
    provenance: Mapping[str, str]

    def patches(
        self, insert: str, size: int = 64, places: Literal["own", "all"] = "all"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Square patches with one disc in the middle, and patches without.

        The four discs lie on one circle, 90° apart, round the axis of a scan of 360°: noise at the
        four places is the same up to a quarter turn. All patches are turned as if the disc were
        upper left, so that four times as many patches show the noise alone.

        Args:
            insert: one of ``inserts``.
            size: even number of pixels; up to 64 keep the other discs out.
            places: "own" for signal-absent patches of the disc's own place, "all" for all four.

        Returns:
            (N, size, size) with and (N or 4 N, size, size) without the disc, in HU; the disc's
            centre is within 0.1 pixel of the patch's.
        """
        if insert not in self.inserts:
            raise ValueError(f"There is no insert {insert!r}; there are {list(self.inserts)}.")
        if size % 2 or not 2 <= size <= 64:
            raise ValueError(f"A patch has an even size up to 64 pixels, not {size}.")
        if places not in ("own", "all"):
            raise ValueError(f"places is 'own' or 'all', not {places!r}.")
        own = self.inserts[insert]
        where = [own] if places == "own" else list(self.inserts.values())
        absent = np.concatenate([_patch(self.absent, i, size) for i in where])
        return _patch(self.present, own, size), absent


def mita_lcd(method: str = "fbp", dose: int = 100) -> LowContrastImages:
    """Ten images with and ten without the discs of the MITA-LCD phantom.

    Simulated fan-beam scans of a water cylinder of 150 mm with discs on a circle of 30 mm radius
    (sharp kernel), and images from a denoising network that the authors do not name. The files do
    not give the pixel size: 165 mm for 256 pixels follows from the sizes and places of the discs.
    The noise of the network's images is not correlated with that of the FBP images, and below
    0.2 /mm it has less than half their power while the discs keep their contrast. They are not the
    same scans denoised: compare doses within a method, not the two methods.

    Args:
        method: "fbp" or "network".
        dose: 10, 55 or 100, in percent.

    Raises:
        ValueError: there is no such method or dose.
        ConnectionError: the images could not be downloaded.

    Source: LCD-CT toolbox, U.S. Food and Drug Administration, RST24MD08.01 (CC0).
    """
    if method not in METHODS or dose not in DOSES:
        raise ValueError(
            f"The images are of {' or '.join(METHODS)} at {', '.join(map(str, DOSES))} percent, "
            f"not {method} at {dose}."
        )
    folder, dtype, offset = METHODS[method]
    stacks = []
    for kind in ("signal_present", "signal_absent"):
        files = [
            f"{folder}/dose_{dose:03d}/{kind}/{kind}_{i:03d}.raw"
            for i in range(1, REALISATIONS + 1)
        ]
        raw = [_read(path.read_bytes(), dtype, offset) for path in fetch_files("mita-lcd", files)]
        stacks.append(np.stack(raw))
    truth = fetch_files("mita-lcd", ["fbp/ground_truth.raw"])[0]
    entry = dataset("mita-lcd")
    facts = {key: str(getattr(entry, key)) for key in ("title", "about", "licence", "citation")}
    return LowContrastImages(
        name=f"mita-lcd, {method}, {dose} %",
        present=stacks[0],
        absent=stacks[1],
        truth=_read(truth.read_bytes(), "<i2", 1000),
        pixel_mm=FIELD_MM / PIXELS,
        inserts=INSERTS,
        provenance={"source": "mita-lcd", **facts, "may_show": "yes" if entry.may_show else "no"},
    )


def _read(raw: bytes, dtype: str, offset: int) -> np.ndarray:
    hu = np.frombuffer(raw, dtype).reshape(PIXELS, PIXELS).astype(np.float32)
    return np.asarray(hu - np.float32(offset))


def _patch(images: np.ndarray, insert: Insert, size: int) -> np.ndarray:
    y, x = (round(c + 0.5) - size // 2 for c in insert.centre_px)
    patch = images[:, y : y + size, x : x + size]
    return np.ascontiguousarray(np.rot90(patch, insert.turns, axes=(1, 2)))
