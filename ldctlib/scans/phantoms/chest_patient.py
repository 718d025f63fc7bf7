"""How the procedural chests differ from one another."""

from __future__ import annotations

from dataclasses import dataclass

from ldctlib.scans.phantoms.patient import Patient


@dataclass(frozen=True)
class Habitus:
    """Build and circumstances of a chest patient.

    Args:
        female: with breasts.
        fat: 1 is usual, 0.3 lean, 2 obese.
        muscle_mm: added to the surface of every muscle.
        contrast_hu: enhancement of the blood by contrast medium; 0 without.
        age: 0 young to 1 old: fatty muscles and calcified arteries.
    """

    female: bool
    fat: float
    muscle_mm: float
    contrast_hu: float
    age: float


def draw_habitus(seed: int) -> tuple[Habitus, Patient]:
    """The build of a seed's patient.

    >>> draw_habitus(3)[0] == draw_habitus(3)[0]
    True
    """
    rng = Patient("chest", seed).rng("habitus")
    female = bool(rng.random() < 0.5)
    fat = float(min(max(rng.normal(1.0, 0.5), 0.3), 2.0))
    width = float(min(max(rng.normal(0.985 - 0.02 * female, 0.03), 0.92), 1.02))
    depth = float(min(max(rng.normal(1.0, 0.04), 0.92), 1.08))
    muscle = float(rng.normal(0.4 - 0.8 * female, 0.5))
    contrast = float(rng.choice([0.0, 0.0, 90.0, 160.0]))
    habitus = Habitus(female, fat, muscle, contrast, float(rng.random()))
    return habitus, Patient("chest", seed, width, depth, ((4.0, 62.0), (0.9, 13.0)))
