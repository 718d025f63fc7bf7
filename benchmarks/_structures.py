"""Slices whose structures are known: ldctlib's phantoms, and a crowded test image of ellipses."""

from __future__ import annotations

import re

import numpy as np
from scipy import ndimage

from ldctlib.scans import open_scan

SIZE = 512
# Parts of one thing that touch and have the same HU are one structure …
ONE_THING = {
    "portal": "portal|splenic-vein",
    "artery": "aorta|coeliac|splenic-artery|hepatic-artery",
    "caval": "hepatic-vein|vena-cava",
    "airway": "trachea|bronchus",
    "lung-vessel": "lung-vessel|pulmonary-artery",
}
# … and what lies around the organs, sheets and walls of the trunk, is none.
AROUND = re.compile(
    "skin|fat|wall|couch|rest|cartilage|muscle|pectoralis|serratus|scapularis|spinatus|teres|"
    "latissimus|rhomboid|trapezius|erector|rectus|psoas|quadratus|crus|scalp|temporalis|csf|"
    "matter|falx|tentorium|cistern"
)


def ct_noise(sigma_hu: float, seed: int) -> np.ndarray:
    """Noise (512, 512) with the spectrum of filtered backprojection and a soft kernel."""
    f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))
    noise = np.fft.irfft2(white * np.sqrt(f * np.exp(-((f / 0.22) ** 2))))
    return sigma_hu * noise / noise.std()


def contrast_hu(hu: np.ndarray, mask: np.ndarray) -> float:
    """What three quarters of a ring of 4 pixels around the mask differ from its median."""
    y, x = (
        slice(max(s.start - 6, 0), s.stop + 6) for s in ndimage.find_objects(mask.astype(int))[0]
    )
    distance = ndimage.distance_transform_edt(~mask[y, x])
    ring = hu[y, x][(distance > 1.2) & (distance <= 4)]
    return float(np.percentile(np.abs(ring - np.median(hu[mask])), 25)) if ring.size else 0.0


def phantom(anatomy: str, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A slice of a phantom without noise, and its structures, one mask a connected piece."""
    scan = open_scan(f"phantom-{anatomy}", seed=seed, shape=(1, SIZE, SIZE))
    structures, together = scan.masks["structures"], {}
    for i, label in enumerate(structures.labels):
        name = re.sub(r"-\d+", "", label)
        name = next((k for k, pattern in ONE_THING.items() if re.match(pattern, name)), name)
        if not AROUND.search(name):
            union = together.setdefault(name, np.zeros((SIZE, SIZE), bool))
            union |= structures.boolean(i)[0]
    pieces = [ndimage.label(union) for union in together.values()]
    return scan.hu[0], [labels == k for labels, count in pieces for k in range(1, count + 1)]


def ellipses(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A crowded slice: two lungs with vessels and nodules, a liver with vessels and lesions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    hu, truths = np.full((SIZE, SIZE), -1000.0), []

    def texture(sigma: float, slope: float) -> np.ndarray:
        f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))
        white = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
        field = np.fft.irfft2(white * np.where(f > 0, np.maximum(f, 1 / 128) ** -slope, 0))
        return sigma * field / field.std()

    def paint(cx, cy, a, b, value, turn=0.0, *, add=False, known=True) -> np.ndarray:
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        bearing = np.arctan2(v / b, u / a)
        bumps = sum(rng.uniform(-0.03, 0.03) * np.cos(k * bearing + k) for k in (2, 3, 5))
        cover = np.clip(0.5 + (1 - np.hypot(u / a, v / b) * (1 + bumps)) * np.sqrt(a * b), 0, 1)
        hu[...] = hu + cover * value if add else hu * (1 - cover) + cover * value
        mask = cover >= 0.5
        if known and mask.sum() >= 4:
            truths.append(mask)
        return mask

    paint(256, 260, 230, 175, -100 + texture(6, 1.5))
    paint(256, 260, 208, 155, 50 + texture(8, 1.5), known=False)
    lungs = paint(150, 245, 66, 100, -850 + texture(22, 1)) | paint(
        350, 200, 60, 58, -850 + texture(22, 1)
    )
    liver = paint(350, 325, 76, 60, 105 + texture(6, 1.5), 0.25)
    paint(252, 190, 36, 34, 130 + texture(6, 1.5), 0.3)
    paint(245, 262, 17, 15, 150)
    paint(256, 345, 30, 24, 600)
    paint(256, 345, 25, 19, 220 + texture(40, 0.7), known=False)
    for angle in np.linspace(0.3, 6.0, 11):
        paint(256 + 197 * np.cos(angle), 260 + 146 * np.sin(angle), 15, 6, 700, angle + np.pi / 2)
    taken = np.zeros((SIZE, SIZE), bool)

    def scatter(region, count, radii, values, *, add, longest=1.0) -> None:
        depth = ndimage.distance_transform_edt(region)
        for radius in sorted(np.exp(rng.uniform(*np.log(radii), count)), reverse=True):
            a = min(radius * rng.choice([1, longest]), 20)
            free = (depth > a + 2) & (ndimage.distance_transform_edt(~taken) > a + 2)
            if not free.any():
                continue
            cy, cx = rng.choice(np.argwhere(free)) + rng.uniform(-0.5, 0.5, 2)
            mask = paint(cx, cy, a, radius, rng.uniform(*values), rng.uniform(0, 3), add=add)
            taken[mask] = True

    scatter(liver, 14, (3, 14), (-40, -10), add=True)
    scatter(liver, 25, (1.2, 5), (30, 80), add=True, longest=3)
    scatter(lungs, 14, (2, 10), (-50, 80), add=False)
    scatter(lungs, 5, (2, 8), (-650, -350), add=False)
    scatter(lungs, 45, (1.2, 5), (0, 60), add=False, longest=4)
    return ndimage.gaussian_filter(hu, 0.7), truths
