"""How much can vanish before a metric notices? The recall experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Protocol

import numba
import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from ldctlib.hallucinations.exact import ExactRemoval
from ldctlib.hallucinations.inpaint import Inpainter
from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.removal_results import RemovalResults
from ldctlib.hallucinations.scores import Scores
from ldctlib.hallucinations.structures import oracle_segments, require_visible
from ldctlib.masks import Masks
from ldctlib.metrics import FULL_RANGE, OF_ERROR
from ldctlib.metrics.fixed_error import FixedReference
from ldctlib.scans import Scan
from ldctlib.units import WINDOW_OF_ANATOMY, Window


class Removal(Protocol):
    """What changes, in HU (Z, H, W), when some of the structures are removed."""

    def __call__(self, chosen: Sequence[int], rng: np.random.Generator) -> np.ndarray:
        """Of the structures at these positions."""


def removal_experiment(
    patient: LesionPair,
    segments: Masks | None = None,
    *,
    fractions: Sequence[float] = (0.02, 0.1),
    noise_hu: Sequence[float] = (10, 20, 40, 80, 160),
    pairs: int = 100,
    metrics: Sequence[str] = OF_ERROR,
    trade: float = 0.02,
    noise_blur_px: float = 0.0,
    window: Window | None = None,
    full_range_hu: tuple[float, float] = FULL_RANGE,
    least_change_hu: float = 20.0,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> RemovalResults:
    """Remove structures, add noise, and ask metrics which of two images is worse.

    A pair is two images of the same patient, one whole and one from which a random share of the
    structures was removed; each has noise of its own, for with shared noise every metric would
    find the change. A metric that is right half of the time does not see the structures at all.
    Within a pair the noise is drawn once for each image, and scaled to every level.

    Args:
        patient: with the structures it is what metrics compare with, as free of noise as possible;
            at least two structures may be removed. Where the patient without them is ``exact``
            they must not touch each other; else each pair fills their place anew, as
            `remove_structures` does.
        segments: in which metrics of segments look; None takes `oracle_segments`.
        fractions: shares of the structures to remove, rounded up to whole structures.
        noise_hu: standard deviations of the noise in HU.
        pairs: how many pairs are drawn.
        metrics: names from `OF_ERROR`, see `MEASURES`.
        trade: relative excess of noise of the whole image in the noise trade.
        noise_blur_px: width of a Gaussian that makes neighbouring pixels of the noise alike; 0 is
            white noise.
        window: of windowed metrics; that of the anatomy if None, and for a scan without
            one the range from its 1st to its 99th percentile.
        full_range_hu: (low, high) of SSIM that is not windowed.
        least_change_hu: how much a removed structure must change its voxels on average.
        seed: of structures, textures and noise.
        workers: threads; all that numba has if None. Results do not depend on it.
        progress: whether to show a progress bar.

    Raises:
        ValueError: an argument out of its range, or structures that cannot be removed so.

    Source: the experiment is from Kachelriess, Problems in assessing AI image quality.
    """
    reference, structures = patient.present, patient.lesions
    _check(patient, segments, fractions, noise_hu, pairs, trade)
    removal = _removal(patient, least_change_hu)
    fixed = FixedReference(
        reference.hu,
        oracle_segments(structures) if segments is None else segments,
        _window(reference) if window is None else window,
        full_range_hu,
        noise_blur_px,
    )
    scores = Scores(metrics, fixed)
    counts = tuple(ceil(round(q * len(structures), 9)) for q in fractions)
    drawn = []
    with _threads(workers):
        for child in tqdm(np.random.SeedSequence(seed).spawn(pairs), "pairs", disable=not progress):
            pair = _Pair(reference.shape, child, noise_blur_px)
            drawn.append(pair.asked(removal, len(structures), counts, noise_hu, trade, scores))
    whole, removed, noisier, changed, power = (
        np.stack(p, axis=-1) for p in zip(*drawn, strict=True)
    )
    levels = tuple(map(float, noise_hu))
    return RemovalResults(
        scores.names,
        tuple(map(float, fractions)),
        levels,
        trade,
        whole,
        removed,
        noisier,
        counts,
        changed,
        power,
    )


class _Pair:
    """The noise of the two images of a pair, and what the metrics say of them."""

    def __init__(
        self, shape: tuple[int, int, int], seed: np.random.SeedSequence, blur_px: float
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.noises = [_noise(shape, blur_px, self.rng) for _ in range(2)]

    def asked(
        self,
        removal: Removal,
        structures: int,
        counts: Sequence[int],
        noise_hu: Sequence[float],
        trade: float,
        scores: Scores,
    ) -> tuple[np.ndarray, ...]:
        """Values (M, N), (M, Q, N), (M, N), and the sizes of the changes (Q,), (Q,)."""
        order = self.rng.permutation(structures)
        changes = [removal(order[:count].tolist(), self.rng) for count in counts]
        levels = [np.float32(sigma) for sigma in noise_hu]
        more = np.float32(1 + trade)
        one, other = self.noises
        whole = np.stack([scores(sigma * one) for sigma in levels], -1)
        noisier = np.stack([scores(more * sigma * one) for sigma in levels], -1) if trade else whole
        removed = [
            np.stack([scores(change + sigma * other) for sigma in levels], -1) for change in changes
        ]
        changed = np.array([np.count_nonzero(change) / change.size for change in changes])
        power = np.array([np.square(change, dtype=np.float64).sum() for change in changes])
        return whole, np.stack(removed, 1), noisier, changed, power


def _noise(shape: tuple[int, int, int], blur_px: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of variance 1, float32; blurred in the slices if asked for."""
    noise = rng.standard_normal(shape, np.float32)
    if not blur_px:
        return noise
    point = np.zeros(shape[1:], np.float32)
    point[0, 0] = 1
    strength = np.sqrt(np.square(gaussian_filter(point, blur_px, mode="wrap")).sum())
    blurred: np.ndarray = gaussian_filter(noise, (0, blur_px, blur_px), mode="wrap") / strength
    return blurred


def _removal(patient: LesionPair, least_change_hu: float) -> Removal:
    if patient.exact:
        return ExactRemoval(patient, least_change_hu)
    inpainter = Inpainter(patient.present, patient.lesions)
    _, seen = inpainter.alone(np.random.default_rng(0)).T
    require_visible(seen, patient.lesions.labels, least_change_hu, patient.present.name)
    return inpainter


def _window(reference: Scan) -> Window:
    if reference.anatomy is not None:
        return WINDOW_OF_ANATOMY[reference.anatomy]
    low, high = np.percentile(reference.hu, (1, 99))
    return (float(low + high) / 2, max(float(high - low), 1.0))


def _check(
    patient: LesionPair,
    segments: Masks | None,
    fractions: Sequence[float],
    noise_hu: Sequence[float],
    pairs: int,
    trade: float,
) -> None:
    scan = patient.present
    if segments is not None and segments.shape != scan.shape:
        raise ValueError(f"Masks lie on {segments.shape}, {scan.name} on {scan.shape}.")
    if len(patient.lesions) < 2:
        raise ValueError("The experiment needs at least two structures; see split_structures.")
    if not fractions or not all(0 <= q <= 1 for q in fractions):
        raise ValueError(f"fractions are shares between 0 and 1, not {tuple(fractions)}.")
    if not noise_hu or not all(sigma >= 0 for sigma in noise_hu):
        raise ValueError(f"noise_hu are standard deviations, not {tuple(noise_hu)}.")
    if pairs < 1 or trade < 0:
        raise ValueError(f"pairs and trade must be positive, not {pairs} and {trade}.")


@contextmanager
def _threads(workers: int | None) -> Iterator[None]:
    """Numba on so many threads; afterwards it and torch, which shares them, have theirs back."""
    before, of_torch = numba.get_num_threads(), torch.get_num_threads()
    most: int = vars(numba.config)["NUMBA_NUM_THREADS"]
    if workers is not None and not 1 <= workers <= most:
        raise ValueError(f"workers are threads, 1 to {most} here, not {workers}.")
    numba.set_num_threads(workers or before)
    try:
        yield
    finally:
        numba.set_num_threads(before)
        torch.set_num_threads(of_torch)
