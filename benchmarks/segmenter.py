"""What the segmenter without weights finds, beside Felzenszwalb, watershed and LoG."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from _structures import SIZE, contrast_hu, ct_noise, ellipses, phantom
from _table import record
from scipy import ndimage, sparse

from ldctlib.physics import expose
from ldctlib.scans import Scan
from ldctlib.segments import body_mask, segment
from ldctlib.segments.builtin import CORE_SCORE, LIMIT, segment_slice
from ldctlib.segments.noise_scale import compressed

# Seeds far from those that the score was fitted on (below 300).
FIRST_SEED = 500
CURVE = (0, 5, 10, 15, 20, 30, 50, 100, np.inf)


# A method returns flat pixel indices, one array a region, the best first.
Regions = list[np.ndarray]


def felzenszwalb_regions(hu: np.ndarray) -> Regions:
    """Felzenszwalb's segmentation at four scales."""
    from skimage.segmentation import felzenszwalb

    image = (compressed(hu) + 1050) / 1500  # its scale is meant for grey values of 0 to 1
    maps = [felzenszwalb(image, scale, sigma=0.8, min_size=10) for scale in (3, 20, 100, 400)]
    return _ranked(hu, maps)


def watershed_regions(hu: np.ndarray) -> Regions:
    """Watershed of the gradient from its minima at three scales."""
    from skimage.segmentation import watershed

    soft = compressed(hu)
    slopes = [ndimage.gaussian_gradient_magnitude(soft, sigma) for sigma in (1, 2, 4)]
    return _ranked(hu, [watershed(slope) for slope in slopes])


def blobs(hu: np.ndarray) -> Regions:
    """Extrema of the Laplacian of Gaussian, each a disc of its scale, the strongest first."""
    from skimage.feature import peak_local_max

    soft, body = compressed(hu), body_mask(hu)
    sigmas = 1.5 * 1.35 ** np.arange(8)
    stack = np.stack([s**2 * ndimage.gaussian_laplace(soft, s) for s in sigmas])
    peaks = peak_local_max(np.abs(stack) * body, threshold_abs=1, exclude_border=False)
    strength = np.abs(stack[tuple(peaks.T)])
    y, x = np.mgrid[:SIZE, :SIZE]
    peaks = peaks[np.argsort(-strength)][:3000]
    discs = [np.hypot(y - cy, x - cx) <= np.sqrt(2) * sigmas[k] for k, cy, cx in peaks]
    return [np.flatnonzero(disc & body) for disc in discs]


def _ranked(hu: np.ndarray, maps: list[np.ndarray]) -> Regions:
    """Regions of 8 pixels and more in the body, by mean gradient and root of the outline."""
    slope, body = ndimage.gaussian_gradient_magnitude(compressed(hu), 1), body_mask(hu)
    strengths, regions = [], []
    for labels in maps:
        labels = labels - labels.min()
        rim = labels != ndimage.minimum_filter(labels, 3)
        rim |= labels != ndimage.maximum_filter(labels, 3)
        size = np.bincount(labels.ravel())
        outline = np.maximum(np.bincount(labels[rim], minlength=size.size), 1)
        strength = np.bincount(labels[rim], slope[rim], minlength=size.size) / np.sqrt(outline)
        inside = np.bincount(labels[body], minlength=size.size)
        usable = (size >= 8) & (size <= hu.size / 2) & (inside >= size / 2)
        pieces = np.split(np.argsort(labels.ravel(), kind="stable"), np.cumsum(size)[:-1])
        strengths += list(strength[usable])
        regions += [pieces[k] for k in np.flatnonzero(usable)]
    return [regions[k] for k in np.argsort(-np.array(strengths), kind="stable")]


def core_masks(hu: np.ndarray) -> Regions:
    found = segment_slice(hu)
    return [np.flatnonzero(mask) for mask, score in found if score >= CORE_SCORE]


def extended_masks(hu: np.ndarray) -> Regions:
    return [np.flatnonzero(mask) for mask, _ in segment_slice(hu)]


METHODS: dict[str, Callable[[np.ndarray], Regions]] = {
    "builtin, extended": extended_masks,
    "builtin, core": core_masks,
    "Felzenszwalb": felzenszwalb_regions,
    "watershed": watershed_regions,
    "LoG": blobs,
}


def overlaps(regions: Regions, truths: list[np.ndarray]) -> np.ndarray:
    """Intersection over union (regions, truths)."""
    a, b = _rows(regions), _rows([np.flatnonzero(truth) for truth in truths])
    shared = (a @ b.T).toarray()
    return shared / (a.getnnz(1)[:, None] + b.getnnz(1) - shared)


def _rows(regions: Regions) -> sparse.csr_matrix:
    ends = np.cumsum([0, *map(len, regions)])
    indices = np.concatenate([np.zeros(0, np.int64), *regions])
    return sparse.csr_matrix(
        (np.ones(ends[-1], np.float32), indices, ends), shape=(len(regions), SIZE * SIZE)
    )


def measure(slices: int, sigmas: tuple[float, ...], kinds: tuple[str, ...]) -> list[dict]:
    """One row a method, kind of slice and noise."""
    truths = {}
    for kind in kinds:
        for seed in range(FIRST_SEED, FIRST_SEED + slices):
            hu, masks = ellipses(seed) if kind == "ellipses" else phantom(kind, seed)
            size = [mask.sum() for mask in masks]
            truths[kind, seed] = hu, masks, size, [contrast_hu(hu, mask) for mask in masks]
    segment_slice(next(iter(truths.values()))[0])  # compiles
    rows = []
    for name, method in METHODS.items():
        for kind in kinds:
            for sigma in sigmas:
                rows.append(_row(name, method, kind, sigma, truths))
                print(rows[-1], flush=True)
    return rows


def _row(name: str, method: Callable, kind: str, sigma: float, truths: dict) -> dict:
    hits, anyhow, areas, contrasts = [], [], [], []
    precise, seconds, counts = [], [], []
    for (this, seed), (hu, masks, size, contrast) in truths.items():
        if this != kind:
            continue
        noisy = hu + ct_noise(sigma, seed)
        begin = time.process_time()
        found = method(noisy)
        seconds.append(time.process_time() - begin)
        iou = overlaps(found, masks)
        anyhow += list(iou.max(0) >= 0.5)
        iou = iou[:LIMIT]
        hits += list(iou.max(0) >= 0.5)
        precise.append((iou.max(1) >= 0.5).mean())
        counts.append(len(found))
        areas += size
        contrasts += contrast
    hit, area, steps = np.array(hits), np.array(areas), np.array(contrasts) / sigma
    target = (area > 16) & (steps > 2)
    evidence = np.where(area > 16, steps * np.sqrt(area), -1)
    row = {"method": name, "slices": kind, "noise HU": sigma, "regions": float(np.mean(counts))}
    row |= {"structures": int(target.sum()), "recall": float(hit[target].mean())}
    row["recall of all regions"] = float(np.array(anyhow)[target].mean())
    for low, high in zip(CURVE, CURVE[1:], strict=False):
        within = (evidence >= low) & (evidence < high)
        if within.any():
            text = f"{low:g}+" if np.isinf(high) else f"{low:g}–{high:g}"
            row[text] = f"{hit[within].mean():.2f} ({within.sum()})"
    row |= {"all": float(hit.mean()), "matched masks": float(np.mean(precise))}
    return row | {"CPU s a slice": float(np.median(seconds))}


def in_noise(slices: int) -> list[dict]:
    """False masks in discs of water and noise, where nothing is to be found: one row a noise."""
    y, x = np.indices((SIZE, SIZE)) - SIZE / 2
    water = np.where(np.hypot(y, x) < 200, 60.0, -1000.0)
    kinds = {
        f"synthetic, {sigma:g} HU": np.stack(
            [ndimage.gaussian_filter(water, 0.7) + ct_noise(sigma, seed) for seed in range(slices)]
        )
        for sigma in (10.0, 30.0)
    }
    disc = Scan(np.repeat(water[None], slices, 0).astype(np.float32), (1.0, 0.7, 0.7), "disc")
    for kernel in ("soft", "standard", "sharp"):
        exam = expose(disc, 0.1, preset="clinical", kernel=kernel, keep_sinogram=False)
        kinds[f"reconstructed, {kernel} kernel"] = exam.low.hu
    rows = []
    for name, volume in kinds.items():
        # Without the disc itself: what fills the body is no segment.
        scores = segment(disc.with_hu(volume), tier="extended", progress=False).scores
        rows.append(
            {
                "noise": name,
                "HU": float(volume[:, 200:312, 200:312].std()),
                "discs": slices,
                "core masks": int((scores >= CORE_SCORE).sum()),
                "highest score": float(scores.max()),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=4, help="of every kind and noise")
    parser.add_argument("--kinds", nargs="+", default=["ellipses", "chest", "abdomen"])
    parser.add_argument("--noise", nargs="+", type=float, default=[10.0, 30.0], help="HU")
    parser.add_argument("--discs", type=int, default=8, help="of every kind of noise")
    options = parser.parse_args()
    record(
        "segmenter_noise",
        in_noise(options.discs),
        f"python benchmarks/segmenter.py --discs {options.discs}",
        note="Discs of water with noise and nothing else. A core mask has a score of 4 or more.",
    )
    rows = measure(options.slices, tuple(options.noise), tuple(options.kinds))
    record(
        "segmenter",
        rows,
        f"python benchmarks/segmenter.py --slices {options.slices}",
        note="Recall at IoU >= 0.5 of structures of over 2 sigma and 16 pixels by the best 300 "
        "regions and by all; then of all structures over 16 pixels, by contrast * sqrt(area) / "
        "sigma (number). The builtin segmenter ranks by its score, the others by the gradient "
        "along the outline or the strength of the response. CPU time of one process.",
    )


if __name__ == "__main__":
    main()
