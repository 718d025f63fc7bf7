"""Phantom patients with many small lesions in one organ, and the same patients without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
from scipy.ndimage import binary_closing, distance_transform_edt

from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.rings import GAP_PX, WIDTH_PX
from ldctlib.masks import Masks
from ldctlib.scans import Scan
from ldctlib.scans.phantoms import Lesion, phantom

_APART_PX = 6.0  # between the edges of two lesions
_VESSEL_MM = 6.25  # half the width of what belongs to the organ though it has its own label


def lesion_pair(
    seed: int = 0,
    *,
    diameter_mm: float | Sequence[float] = 8.0,
    contrast_hu: float | Sequence[float] = -20.0,
    count: int = 12,
    anatomy: str = "abdomen",
    host: str = "liver",
    pixels: int = 512,
    centre_mm: float = 0.0,
) -> LesionPair:
    """One slice of a phantom patient with spheres of stated size and contrast in an organ.

    The spheres are centred on the slice. Each lies wholly in the organ, with its ring (see
    `rings`), and no two are near each other. Rendered with and without them, the patient shows
    exactly what each lesion adds.

    Args:
        seed: of the patient, and of the places.
        diameter_mm: of the lesions; several are taken in turn.
        contrast_hu: difference to what lies there; several are taken in turn, each with every
            diameter.
        count: how many lesions.
        anatomy: of the `phantom`.
        host: label of the organ.
        pixels: side of the slice. 512 gives the pixels that the shipped networks were trained on.
        centre_mm: its height.

    Returns:
        The two patients, and masks labelled "8 mm, -20 HU-1", "8 mm, -20 HU-2", ….

    Raises:
        ValueError: the slice has no such organ, or no room for so many.

    >>> patient = lesion_pair(1, contrast_hu=(-20, -40), count=4, pixels=128)
    >>> patient.lesions.labels
    ('8 mm, -20 HU-1', '8 mm, -40 HU-1', '8 mm, -20 HU-2', '8 mm, -40 HU-2')
    >>> round(float(patient.added[patient.lesions.boolean(1)].min()))
    -40
    """
    view = {"seed": seed, "shape": (1, pixels, pixels), "centre_mm": centre_mm}
    bare = phantom(anatomy, lesions=[], **view)  # type: ignore[arg-type]
    sizes, contrasts = np.atleast_1d(diameter_mm), np.atleast_1d(contrast_hu)
    kinds = [(float(d), float(c)) for d in sizes for c in contrasts]
    chosen = list(islice(cycle(kinds), count))
    centres = _centres(bare, host, max(float(d) for d in sizes), count, seed)
    lesions = [
        Lesion("sphere", centre, d, c) for centre, (d, c) in zip(centres, chosen, strict=True)
    ]
    present = phantom(anatomy, lesions=lesions, **view)  # type: ignore[arg-type]
    present, bare = (replace(scan, name=f"{anatomy}-{seed}") for scan in (present, bare))
    every = present.masks["structures"]
    found = every.select([every.index(f"lesion-{n}") for n in range(1, count + 1)])
    return LesionPair(present, bare, _labelled(found, chosen))


def _labelled(masks: Masks, kinds: Sequence[tuple[float, float]]) -> Masks:
    """The masks under names that say what they are, numbered by kind."""
    names = [f"{d:g} mm, {c:+g} HU" for d, c in kinds]
    labels = tuple(f"{name}-{names[: i + 1].count(name)}" for i, name in enumerate(names))
    return replace(masks, labels=labels)


def _centres(
    bare: Scan, host: str, diameter_mm: float, count: int, seed: int
) -> list[tuple[float, float, float]]:
    """World mm of places in the organ, drawn one after the other among those still free."""
    structures = bare.masks["structures"]
    if host not in structures.labels:
        raise ValueError(f"There is no {host} in this slice of {bare.name}: choose another height.")
    radius_px = diameter_mm / 2 / bare.pixel_mm
    vessel_px = max(1, round(_VESSEL_MM / bare.pixel_mm))
    organ = binary_closing(structures.plane(structures.index(host), 0), iterations=vessel_px)
    depth = distance_transform_edt(organ)
    free = depth > radius_px + GAP_PX + WIDTH_PX
    rows, columns = np.indices(free.shape)
    rng = np.random.default_rng([seed, 20])
    middle = (free.shape[0] - 1) / 2
    assert bare.z_mm is not None
    centres: list[tuple[float, float, float]] = []
    while len(centres) < count:
        places = np.argwhere(free)
        if not len(places):
            raise ValueError(
                f"There is room for {len(centres)} lesions of {diameter_mm:g} mm in this slice of "
                f"the {host}, not for {count}: ask for fewer, or take another height."
            )
        row, column = places[rng.integers(len(places))]
        free &= np.hypot(rows - row, columns - column) > 2 * radius_px + _APART_PX
        at = (np.array([column, row]) - middle) * bare.pixel_mm
        centres.append((float(at[0]), float(at[1]), float(bare.z_mm[0])))
    return centres
