"""Compare a denoised scan with the full dose, segment by segment, and flag what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from ldctlib.hallucinations.excess import excess, freedom
from ldctlib.hallucinations.flags import Flag, Flags
from ldctlib.hallucinations.rings import contrast, contrast_noise, rings
from ldctlib.masks import Masks
from ldctlib.metrics.multiplicity import adjusted
from ldctlib.metrics.residual_noise import local_noise, noise_autocorrelation
from ldctlib.metrics.srmse import srmse
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.scans.scan import Scan

RULES = ("either", "tolerance", "bias")


def flag(
    low: Scan | np.ndarray,
    denoised: Scan | np.ndarray,
    reference: Scan | np.ndarray,
    masks: Masks,
    *,
    denoised_masks: Masks | None = None,
    alpha: float = 0.05,
    rule: str = "either",
    multiplicity: str = "benjamini-hochberg",
    tolerance: float = 3.0,
    threshold: float | None = None,
    kept: float = 0.5,
) -> Flags:
    """Flag the segments that denoising removed, introduced or changed.

    With u = SRMSE of the low dose and v = SRMSE of the denoised scan, a segment is flagged by its

    - tolerance: v is larger than u by more than 3 standard deviations of what noise of the low
      dose's strength and grain makes of the two, see `excess`. If the errors are uncorrelated,
      that is v > u exp(3 / sqrt(nu - 1)), with nu = n^2 / sum r_ij^2 independent pixels among n.
    - bias: its mean error is larger than the low dose's coloured noise explains, at the level
      ``alpha`` after allowing for the number of segments. A denoiser that keeps the mean of a
      segment keeps that noise's mean, hence the low dose's standard error.

    Its kind follows from its contrast c against the ring around it: "removed" if less than half
    of the full dose's contrast is left, "introduced" if less than half of its contrast was there,
    "changed" otherwise, or where the two contrasts differ by less than ``tolerance`` standard
    errors of a contrast in the low dose's coloured noise, in which mask and ring err together.

    Level and autocorrelation r of the noise are measured on low minus reference, see
    `metrics.local_noise` and `metrics.noise_autocorrelation`. Slices are taken as independent: of
    masks that go through several thin or overlapping slices, too many are flagged.

    Args:
        low: low-dose scan or volume (Z, H, W) in HU.
        denoised: the same, denoised.
        reference: the full dose, or the truth.
        masks: segments of the reference. They never hold what was introduced.
        denoised_masks: segments of the denoised scan, to find that as well.
        alpha: level of the bias rule.
        rule: "either", "tolerance" or "bias".
        multiplicity: "benjamini-hochberg", "bonferroni" or "none", see `metrics.adjusted`.
        tolerance: the 3 above, in standard deviations of noise: a normal variable exceeds 3 in
            0.13 % of segments.
        threshold: instead of both rules, flag where the absolute standardised bias is larger; as
            from `conformal_threshold`.
        kept: the half above.

    Returns:
        The segments, in order of suspicion.

    Raises:
        ValueError: grids differ, there is no mask or an empty one, a value is not finite, or the
            rule is unknown.

    Source: Kachelriess, Problems in assessing AI image quality, compares the two errors of every
    segment; for the rules see `excess` and `metrics.standardised_bias`.
    """
    if rule not in RULES:
        raise ValueError(f"A segment is flagged by one of {', '.join(RULES)}, not by {rule!r}.")
    scans = {"full dose": reference, "denoised": denoised, "low dose": low}
    volumes = {name: _volume(name, scan, masks) for name, scan in scans.items()}
    full, clean, noisy = volumes.values()
    sets = {"reference": masks, **({"denoised": denoised_masks} if denoised_masks else {})}
    every = Masks.concatenate(sets.values())
    if len(every) == 0:
        raise ValueError("There is no segment to compare: the masks are empty.")
    u, v = srmse(noisy, full, every), srmse(clean, full, every)
    sigma, table = local_noise(noisy, full, every), noise_autocorrelation(noisy, full, every)
    z = standardised_bias(clean, full, every, sigma_hu=sigma, correlation_px=table)
    p = adjusted(2 * norm.sf(np.abs(z)), multiplicity)
    larger = excess(u, v, srmse(clean, noisy, every), freedom(every, table))
    rules = {"tolerance": larger > tolerance, "bias": p <= alpha}
    rules["either"] = rules["tolerance"] | rules["bias"]
    flagged = rules[rule] if threshold is None else np.abs(z) > threshold
    around = rings(every)
    contrasts = [contrast(volume, every, around) for volume in (full, clean, noisy)]
    bias_hu = (every.sum_over(clean) - every.sum_over(full)) / every.areas
    least_hu = tolerance * sigma * contrast_noise(every, around, table)
    kinds = _kinds(contrasts[0], contrasts[1], least_hu, kept)
    sources = [name for name, part in sets.items() for _ in range(len(part))]
    facts = (sources, every.largest_slices.tolist(), every.areas, u, v, larger, bias_hu, z, p)
    rows = list(zip(every.labels, *facts, *contrasts, kinds, flagged, strict=True))
    changed = flagged & (np.array(kinds) == "changed")
    order = np.lexsort((u - v, changed, ~flagged))
    records = tuple(_record(rows[i]) for i in order)
    return Flags(records, every.select(order), volumes, _told(rule, alpha, tolerance, threshold))


def _volume(name: str, scan: Scan | np.ndarray, masks: Masks) -> np.ndarray:
    hu = np.asarray(scan.hu if isinstance(scan, Scan) else scan)
    if hu.shape != masks.shape:
        raise ValueError(f"The {name} scan is {hu.shape}, but the masks lie on {masks.shape}.")
    return hu


def _kinds(
    full: np.ndarray, denoised: np.ndarray, tolerance_hu: np.ndarray, kept: float
) -> list[str]:
    """The kind of every segment from its contrast at full dose and after denoising.

    >>> full, denoised = np.array([50.0, 2.0, 50.0, 0.0]), np.array([10.0, 30.0, 40.0, 3.0])
    >>> _kinds(full, denoised, np.full(4, 5.0), 0.5)
    ['removed', 'introduced', 'changed', 'changed']
    """
    left = np.sign(full) * denoised < kept * np.abs(full)
    there = np.sign(denoised) * full < kept * np.abs(denoised)
    clear = np.abs(denoised - full) > tolerance_hu
    fell = np.abs(denoised) < np.abs(full)  # decides where the contrast changed its sign
    kinds = np.where(left & fell, "removed", np.where(there & ~fell, "introduced", "changed"))
    return list(map(str, np.where(clear, kinds, "changed")))


def _record(row: tuple[Any, ...]) -> Flag:
    """A record of plain Python values."""
    return Flag(*(value.item() if isinstance(value, np.generic) else value for value in row))


def _told(rule: str, alpha: float, tolerance: float, threshold: float | None) -> str:
    if threshold is not None:
        return f"standardised bias over {threshold:.3g}"
    told = {"tolerance": f"SRMSE {tolerance:g} SD beyond", "bias": f"bias at level {alpha:g}"}
    return " or ".join(told.values()) if rule == "either" else told[rule]
