"""Many binary masks on one volume, overlapping allowed, kept as runs of voxels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ldctlib.files import write_arrays
from ldctlib.masks import exchange, files, loops
from ldctlib.masks.runs import Piece, Runs, runs_of


@dataclass(frozen=True, eq=False)
class Masks(Runs):
    """S binary masks on a grid (Z, H, W), kept as runs, with (S,) ``labels``.

    Memory grows with the runs, not the voxels. Masks that a program found have (S,) ``scores``:
    how sure it is.

    >>> disc = np.zeros((4, 4), bool); disc[1:3, 1:3] = True
    >>> masks = Masks.from_slices([(2, disc)], shape=(3, 4, 4), labels=["disc"])
    >>> len(masks), masks.areas.tolist(), masks.labels, masks.bounding_boxes.tolist()
    (1, [4], ('disc',), [[2, 3, 1, 3, 1, 3]])
    """

    labels: tuple[str, ...]
    scores: np.ndarray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.offsets) - 1
        object.__setattr__(self, "labels", tuple(map(str, self.labels)))
        if len(self.labels) != count:
            raise ValueError(f"{len(self.labels)} labels were given for {count} masks.")
        if self.scores is not None:
            object.__setattr__(self, "scores", np.asarray(self.scores, np.float64))
            if self.scores.shape != (count,):
                raise ValueError(f"{len(self.scores)} scores were given for {count} masks.")

    @classmethod
    def from_label_map(cls, label_map: np.ndarray, names: Mapping[int, str]) -> Masks:
        """One mask for every id in ``names`` that occurs in an integer label map (Z, H, W).

        >>> Masks.from_label_map(np.array([[[0, 1, 1, 2]]]), {1: "liver", 2: "cyst"}).areas.tolist()
        [2, 1]
        """
        label_map = np.asarray(label_map)
        if label_map.ndim != 3 or label_map.dtype.kind not in "iub":
            raise ValueError("A label map is an integer array (Z, H, W).")
        starts, lengths, values = runs_of(label_map)
        order = np.argsort(values, kind="stable")
        starts, lengths, values = starts[order], lengths[order], values[order]
        wanted = np.isin(values, list(names))
        starts, lengths, values = starts[wanted], lengths[wanted], values[wanted]
        ids, first = np.unique(values, return_index=True)
        offsets = np.append(first, len(values)).astype(np.int64)
        return cls(label_map.shape, offsets, starts, lengths, tuple(names[int(i)] for i in ids))

    @classmethod
    def from_slices(
        cls,
        masks: Iterable[tuple[int, np.ndarray]],
        shape: tuple[int, int, int],
        labels: Sequence[str] | None = None,
        scores: Sequence[float] | np.ndarray | None = None,
    ) -> Masks:
        """Masks that each lie in one slice.

        Args:
            masks: pairs of a slice index and a boolean array (H, W).
            shape: (Z, H, W) of the volume.
            labels: one name a mask; numbers if None.
            scores: one a mask, or none at all.
        """
        pieces = []
        for z, mask in masks:
            if mask.shape != tuple(shape[1:]) or not 0 <= z < shape[0]:
                raise ValueError(f"A mask {mask.shape} in slice {z} does not lie in {shape}.")
            start, length, value = runs_of(np.asarray(mask, bool)[None])
            pieces.append((start[value] + z * shape[1] * shape[2], length[value]))
        return cls.from_pieces(pieces, shape, labels, scores)

    @classmethod
    def from_volumes(cls, volumes: Mapping[str, np.ndarray]) -> Masks:
        """One mask for every boolean volume (Z, H, W), all on one grid; they may overlap.

        >>> liver = np.ones((2, 3, 4), bool)
        >>> Masks.from_volumes({"liver": liver, "half": liver & (np.arange(4) < 2)}).areas.tolist()
        [24, 12]
        """
        shapes = {np.shape(volume) for volume in volumes.values()}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 3:
            raise ValueError("Masks are boolean volumes (Z, H, W), at least one, all on one grid.")
        pieces = []
        for name, volume in volumes.items():
            if np.asarray(volume).dtype != bool:
                raise ValueError(f"The mask {name!r} is not boolean: compare it with something.")
            start, length, value = runs_of(np.asarray(volume))
            pieces.append((start[value], length[value]))
        return cls.from_pieces(pieces, shape, list(volumes))

    @classmethod
    def from_coco(cls, annotations: Iterable[Mapping[str, Any]], depth: int | None = None) -> Masks:
        """Masks from COCO annotations, one each; those that share a "track_id" become one.

        The order is that of the numbers in "track_id", and without them that of the annotations.

        Args:
            annotations: with "segmentation" (a run-length code, compressed or not), "image_id"
                (the slice), and perhaps "label", "score" and "track_id"; or bare codes of slice 0.
            depth: number of slices; as many as the images need if None.

        Raises:
            ValueError: the images have different sizes, or a code does not fill its image.
        """
        return cls.from_pieces(*exchange.from_annotations(list(annotations), depth))

    @classmethod
    def from_sam(
        cls,
        found: Mapping[int, Sequence[Mapping[str, Any]]],
        shape: tuple[int, int, int],
        score: str = "predicted_iou",
    ) -> Masks:
        """Masks from segment-anything's automatic mask generator, slice after slice.

        Args:
            found: what it returned for every slice, in any of its three output modes.
            shape: (Z, H, W) of the volume.
            score: which of its figures becomes the score: also "stability_score".

        Source: Kirillov et al. 2023, doi:10.1109/ICCV51070.2023.00371.
        """
        return cls.from_pieces(*exchange.from_sam(found, shape, score))

    @classmethod
    def concatenate(cls, parts: Iterable[Masks]) -> Masks:
        """All masks of several sets on one grid; scores are kept if every set has them."""
        parts = list(parts)
        if len({part.shape for part in parts}) != 1:
            raise ValueError("Sets of masks, at least one, must lie on one grid to be joined.")
        return cls._joined(parts, parts[0].shape, [0] * len(parts))

    @classmethod
    def stack(cls, parts: Iterable[Masks]) -> Masks:
        """Sets of masks on grids (Z_i, H, W) as one set on (sum of Z_i, H, W), in this order."""
        parts = list(parts)
        if len({part.shape[1:] for part in parts}) != 1:
            raise ValueError("Sets of masks, at least one, must have slices of one size.")
        depths = np.cumsum([0] + [part.shape[0] for part in parts]).tolist()
        return cls._joined(parts, (depths[-1], *parts[0].shape[1:]), depths[:-1])

    @classmethod
    def load(cls, path: str | Path) -> Masks:
        """The masks that `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        arrays = files.read(path, {"shape", "offsets", "starts", "lengths", "labels"})
        offsets, starts, lengths = (arrays[name] for name in ("offsets", "starts", "lengths"))
        shape, labels = tuple(arrays["shape"].tolist()), tuple(arrays["labels"].tolist())
        return cls(shape, offsets, starts, lengths, labels, arrays.get("scores"))

    def save(self, path: str | Path) -> None:
        """Write all masks into one file (.npz), whole or not at all."""
        arrays = {name: getattr(self, name) for name in ("offsets", "starts", "lengths")}
        arrays |= {"shape": np.array(self.shape), "labels": np.array(self.labels, str)}
        if self.scores is not None:
            arrays["scores"] = self.scores
        write_arrays(path, arrays, compressed=True)

    def to_coco(self, z: int | None = None, compressed: bool = True) -> list[dict[str, Any]]:
        """COCO annotations of what lies in slice z, or in every slice if None.

        Args:
            z: the slice: "image_id" in the annotations.
            compressed: the counts as text, or as a list of numbers.

        Returns:
            One annotation a mask and slice; "track_id" is the position of the mask.
        """
        return exchange.to_annotations(self, z, compressed)

    def __len__(self) -> int:
        return len(self.labels)

    def index(self, label: str) -> int:
        """Position of the mask with this label, the first if there are several."""
        if label not in self.labels:
            raise ValueError(f"No mask is called {label!r}.")
        return self.labels.index(label)

    def boolean(self, mask: int | str) -> np.ndarray:
        """One mask, by position or label, as a boolean volume (Z, H, W)."""
        return self.select([self.index(mask) if isinstance(mask, str) else mask]).union()

    def plane(self, i: int, z: int) -> np.ndarray:
        """What lies in slice z of one mask: boolean (H, W), without a volume in between."""
        part = self.select([i]).crop(z, slice(None), slice(None))
        return part.boolean(0)[0] if len(part) else np.zeros(self.shape[1:], bool)

    def pieces(self) -> Iterator[Piece]:
        """Starts and lengths of the runs of one mask after the other."""
        for first, past in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.starts[first:past], self.lengths[first:past]

    def select(self, keep: Iterable[int] | np.ndarray) -> Masks:
        """The masks at these positions, in this order; or those where a boolean (S,) is true."""
        keep = np.asarray(keep if isinstance(keep, np.ndarray) else list(keep))
        keep = np.arange(len(self))[keep if keep.size else []]
        counts = np.diff(self.offsets)[keep]
        offsets = np.append(0, np.cumsum(counts))
        runs = np.repeat(self.offsets[keep] - offsets[:-1], counts) + np.arange(offsets[-1])
        labels = tuple(self.labels[i] for i in keep)
        scores = None if self.scores is None else self.scores[keep]
        return Masks(self.shape, offsets, self.starts[runs], self.lengths[runs], labels, scores)

    def merged(self, groups: Mapping[str, Iterable[int]]) -> Masks:
        """One mask for every group: all voxels of the masks at these positions.

        >>> bones = Masks.from_label_map(np.array([[[1, 1, 2, 0]]]), {1: "L1", 2: "L2"})
        >>> bones.merged({"spine": [0, 1]}).areas.tolist()
        [3]
        """
        return Masks.from_volumes({name: self.select(m).union() for name, m in groups.items()})

    def crop(self, z: int | slice, rows: slice, columns: slice) -> Masks:
        """What lies in a part of the volume, on the grid of that part; other masks are left out.

        Args:
            z: one slice, or several.
            rows: of the volume.
            columns: of the volume.

        >>> square = np.zeros((8, 8), bool); square[2:6, 2:6] = True
        >>> masks = Masks.from_slices([(0, square), (3, square)], (4, 8, 8))
        >>> part = masks.crop(3, slice(4, 8), slice(0, 8))
        >>> part.shape, part.labels, part.areas.tolist()
        ((1, 4, 8), ('1',), [8])
        """
        parts = slice(z, z + 1) if isinstance(z, (int, np.integer)) else z, rows, columns
        edges = [part.indices(n)[:2] for part, n in zip(parts, self.shape, strict=True)]
        depth, height, width = (past - first for first, past in edges)
        if min(depth, height, width) < 1 or any(part.step not in (None, 1) for part in parts):
            raise ValueError(f"There is nothing to crop at {z}, {rows}, {columns} of {self.shape}.")
        box = tuple(edge for pair in edges for edge in pair)
        owners, starts, lengths = loops.cut(*self._runs, *self.shape[1:], box)
        keep, first = np.unique(owners, return_index=True)
        labels = tuple(self.labels[i] for i in keep)
        scores = None if self.scores is None else self.scores[keep]
        offsets = np.append(first, len(owners))
        return Masks((depth, height, width), offsets, starts, lengths, labels, scores)

    @classmethod
    def from_pieces(
        cls,
        pieces: Sequence[Piece],
        shape: tuple[int, int, int],
        labels: Sequence[str] | None = None,
        scores: Sequence[float] | np.ndarray | None = None,
    ) -> Masks:
        """Masks from the runs of one after the other, as `pieces` gives them."""
        none = np.zeros(0, np.int64)
        offsets = np.cumsum([0] + [len(start) for start, _ in pieces])
        starts, lengths = (np.concatenate([none, *(piece[k] for piece in pieces)]) for k in (0, 1))
        names = tuple(labels) if labels is not None else tuple(map(str, range(len(pieces))))
        values = None if scores is None else np.asarray(scores, np.float64)
        return cls(shape, offsets, starts, lengths, names, values)

    @classmethod
    def _joined(cls, parts: list[Masks], shape: Any, first_slices: list[int]) -> Masks:
        """Sets of masks as one, each moved to its first slice."""
        pixels = shape[1] * shape[2]
        shifted = [p.starts + z * pixels for p, z in zip(parts, first_slices, strict=True)]
        counts = np.concatenate([np.diff(part.offsets) for part in parts])
        scores = [part.scores for part in parts if part.scores is not None]
        return cls(
            shape,
            np.append(0, np.cumsum(counts)),
            np.concatenate(shifted),
            np.concatenate([part.lengths for part in parts]),
            tuple(label for part in parts for label in part.labels),
            np.concatenate(scores) if len(scores) == len(parts) else None,
        )
