"""Radiomic feature similarity: does an organ still look the same to a radiomics programme?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from ldctlib.metrics.radiomics import (
    AnyMasks,
    RadiomicFeatures,
    Volume,
    radiomic_features,
)
from ldctlib.scans import Scan

Normalization: TypeAlias = Literal["maxabs", "minmax", "ratio", "none"]
_REFERENCE = "reference"


def rfs(
    test: Volume | Mapping[str, Volume],
    reference: Volume,
    masks: AnyMasks,
    *,
    normalization: Normalization = "maxabs",
    reduce: Literal["mean", "none"] = "mean",
    **options: Any,
) -> Any:
    """Radiomic feature similarity, RFS v1: cosine between normalised features, mean over organs.

    The features are the 93 of `radiomic_features`, without shape, of all organs of at least 1000
    voxels in 3 slices. One call is one patient; means over patients and trainings come after.

    Args:
        test: a scan or volume (Z, H, W) in HU, or several by name.
        reference: the truth, on the same grid; its features are measured once for all tests.
        masks: the organs, found on the reference; see `radiomic_features`.
        normalization: what every feature of every organ is made comparable with:
            "maxabs", its largest magnitude over the reference and all tests (RFS v1);
            "minmax", its range over them; both depend on which tests are compared;
            "ratio", its value on the reference, which does not, but makes much of features that are
        near 0 there, such as a skewness;
            "none", nothing: one huge feature then decides and the cosine is always about 1.
        reduce: "mean" over the organs, or "none" for one number an organ.
        options: of `radiomic_features`, e.g. ``processes=2``.

    Returns:
        Similarity, 1 if all features agree: a number, or numbers by organ if ``reduce`` is "none";
        for several tests, those by test.

    Raises:
        ImportError: pyradiomics is not installed.
        ValueError: what `radiomic_features` and `similarity` raise.

    Source: our definition of a measure that has only been sketched in public; see `similarity`.

    >>> rng = np.random.default_rng(0)
    >>> organ = np.full((8, 24, 24), True)
    >>> truth = rng.normal(50, 20, organ.shape)
    >>> noisy = {"noisy": truth + rng.normal(0, 40, organ.shape)}
    >>> for normalization in ("maxabs", "ratio", "none"):
    ...     print(f"{rfs(noisy, truth, organ, normalization=normalization)['noisy']:.4f}")
    0.7284
    0.5516
    1.0000
    """
    several = test if isinstance(test, Mapping) else {"test": test}
    if _REFERENCE in several:
        raise ValueError(f"A test scan cannot be called {_REFERENCE!r}.")
    if not isinstance(reference, Scan) and not any(isinstance(t, Scan) for t in several.values()):
        options.setdefault("spacing_mm", (1.0, 1.0, 1.0))  # cancels: it scales a feature of all
    features = radiomic_features({**several, _REFERENCE: reference}, masks, **options)
    found = similarity(features, _REFERENCE, normalization=normalization)
    if reduce == "mean":
        means = {name: float(np.mean(list(organs.values()))) for name, organs in found.items()}
        return means if isinstance(test, Mapping) else means["test"]
    if reduce != "none":
        raise ValueError(f"reduce is 'mean' or 'none', not {reduce!r}.")
    return found if isinstance(test, Mapping) else found["test"]


def similarity(
    features: RadiomicFeatures, reference: str, *, normalization: Normalization = "maxabs"
) -> dict[str, dict[str, float]]:
    """Cosine between the features of every scan and the reference, for every organ.

    Args:
        features: of the reference and of all scans that it is compared with.
        reference: its name among ``features.scans``.
        normalization: see `rfs`. Features that cannot be normalised (not finite on some scan, or
            without magnitude, range or reference value) are dropped, as RFS v1 says.

    Returns:
        By scan, by organ.

    Raises:
        ValueError: no feature of an organ remains, or a vector has no length and so no direction.

    >>> f = RadiomicFeatures(("a", "b"), ("liver",), ("x", "y"), np.array([[[1., 4]], [[2., 2]]]))
    >>> round(similarity(f, "b")["a"]["liver"], 4)  # (0.5, 1) and (1, 0.5)
    0.8
    """
    truth = features.scans.index(reference)
    tests = [i for i in range(len(features.scans)) if i != truth]
    if normalization == "minmax" and len(tests) < 2:
        raise ValueError(
            "With one test scan, 'minmax' makes every feature 0 or 1 and the similarity 0: compare "
            "several scans, or take 'maxabs' or 'ratio'."
        )
    found: dict[str, dict[str, float]] = {features.scans[i]: {} for i in tests}
    for j, organ in enumerate(features.organs):
        values = normalized(features.values[:, j], truth, normalization)
        lengths = np.linalg.norm(values, axis=1)
        if not values.shape[1] or not lengths.all():
            raise ValueError(
                f"The features of {organ} have no direction after {normalization!r} (all dropped, "
                "or all zero on one scan): take another normalisation or leave the organ out."
            )
        # cos = r_i . r_GT / (|r_i| |r_GT|)
        cosines = values @ values[truth] / (lengths * lengths[truth])
        for i in tests:
            found[features.scans[i]][organ] = float(cosines[i])
    return found


def normalized(values: np.ndarray, truth: int, normalization: Normalization) -> np.ndarray:
    """One organ's features made comparable; what cannot be is dropped.

    Args:
        values: (scans, features).
        truth: row of the reference.
        normalization: see `rfs`.

    Returns:
        (scans, remaining features).

    >>> normalized(np.array([[1.0, -8.0], [2.0, 4.0]]), 0, "maxabs")
    array([[ 0.5, -1. ], [ 1. ,  0.5]])
    """
    values = values[:, np.isfinite(values).all(axis=0)].astype(np.float64)
    offset, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
    if normalization == "maxabs":
        scale = np.abs(values).max(axis=0)
    elif normalization == "minmax":
        offset = values.min(axis=0)
        scale = values.max(axis=0) - offset
    elif normalization == "ratio":
        scale = values[truth]
    elif normalization != "none":
        raise ValueError(
            f"normalization is 'maxabs', 'minmax', 'ratio' or 'none', not {normalization!r}."
        )
    usable = scale != 0
    result: np.ndarray = (values[:, usable] - offset[usable]) / scale[usable]
    return result
