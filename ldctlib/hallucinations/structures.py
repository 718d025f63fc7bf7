"""The structures that may vanish, and the segments in which one looks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import find_objects, label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from ldctlib.masks import Masks

# Half of the 26 neighbours of a voxel: each pair of neighbours once.
_NEIGHBOURS = np.array(
    [(z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]
)


def split_structures(
    masks: Masks,
    *,
    part_voxels: int | None = 150,
    least: int = 16,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Masks:
    """Cut labels into structures of the size of a lesion or a piece of a vessel.

    A label falls into its 26-connected components. A large component, such as a tree of vessels,
    is cut into pieces: seeds are put as far apart as they can be along the component, and a voxel
    belongs to the seed to which its way inside the component is shortest. Every part is connected.

    Args:
        masks: labels, each of any number of components.
        part_voxels: components with more voxels are cut into parts of about so many, those at
            the ends smaller, those between larger; None cuts nothing.
        least: components and parts with fewer voxels are left out.
        spacing_mm: (dz, dy, dx), for the lengths of ways.

    Returns:
        The structures, labelled "aorta-1", "aorta-2", …; a label that is one whole structure keeps
        its name.

    Raises:
        ValueError: nothing is left, or ``part_voxels`` is smaller than ``least``.

    >>> tube = np.zeros((1, 3, 60), bool); tube[0, 1] = True
    >>> split_structures(Masks.from_volumes({"vein": tube}), part_voxels=20, least=1).areas.tolist()
    [16, 15, 29]
    """
    if part_voxels is not None and part_voxels < least:
        raise ValueError(f"Parts of about {part_voxels} voxels cannot have at least {least}.")
    found, labels = [], []
    for i, name in enumerate(masks.labels):
        parts = [
            part
            for component in _components(masks.boolean(i))
            for part in _parts(component, part_voxels, np.asarray(spacing_mm))
            if len(part) >= least
        ]
        found += parts
        labels += [name] if len(parts) == 1 else [f"{name}-{k + 1}" for k in range(len(parts))]
    if not found:
        raise ValueError(f"None of the structures has {least} voxels or more.")
    return _from_voxels(found, masks.shape, labels)


def tiles(shape: tuple[int, int, int], size_px: int = 16) -> Masks:
    """Square segments that cover every slice, as a segmenter without any knowledge.

    Tiles at the right and lower edge may be smaller.

    >>> tiles((2, 32, 40), 16).areas.tolist()[:3], len(tiles((2, 32, 40), 16))
    ([256, 256, 128], 12)
    """
    _, h, w = shape
    rows, columns = np.arange(h) // size_px, np.arange(w) // size_px
    across = int(columns[-1]) + 1
    one = rows[:, None] * across + columns
    count = int(one[-1, -1]) + 1
    every = one[None] + count * np.arange(shape[0])[:, None, None]
    return Masks.from_label_map(every + 1, {i + 1: f"tile-{i}" for i in range(count * shape[0])})


def oracle_segments(structures: Masks, tile_px: int = 16) -> Masks:
    """Every structure itself, among tiles that cover the rest: a segmenter that misses nothing.

    What a metric of segments reaches with these is the most that it can reach with the masks of a
    real segmenter.
    """
    others = tiles(structures.shape, tile_px)
    return Masks(
        structures.shape,
        np.concatenate([structures.offsets, structures.offsets[-1] + others.offsets[1:]]),
        np.concatenate([structures.starts, others.starts]),
        np.concatenate([structures.lengths, others.lengths]),
        structures.labels + others.labels,
    )


def require_visible(
    changes_hu: np.ndarray, labels: Sequence[str], least_hu: float, scan: str
) -> None:
    """Refuse structures whose removal hardly changes anything: nobody could miss them.

    Args:
        changes_hu: (S,) mean absolute change of each structure's voxels.
        labels: (S,) their names.
        least_hu: the least that each must change.
        scan: what the message calls the scan.

    Raises:
        ValueError: one changes less.
    """
    faint = np.flatnonzero(changes_hu < least_hu)
    if len(faint):
        i = faint[np.argmin(changes_hu[faint])]
        raise ValueError(
            f"Removing {labels[i]} changes {scan} by {changes_hu[i]:.1f} HU on average, less than "
            f"{least_hu:g} HU ({len(faint)} of {len(labels)} structures do): leave them out, see "
            "visible_structures, or lower least_change_hu."
        )


def _components(volume: np.ndarray) -> Iterator[np.ndarray]:
    """Coordinates (n, 3) of every 26-connected component."""
    numbered, _ = label(volume, np.ones((3, 3, 3)))
    for number, box in enumerate(find_objects(numbered)):
        yield np.argwhere(numbered[box] == number + 1) + [part.start for part in box]


def _parts(voxels: np.ndarray, part_voxels: int | None, spacing_mm: np.ndarray) -> list[np.ndarray]:
    if part_voxels is None or len(voxels) <= part_voxels:
        return [voxels]
    count = -(-len(voxels) // part_voxels)
    graph = _ways(voxels, spacing_mm)
    # The first seed is an end: the voxel farthest from an arbitrary one.
    seed = int(dijkstra(graph, directed=False, indices=0).argmax())
    nearest = dijkstra(graph, directed=False, indices=seed)
    owner = np.zeros(len(voxels), np.int64)
    for part in range(1, count):
        far = dijkstra(graph, directed=False, indices=int(nearest.argmax()))
        closer = far < nearest
        owner[closer], nearest = part, np.minimum(nearest, far)
    return [voxels[owner == part] for part in range(count)]


def _ways(voxels: np.ndarray, spacing_mm: np.ndarray) -> coo_matrix:
    """Distances between neighbouring voxels of a component, in mm."""
    low, size = voxels.min(0), np.ptp(voxels, axis=0) + 3
    position = np.full(size, -1, np.int64)
    position[tuple((voxels - low + 1).T)] = np.arange(len(voxels))
    starts, ends, lengths = [], [], []
    for step in _NEIGHBOURS:
        other = position[tuple((voxels - low + 1 + step).T)]
        near = np.flatnonzero(other >= 0)
        starts.append(near)
        ends.append(other[near])
        lengths.append(np.full(len(near), np.linalg.norm(step * spacing_mm)))
    edges = np.concatenate(starts), np.concatenate(ends)
    return coo_matrix((np.concatenate(lengths), edges), (len(voxels), len(voxels))).tocsr()


def _from_voxels(parts: list[np.ndarray], shape: tuple[int, int, int], labels: list[str]) -> Masks:
    """Masks of disjoint lists of voxels, in their order."""
    numbered = np.zeros(shape, np.int32)
    for number, part in enumerate(parts):
        numbered[tuple(part.T)] = number + 1
    return Masks.from_label_map(numbered, {i + 1: name for i, name in enumerate(labels)})
