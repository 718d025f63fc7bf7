"""Take structures out of a real scan, as if they had never been there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from ldctlib.hallucinations.structures import require_visible
from ldctlib.masks import Masks
from ldctlib.scans import Scan

_AROUND = np.array([(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)])
_FACES = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
_TEXTURE_PX = 2.0  # what a Gaussian of this width removes is texture
_TRIES, _REACH_PX = 48, 32


def remove_structures(
    scan: Scan,
    masks: Masks,
    chosen: Iterable[int | str] | None = None,
    *,
    least_change_hu: float = 20.0,
    seed: int = 0,
) -> Scan:
    """The scan without these structures: a membrane over each, with the noise of its surroundings.

    The masks, one voxel wider on all sides, are filled with the solution of Laplace's equation
    between their edges, where these are not structures themselves, and with texture copied from a
    place nearby, of similar CT number, where none of the structures lies. What is put there is
    plausible, not true; phantoms remove exactly.

    Args:
        scan: with the structures in it.
        masks: structures on its grid.
        chosen: which to remove, by position or label; all if None.
        least_change_hu: the mean absolute change that each removed structure must show.
        seed: of the places from which texture is copied.

    Raises:
        ValueError: the masks lie on another grid, a removed structure changed less than
            ``least_change_hu``, or there is nothing around a structure to fill it from.

    Source of the membrane: Perez, Gangnet and Blake, ACM Trans. Graph. 22, 313 (2003),
    doi:10.1145/882262.882269.
    """
    wanted = range(len(masks)) if chosen is None else chosen
    keep = [masks.index(c) if isinstance(c, str) else c for c in wanted]
    change = Inpainter(scan, masks)(keep, np.random.default_rng(seed))
    removed = masks.select(keep)
    seen = removed.sum_over(np.abs(change)) / removed.areas
    require_visible(seen, removed.labels, least_change_hu, scan.name)
    return scan.with_hu(scan.hu + change, removed=", ".join(removed.labels))


class Inpainter:
    """`remove_structures` for many choices among the structures of one scan.

    Args:
        scan: with the structures in it.
        masks: structures on its grid.

    Raises:
        ValueError: the masks lie on another grid.
    """

    def __init__(self, scan: Scan, masks: Masks) -> None:
        if masks.shape != scan.shape:
            raise ValueError(f"The masks lie on {masks.shape}, {scan.name} on {scan.shape}.")
        self.scan = scan
        self._voxels = [np.argwhere(masks.boolean(i)) for i in range(len(masks))]
        self._wide = [_dilated(v, scan.shape) for v in self._voxels]
        self._smooth = gaussian_filter(scan.hu, (0, _TEXTURE_PX, _TEXTURE_PX))
        self._occupied = np.zeros(scan.shape, bool)
        for voxels in self._wide:
            self._occupied[tuple(voxels.T)] = True

    def __call__(self, chosen: Sequence[int], rng: np.random.Generator) -> np.ndarray:
        """What removing these structures adds to the scan, in HU (Z, H, W) float32.

        Raises:
            ValueError: as `remove_structures`.
        """
        change = np.zeros(self.scan.shape, np.float32)
        if not len(chosen):
            return change
        region = np.unique(np.concatenate([self._wide[i] for i in chosen]), axis=0)
        hu = self.scan.hu
        filled = membrane(hu, region, self.scan.spacing_mm, self._occupied)
        change[tuple(region.T)] = filled - hu[tuple(region.T)]
        texture = np.zeros_like(change)
        for i in chosen:
            place = tuple(self._wide[i].T)
            level = float((hu[place] + change[place]).mean())
            texture[place] = self._texture(self._wide[i], level, rng)
        change += texture
        return change

    def alone(self, rng: np.random.Generator) -> np.ndarray:
        """(S, 2) mean and mean absolute change of each structure's voxels, removed alone, in HU."""
        changes = [self([i], rng)[tuple(v.T)] for i, v in enumerate(self._voxels)]
        return np.array([(c.mean(), np.abs(c).mean()) for c in changes])

    def _texture(self, voxels: np.ndarray, level_hu: float, rng: np.random.Generator) -> np.ndarray:
        """Texture from where the CT number is similar, with the usual strength of such places."""
        shifts = rng.integers(-_REACH_PX, _REACH_PX + 1, (_TRIES, 2))
        patches, levels = [], []
        size = np.array(self.scan.shape)
        for dy, dx in shifts:
            there = voxels + np.array((0, dy, dx))
            if (there < 0).any() or (there >= size).any():
                continue
            place = tuple(there.T)
            if self._occupied[place].any():
                continue
            smooth = self._smooth[place]
            patches.append(self.scan.hu[place] - smooth)
            levels.append(abs(float(smooth.mean()) - level_hu))
        if not patches:
            return np.zeros(len(voxels), np.float32)
        similar = np.argsort(levels, kind="stable")[: max(1, len(levels) // 3)]
        strengths = [float(patches[i].std()) for i in similar]
        usual = np.argsort(strengths, kind="stable")[(len(strengths) - 1) // 2]
        return np.asarray(patches[similar[usual]], np.float32)


def visible_structures(
    scan: Scan, masks: Masks, least_change_hu: float = 20.0, seed: int = 0
) -> Masks:
    """The structures that differ from what would fill their place.

    Args:
        scan: with the structures in it.
        masks: structures on its grid.
        least_change_hu: the mean change, signed, so that noise does not count.
        seed: as for `remove_structures`.

    Raises:
        ValueError: there is none.
    """
    while True:
        mean, _ = Inpainter(scan, masks).alone(np.random.default_rng(seed)).T
        keep = np.flatnonzero(np.abs(mean) > least_change_hu)
        if len(keep) == len(masks):
            return masks
        if not len(keep):
            raise ValueError(f"No structure of {scan.name} stands out by {least_change_hu:g} HU.")
        # What stays in from now on is among the surroundings of the others, and may fill them.
        masks = masks.select(keep.tolist())


def membrane(
    hu: np.ndarray,
    region: np.ndarray,
    spacing_mm: tuple[float, float, float],
    avoid: np.ndarray | None = None,
) -> np.ndarray:
    """Solution of Laplace's equation in a region, with the voxels around it as its edge.

    At the border of the volume nothing flows.

    Args:
        hu: volume (Z, H, W).
        region: (n, 3) voxels to fill, each once.
        spacing_mm: (dz, dy, dx).
        avoid: boolean volume of voxels that are no edge either, such as the rest of a vessel, for
            every part of the region that has other neighbours too.

    Returns:
        (n,) values for the region.

    Raises:
        ValueError: a part of the region has no voxel beside it.

    >>> ramp = np.broadcast_to(np.arange(5.0), (3, 5, 5)).copy()
    >>> hole = ramp.copy(); hole[1, 2, 2] = 100
    >>> membrane(hole, np.array([[1, 2, 2]]), (1, 1, 1)).round(6).tolist()
    [2.0]
    """
    n = len(region)
    between, beside = _neighbours(region, hu.shape, spacing_mm)
    part_count, part = connected_components(between, directed=False)
    voxel, at, weight = beside
    if avoid is not None:
        good = ~avoid.reshape(-1)[at]
        enclosed = np.bincount(part[voxel[good]], minlength=part_count) == 0
        use = good | enclosed[part[voxel]]
        voxel, at, weight = voxel[use], at[use], weight[use]
    if len(np.unique(part[voxel])) < part_count:
        raise ValueError("A structure fills its whole surroundings: nothing is left to fill from.")
    edge = np.bincount(voxel, weight * hu.reshape(-1)[at], n)
    total = np.bincount(voxel, weight, n) + np.asarray(between.sum(1)).ravel()
    filled, failed = cg(diags(total) - between, edge, rtol=1e-6, maxiter=10 * n, M=diags(1 / total))
    if failed:
        raise RuntimeError(f"The membrane over {n} voxels did not settle.")
    return np.asarray(filled)


def _neighbours(
    region: np.ndarray, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> tuple[csr_matrix, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Couplings 1 / distance^2 between voxels of a region, and to flat voxels beside it."""
    n = len(region)
    flat = np.ravel_multi_index(tuple(region.T), shape)
    order = np.argsort(flat)
    inner, outer = [], []
    for step in _FACES:
        weight = 1 / float(np.abs(step) @ np.asarray(spacing_mm)) ** 2
        other = region + step
        voxel = np.flatnonzero(((other >= 0) & (other < shape)).all(1))
        to = np.ravel_multi_index(tuple(other[voxel].T), shape)
        at = order[np.searchsorted(flat, to, sorter=order).clip(max=n - 1)]
        free = flat[at] == to
        weights = np.full(len(voxel), weight)
        inner.append((voxel[free], at[free], weights[free]))
        outer.append((voxel[~free], to[~free], weights[~free]))
    rows, columns, couplings = (np.concatenate(part) for part in zip(*inner, strict=True))
    voxels, places, weights = (np.concatenate(part) for part in zip(*outer, strict=True))
    return csr_matrix((couplings, (rows, columns)), (n, n)), (voxels, places, weights)


def _dilated(voxels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The voxels and all their 26 neighbours in the volume, each once."""
    wide = (voxels[:, None] + _AROUND).reshape(-1, 3)
    wide = wide[((wide >= 0) & (wide < shape)).all(1)]
    flat = np.unique(np.ravel_multi_index(tuple(wide.T), shape))
    return np.stack(np.unravel_index(flat, shape), 1)
