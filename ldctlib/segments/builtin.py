"""A segmenter that needs no weights: organs, vessels, nodules and lesions by their outlines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage

from ldctlib.masks import Masks
from ldctlib.segments.body import PIXEL_MM, body_mask
from ldctlib.segments.candidates import CORE_SCORE
from ldctlib.segments.contrast import smoothed
from ldctlib.segments.hierarchy import Hierarchy
from ldctlib.segments.noise_scale import LEAST_SCALE_HU, compressed, noise_scale, steps
from ldctlib.segments.regions import merging_tree
from ldctlib.segments.select import best_of_nests, without_doubles
from ldctlib.segments.trees import component_tree

# Standard deviation of the Gaussian and reach of the steps, in pixels, for the component trees …
SCALES = ((0.7, 0), (1.5, 1), (3.0, 1))
# … and for the merging tree.
MERGING_SCALE = (1.0, 1)
LIMIT = 300


def segment_slice(
    hu: np.ndarray,
    pixel_mm: float | None = None,
    *,
    limit: int = LIMIT,
    sigma_hu: float | None = None,
    body: np.ndarray | None = None,
) -> list[tuple[np.ndarray, float]]:
    """Masks of everything in a slice that has an outline, the surest first.

    Args:
        hu: (H, W) slice in HU.
        pixel_mm: size of a pixel, 0.7 mm if None; only `body_mask` needs it.
        limit: masks at most.
        sigma_hu: white noise to assume at least; the noise itself is estimated.
        body: boolean (H, W), where the patient is; `body_mask` of the slice if None.

    Returns:
        Pairs of a boolean mask (H, W) and its score, falling; scores of 4 and more are the core.
        None where there is no patient.

    Regions come from max- and min-trees at three scales and one tree of merged watershed regions;
    each is judged by the steps along its outline and its contrast, in units of the local noise, and
    by how many of the trees have it.

    >>> y, x = np.mgrid[:96, :96]
    >>> disc = np.hypot(y - 48, x - 48) < 12
    >>> noise = np.random.default_rng(0).normal(0, 5, disc.shape)
    >>> mask, score = segment_slice(np.where(disc, 100.0, 0.0) + noise, 0.7)[0]
    >>> bool((mask & disc).sum() / (mask | disc).sum() > 0.9), score > 4
    (True, True)
    """
    hu = np.asarray(hu)
    if hu.ndim != 2 or min(hu.shape) < 16 or not np.isfinite(hu).all():
        raise ValueError("A slice to segment is an array (H, W) of finite HU, 16 pixels or more.")
    body = body_mask(hu, pixel_mm or PIXEL_MM) if body is None else body
    if not body.any():
        return []
    soft = compressed(hu)
    trees, signs = _trees(soft, body, sigma_hu or 0.0)
    candidates = best_of_nests(trees, signs, body, *smoothed(soft, body))
    score = candidates.score
    order = np.argsort(-score, kind="stable")
    masks = []
    for c in without_doubles(trees, candidates, order, limit, int(0.4 * limit)):
        tree, node = trees[candidates.tree[c]], candidates.node[c]
        mask = np.zeros(hu.size, bool)
        mask[tree.pixels[tree.start[node] : tree.start[node] + tree.area[node]]] = True
        masks.append((mask.reshape(hu.shape), float(score[c])))
    return masks


def builtin(
    volume: np.ndarray,
    tier: str = "core",
    processes: int | None = None,
    progress: bool = True,
    *,
    pixel_mm: float | None = None,
    body: np.ndarray | None = None,
) -> Masks:
    """Segment every slice of a volume without weights.

    Args:
        volume: (Z, H, W) in HU.
        tier: "core" (score of 4 and more) or "extended" (up to 300 a slice).
        processes: slices at a time, all cores if None; they run as threads without the Python lock.
        progress: show a bar.
        pixel_mm: size of a pixel, 0.7 mm if None.
        body: boolean (Z, H, W), where the patient is; `body_mask` of the volume if None.

    Returns:
        Masks that each lie in one slice, labelled "slice/rank", with scores.
    """
    volume = np.asarray(volume)
    if volume.ndim != 3:
        raise ValueError(f"A volume is an array (Z, H, W), this one has {volume.ndim} axes.")
    if tier not in ("core", "extended"):
        raise ValueError(f"The tier is 'core' or 'extended', not {tier!r}.")
    body = body_mask(volume, pixel_mm or PIXEL_MM) if body is None else body
    least = CORE_SCORE if tier == "core" else -np.inf

    def work(z: int) -> Masks:
        # As runs at once: boolean masks of a whole chest would fill ten gigabytes.
        found = enumerate(segment_slice(volume[z], body=body[z]))
        sure = [(rank, mask, score) for rank, (mask, score) in found if score >= least]
        return Masks.from_slices(
            [(0, mask) for _, mask, _ in sure],
            (1, *volume.shape[1:]),
            [f"{z}/{rank}" for rank, _, _ in sure],
            [score for _, _, score in sure],
        )

    with ThreadPoolExecutor(processes or _cores()) as pool:
        results: Iterable[Masks] = pool.map(work, range(len(volume)))
        if progress:
            from tqdm.auto import tqdm

            results = tqdm(results, total=len(volume), desc="Segmenting", unit="slice")
        return Masks.stack(results)


def _trees(hu: np.ndarray, body: np.ndarray, sigma_hu: float) -> tuple[list[Hierarchy], list[int]]:
    """Max- and min-tree at every scale, then the merging tree; 1, -1 or 0 for each kind."""
    trees, signs = [], []
    for blur, reach in SCALES:
        smooth, right, down, scale = _prepared(hu, body, blur, reach, sigma_hu)
        noise = min(np.percentile(scale[body], 10), np.median(scale[body])) / 1.6
        level = max(0.5 * noise, 0.5)
        for sign in (1, -1):
            trees.append(component_tree(smooth, right, down, level, bright=sign > 0))
            signs.append(sign)
    smooth, right, down, scale = _prepared(hu, body, *MERGING_SCALE, sigma_hu)
    return [*trees, merging_tree(smooth, right, down, scale, body)], [*signs, 0]


def _prepared(
    hu: np.ndarray, body: np.ndarray, blur: float, reach: int, sigma_hu: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed slice, its steps in units of the noise, and the noise."""
    smooth = ndimage.gaussian_filter(hu, blur)
    right, down = steps(smooth, reach)
    # White noise, blurred, then the difference of two pixels 1 + 2 reach apart.
    left = np.exp(-((1 + 2 * reach) ** 2) / (4 * blur**2))
    least = sigma_hu * np.sqrt((1 - left) / (2 * np.pi * blur**2))
    scale = noise_scale([right, down], body, max(least, LEAST_SCALE_HU))
    return smooth, right / scale, down / scale, scale


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
