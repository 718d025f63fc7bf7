"""A tree of nested regions of one slice, with what is known about the outline of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Steps are capped, so that one stretch of bone does not make a good outline of a whole organ.
STEP_CAP = 5.0
# Below this many noise units a step across the outline counts as weak.
WEAK_STEP = 1.0


@dataclass(frozen=True)
class Hierarchy:
    """N nested regions of a slice of n pixels. A step is measured in units of the local noise.

    ``pixels`` is a permutation of the slice in which every region is one stretch: region ``i`` has
    the flat pixels ``pixels[start[i] : start[i] + area[i]]``.

    Args:
        parent: (N,) the next larger region around each; the largest is its own parent.
        usable: (N,) whether the entry is a region of its own.
        area: (N,) pixels.
        pairs: (N,) pairs of neighbouring pixels of which the outline separates one from the other.
        steps: (N,) sum of the steps across the outline, over its pairs.
        capped: (N,) the same sum with every step limited to ``STEP_CAP``.
        weak: (N,) number of pairs with a step below ``WEAK_STEP``.
        start: (N,) where the region begins in ``pixels``.
        pixels: (n,) flat pixel indices.
    """

    parent: np.ndarray
    usable: np.ndarray
    area: np.ndarray
    pairs: np.ndarray
    steps: np.ndarray
    capped: np.ndarray
    weak: np.ndarray
    start: np.ndarray
    pixels: np.ndarray

    @property
    def step(self) -> np.ndarray:
        """(N,) mean step across the outline, in noise units."""
        return np.asarray(self.steps / np.maximum(self.pairs, 1))

    @property
    def excess(self) -> np.ndarray:
        """(N,) how far the mean capped step is above that of a region of pure noise, in sigma.

        The outline of a region cut out of noise at any level has a mean step of sqrt(pi / 2),
        whatever its size; the scatter over such regions falls with the root of the pairs.
        """
        pairs = np.maximum(self.pairs, 1)
        return np.asarray((self.capped / pairs - np.sqrt(np.pi / 2)) * np.sqrt(pairs) / 1.72)
