"""The slab of slices that a phantom is painted on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldctlib.scans.phantoms.capsules import cover
from ldctlib.scans.phantoms.grid import ALL, Box, Grid
from ldctlib.scans.phantoms.labels import Labels
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import coverage
from ldctlib.scans.phantoms.trees import Tree


class Canvas(Grid):
    """CT numbers and structure numbers of a few slices, and the means to paint organs on them.

    Args:
        patient, z_mm, shape, pixel_mm: as for `Grid`.
        slice_mm: distance between slices.
        labels: shared by all slabs of a volume.

    Attributes:
        hu: (Z, H, W) float32, air at first.
        ids: (Z, H, W) int32, the number of the structure on top; 0 is none.
    """

    def __init__(
        self,
        patient: Patient,
        z_mm: np.ndarray,
        shape: tuple[int, int],
        pixel_mm: float,
        slice_mm: float,
        labels: Labels,
    ) -> None:
        super().__init__(patient, z_mm, shape, pixel_mm)
        self.slice_mm, self.labels = float(slice_mm), labels
        self.hu = np.full(self.shape, -1000, np.float32)
        self.ids = np.zeros(self.shape, np.int32)

    def left_out(self, label: str) -> bool:
        """Whether this structure is removed from the patient."""
        self.labels.number(label)
        return self.labels.left_out(label)

    def paint(
        self,
        distance: np.ndarray,
        hu: Any,
        label: str | None = None,
        box: Box = ALL,
        soft_mm: float | None = None,
        opacity: float = 1.0,
    ) -> None:
        """Fill the inside of a shape.

        Args:
            distance: signed distance in mm on the box, negative inside.
            hu: CT number, or an array of them on the box.
            label: of the structure; None leaves the labels below as they are.
            box: the part of the slab.
            soft_mm: width of its edge; a pixel by default.
            opacity: 1 replaces what is below.
        """
        self.blend(coverage(distance, soft_mm or self.pixel_mm) * opacity, hu, label, box)

    def blend(self, alpha: np.ndarray, hu: Any, label: str | None = None, box: Box = ALL) -> None:
        """Mix ``hu`` in with weight ``alpha`` (on the box); it is labelled where alpha > 1/2."""
        if label is not None:
            number = self.labels.number(label)
            if self.labels.left_out(label):
                return
            self.ids[box][alpha > 0.5] = number
        below = self.hu[box]
        # In this form full cover leaves no rounding error of what was there.
        below *= np.asarray(1 - alpha, np.float32)
        below += np.asarray(alpha * hu, np.float32)

    def shade(self, delta_hu: np.ndarray, box: Box = ALL) -> None:
        """Add to the CT numbers of what is painted already."""
        self.hu[box] += np.asarray(delta_hu, np.float32)

    def tree(
        self,
        tree: Tree,
        hu: Any,
        prefix: str,
        clip: np.ndarray | None = None,
        soft_mm: float | None = None,
        samples_z: int = 1,
        grow: float = 1.0,
        add_mm: float = 0.0,
    ) -> None:
        """Paint a vessel tree; its branches are labelled "prefix-0", "prefix-1", ….

        Args:
            tree: in world mm (`Tree.to_world`).
            hu: CT number, or an array (Z, H, W).
            prefix: of the labels.
            clip: (Z, H, W) in [0, 1], multiplies the coverage.
            soft_mm: width of the edge; a pixel by default.
            samples_z: heights within a slice that are averaged.
            grow: radii are multiplied by this,
            add_mm: and then this is added.
        """
        first = self.labels.block(prefix, len(tree.branch_radius))
        kept = ~np.isin(tree.branch, self.labels.left_out_of_block(prefix))
        alpha, winner = cover(
            self._z, self._y, self._x, self.pixel_mm, self.slice_mm,
            tree.segments[kept], tree.radii[kept] * grow + add_mm, tree.branch[kept],
            soft_mm or self.pixel_mm, samples_z,
        )  # fmt: skip
        if clip is not None:
            alpha *= clip
        self.ids[alpha > 0.5] = winner[alpha > 0.5] + first
        self.hu *= 1 - alpha
        self.hu += (alpha * hu).astype(np.float32)
