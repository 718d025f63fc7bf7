"""Regions that may be structures, what is known of them, and how sure one can be of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CORE_SCORE = 4.0
# A contrast beyond this, or an outline so many sigma above noise, needs no further proof.
CLEAR_CONTRAST, CLEAR_EXCESS = 60.0, 7.0


@dataclass(frozen=True)
class Candidates:
    """C regions out of several trees.

    Args:
        tree: (C,) which tree.
        node: (C,) which of its regions.
        start: (C,) where its pixels begin in the order of the tree.
        area: (C,) pixels.
        pairs: (C,) length of the outline in pixel pairs.
        step: (C,) mean step across the outline, capped, in noise units.
        weak: (C,) share of the outline with hardly a step.
        merged: (C,) whether the tree is a merging tree.
        excess: (C,) how far the outline is above that of a region of pure noise, in sigma.
        contrast: (C, 3) contrasts times root of the area over the noise, see `contrast`.
        agreeing: (C,) how many other trees have the same region.
    """

    tree: np.ndarray
    node: np.ndarray
    start: np.ndarray
    area: np.ndarray
    pairs: np.ndarray
    step: np.ndarray
    weak: np.ndarray
    merged: np.ndarray
    excess: np.ndarray
    contrast: np.ndarray
    agreeing: np.ndarray

    @property
    def compactness(self) -> np.ndarray:
        """(C,) 1 for a square, less for anything thinner or rougher."""
        return np.asarray(16 * self.area / self.pairs**2)

    @property
    def evidence(self) -> np.ndarray:
        """(C,) below 0 if a slice of noise alone may well have such a region somewhere.

        A logistic regression of faint structures against the regions of noise of three colours,
        rounded; 0 lies beyond the most extreme of those. A region passes by its contrast or by its
        outline.
        """
        contrast = np.log(np.clip(self.contrast[:, 1], 1, CLEAR_CONTRAST))
        by_contrast = 3.6 * contrast - 0.5 * np.log(self.area) + 2 * np.log(self.compactness) - 9
        return np.asarray(np.maximum(by_contrast, self.excess - CLEAR_EXCESS))

    @property
    def score(self) -> np.ndarray:
        """(C,) grows with the odds that the region matches a structure; 4 and more is the core.

        A logistic regression on phantoms, rounded. Most is known from the other trees: a structure
        has much the same region at several scales, texture seldom. What may be noise stays below 4.
        """
        mean, most = self.contrast[:, 0], self.contrast[:, 1]
        agreeing = np.log1p(self.agreeing)
        score = 0.7 * self.step - 0.5 * self.weak - 0.35 * self.merged - 1.85
        score += (2.0 + 0.5 * self.merged) * agreeing
        score += 0.45 * np.log(self.area) + 1.45 * np.log(self.compactness)
        score += 0.4 * np.log(np.clip(most, 1, CLEAR_CONTRAST))
        score += 1.3 * np.clip(most / np.maximum(mean, 1), -1, 1)
        limit = CORE_SCORE + np.minimum(0.2 * self.evidence, 0) - 0.01
        return np.asarray(np.where(self.evidence < 0, np.minimum(score, limit), score))
