"""Visual information fidelity in the pixel domain (VIFp)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numba
import numpy as np
import torch

from ldctlib.metrics._inputs import Image, Reduce, as_slices, clip_to_range, reduced
from ldctlib.metrics._moments import (
    filter_valid,
    filter_valid_torch,
    gaussian_kernel,
    local_moments,
    local_moments_torch,
)
from ldctlib.units import Window

KERNELS = tuple(gaussian_kernel(size, size / 5) for size in (17, 9, 5, 3))
TINY = 1e-10


def vif(
    test: Image,
    reference: Image,
    *,
    window: Window | None = None,
    data_range: tuple[float, float] | None = None,
    noise_variance: float = 2.0,
    convention: Literal["sheikh", "ldctbench"] = "sheikh",
    reduce: Reduce = "mean",
) -> Any:
    """Visual information fidelity: what the test image tells of the scene, as the reference does.

    VIF is not symmetric, and it has a scale: ``noise_variance`` is in the squared units of the
    image, here HU^2, so that values of rescaled images cannot be compared with these.

    Args:
        test: image (H, W) or volume (Z, H, W) in HU, numpy or torch; sides of 41 pixels or more.
        reference: the truth, same shape.
        window: clip both to this window first.
        data_range: clip both to (low, high) in HU first; the benchmark takes (-1024, 1900).
        noise_variance: variance of the noise of the visual system, in HU^2.
        convention: "sheikh": reference and test as in the paper; "ldctbench": the two exchanged,
            as the published benchmark calls it.
        reduce: "mean" over the slices, or "none" for one value a slice.

    Returns:
        1 for identical images, usually less; above 1 if the test has more contrast. A constant
        reference gives 1 if the test equals it, else 0.

    Raises:
        ValueError: shapes differ, a value is not finite, or the image is too small.

    Source: Sheikh and Bovik, IEEE Trans Image Process 15, 430 (2006), doi:10.1109/TIP.2005.859378;
    scales and window sizes as in the authors' pixel-domain program.

    >>> wave = 100 * np.sin(np.arange(64 * 64).reshape(64, 64))
    >>> round(vif(wave, wave), 9), vif(0.5 * wave, wave) < 1 < vif(2 * wave, wave)
    (1.0, True)
    """
    told = information(
        test,
        reference,
        window=window,
        data_range=data_range,
        noise_variance=noise_variance,
        convention=convention,
    )
    return reduced(told.fidelity(), reduce)


class Information(NamedTuple):
    """What VIF is the ratio of, slice by slice, each (Z,).

    Args:
        told: information in the test image about the scene.
        there: information in the reference.
        same: whether the two images are equal.
    """

    told: Any
    there: Any
    same: Any

    def fidelity(self) -> Any:
        """VIF of each slice."""
        if isinstance(self.told, torch.Tensor):
            ratio = self.told / self.there.clamp(min=TINY)
            return torch.where(self.there > 0, ratio, self.same.to(ratio.dtype))
        ratio = self.told / np.maximum(self.there, TINY)
        return np.where(self.there > 0, ratio, self.same.astype(float))

    def of_volume(self) -> Information:
        """The information of all slices together, as if they were one image."""
        return Information(self.told.sum()[None], self.there.sum()[None], self.same.all()[None])


def information(
    test: Image,
    reference: Image,
    *,
    window: Window | None = None,
    data_range: tuple[float, float] | None = None,
    noise_variance: float = 2.0,
    convention: Literal["sheikh", "ldctbench"] = "sheikh",
) -> Information:
    """The two terms of VIF; arguments and errors as in `vif`.

    >>> noise = np.random.default_rng(0).normal(0, 50, (3, 48, 48))
    >>> terms = information(0.9 * noise, noise)
    >>> terms.told.shape, terms.of_volume().fidelity().round(2)
    ((3,), array([0.97]))
    """
    x, y = as_slices(test, reference)
    if isinstance(data_range, (int, float)):
        raise ValueError("VIF has no range, only a unit: data_range is (low, high) to clip to.")
    x, y, _ = clip_to_range(x, y, window, data_range)
    if min(x.shape[-2:]) < 41:
        raise ValueError(f"VIF needs at least 41 x 41 pixels, not {tuple(x.shape[-2:])}.")
    if convention == "ldctbench":
        x, y = y, x
    elif convention != "sheikh":
        raise ValueError(f"convention is 'sheikh' or 'ldctbench', not {convention!r}.")
    same = (x == y).all(-1).all(-1)
    if isinstance(x, torch.Tensor):
        return Information(*_terms_torch(x, y, noise_variance), same)
    terms = _terms(x, y, noise_variance, KERNELS)
    return Information(terms[:, 0], terms[:, 1], same)


@numba.njit(cache=True, parallel=True)
def _terms(
    test: np.ndarray, reference: np.ndarray, noise_variance: float, kernels: tuple[np.ndarray, ...]
) -> np.ndarray:
    terms = np.zeros((len(test), 2))
    for z in numba.prange(len(test)):
        t, r = test[z], reference[z]
        for scale in range(4):
            if scale > 0:
                t = filter_valid(t, kernels[scale])[::2, ::2].copy()
                r = filter_valid(r, kernels[scale])[::2, ::2].copy()
            _, _, vr, vt, cov = local_moments(r, t, kernels[scale])
            told, there = _information(vr, vt, cov, noise_variance)
            terms[z, 0] += told
            terms[z, 1] += there
    return terms


@numba.njit(cache=True)
def _information(
    vr: np.ndarray, vt: np.ndarray, cov: np.ndarray, noise_variance: float
) -> tuple[float, float]:
    """Sums of log(1 + signal / noise) in the test and in the reference: the paper's two terms."""
    told, there = 0.0, 0.0
    for i in range(vr.shape[0]):
        for j in range(vr.shape[1]):
            r, t = max(vr[i, j], 0.0), max(vt[i, j], 0.0)
            gain = cov[i, j] / (r + TINY)
            rest = t - gain * cov[i, j]
            if r < TINY:
                gain, rest, r = 0.0, t, 0.0
            if t < TINY:
                gain, rest = 0.0, 0.0
            if gain < 0:
                gain, rest = 0.0, t
            told += np.log(1 + gain * gain * r / (max(rest, TINY) + noise_variance))
            there += np.log(1 + r / noise_variance)
    return told, there


def _terms_torch(
    test: torch.Tensor, reference: torch.Tensor, noise_variance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    told = torch.zeros(len(test), dtype=test.dtype, device=test.device)
    there = torch.zeros_like(told)
    t, r = test, reference
    for scale, kernel in enumerate(KERNELS):
        if scale > 0:
            t = filter_valid_torch(t, kernel)[:, ::2, ::2]
            r = filter_valid_torch(r, kernel)[:, ::2, ::2]
        _, _, vr, vt, cov = local_moments_torch(r, t, kernel)
        vr, vt = vr.clamp(min=0), vt.clamp(min=0)
        gain = cov / (vr + TINY)
        rest = vt - gain * cov
        blank, lost, turned = vr < TINY, vt < TINY, gain < 0
        rest = torch.where(blank | turned, vt, rest)
        rest = torch.where(lost, 0, rest).clamp(min=TINY)
        gain = torch.where(blank | lost | turned, 0, gain)
        vr = torch.where(blank, 0, vr)
        told = told + torch.log1p(gain**2 * vr / (rest + noise_variance)).sum((-2, -1))
        there = there + torch.log1p(vr / noise_variance).sum((-2, -1))
    return told, there
