"""Who lies in the scanner: the random numbers and the shape of one procedural patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ldctlib.scans.phantoms.noise import field_at, key_of
from ldctlib.scans.phantoms.outlines import Outline, make_outline


@dataclass(frozen=True)
class Patient:
    """One patient: every random draw is keyed by (anatomy, seed, name), so none disturbs another.

    Organs are described in template coordinates, in mm: x to the patient's left, y to the back,
    z to the head. The patient's own body is the template, scaled and bent by smooth random fields.

    Args:
        anatomy: "chest", "abdomen" or "head".
        seed: of the patient.
        width, depth: factors on the template's x and y.
        warps: pairs (amplitude, lattice spacing) in mm of the displacement fields.
    """

    anatomy: str
    seed: int
    width: float = 1.0
    depth: float = 1.0
    warps: tuple[tuple[float, float], ...] = ()

    def key(self, name: str) -> int:
        """The 64-bit key of a random field."""
        return key_of(self.anatomy, self.seed, name)

    def rng(self, name: str) -> np.random.Generator:
        """A generator of its own for every name.

        >>> Patient("chest", 1).rng("fat").random() == Patient("chest", 1).rng("fat").random()
        True
        """
        return np.random.default_rng(self.key(name))

    def field_at(self, name: str, points: np.ndarray, spacing_mm: float) -> np.ndarray:
        """The unit-variance field ``name`` at points (n, 3) in world mm."""
        return field_at(self.key(name), spacing_mm, points)

    def outline(
        self, name: str, keys: Mapping[float, Sequence[Sequence[float]]], jitter_mm: float = 0.0
    ) -> Outline:
        """An outline from {height: control points} with this patient's jitter, in template mm."""
        return make_outline(keys, jitter_mm, self.rng(f"outline {name}"))

    def to_template(self, points: np.ndarray) -> np.ndarray:
        """Template coordinates of points (n, 3) given in world mm."""
        scale = np.array([self.width, self.depth, 1.0])
        return np.asarray((points + self._displacement(points)) / scale)

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """World coordinates of points (n, 3) given in template mm: the inverse of `to_template`.

        >>> patient = Patient("chest", 1, width=1.1, warps=((4.0, 60.0), (1.0, 13.0)))
        >>> there = patient.to_world(np.array([[50.0, -20.0, 10.0]]))
        >>> patient.to_template(there).round(2).tolist()
        [[50.0, -20.0, 10.0]]
        """
        target = np.asarray(points, float) * np.array([self.width, self.depth, 1.0])
        world = target.copy()
        for _ in range(5):
            world = target - self._displacement(world)
        return np.asarray(world)

    def warp_fields(self) -> list[tuple[int, float, str, float]]:
        """(axis 0 = x, amplitude, field name, spacing) of every displacement field."""
        return [
            (axis, amplitude * (0.5 if axis == 2 else 1.0), f"warp {n} {axis}", spacing)
            for n, (amplitude, spacing) in enumerate(self.warps)
            for axis in range(3)
            if axis < 2 or n == 0
        ]

    def _displacement(self, points: np.ndarray) -> np.ndarray:
        moved = np.zeros((len(points), 3))
        for axis, amplitude, name, spacing in self.warp_fields():
            moved[:, axis] += amplitude * self.field_at(name, points, spacing)
        return moved
