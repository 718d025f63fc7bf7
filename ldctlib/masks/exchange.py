"""Masks as other programs write them: annotations of COCO, records of segment-anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ldctlib.masks.coco import decode, encode
from ldctlib.masks.runs import Piece, runs_of

if TYPE_CHECKING:
    from ldctlib.masks.masks import Masks

Shape = tuple[int, int, int]


def from_annotations(
    annotations: Sequence[Mapping[str, Any]], depth: int | None
) -> tuple[list[Piece], Shape, list[str], list[float] | None]:
    """Runs, shape, labels and scores of annotations, as `Masks.from_coco` describes."""
    codes = [annotation.get("segmentation", annotation) for annotation in annotations]
    if len({tuple(code["size"]) for code in codes}) != 1:
        raise ValueError("The annotations, at least one, must be of images of one size.")
    height, width = map(int, codes[0]["size"])
    slices = [int(annotation.get("image_id", 0)) for annotation in annotations]
    depth = max(slices) + 1 if depth is None else depth
    if not 0 <= min(slices) <= max(slices) < depth:
        raise ValueError(f"The image_id of an annotation is a slice from 0 to {depth - 1}.")
    tracks: dict[tuple[float, Any], list[int]] = {}
    for i, annotation in enumerate(annotations):
        track = annotation.get("track_id", f"annotation {i}")
        order = track if isinstance(track, int) else math.inf
        tracks.setdefault((order, track), []).append(i)
    members = [sorted(tracks[key], key=slices.__getitem__) for key in sorted(tracks, key=_first)]
    pieces = []
    for track in members:
        runs = [_moved(decode(codes[i]), slices[i] * height * width) for i in track]
        pieces.append((np.concatenate([r[0] for r in runs]), np.concatenate([r[1] for r in runs])))
    first = [annotations[track[0]] for track in members]
    labels = [str(annotation.get("label", i)) for i, annotation in enumerate(first)]
    scored = all("score" in annotation for annotation in first)
    scores = [float(annotation["score"]) for annotation in first] if scored else None
    return pieces, (depth, height, width), labels, scores


def to_annotations(masks: Masks, z: int | None, compressed: bool) -> list[dict[str, Any]]:
    """Annotations of the masks in slice z, or in all slices if None."""
    height, width = masks.shape[1:]
    annotations = []
    for image in range(masks.shape[0]) if z is None else [z]:
        positions = masks.in_slice(image)
        here = masks.crop(image, slice(height), slice(width))
        boxes = here.bounding_boxes[:, 2:].tolist()
        for i, runs, (y0, y1, x0, x1) in zip(positions, here.pieces(), boxes, strict=True):
            annotation: dict[str, Any] = {
                "image_id": image,
                "track_id": int(i),
                "label": masks.labels[i],
                "segmentation": encode(*runs, (height, width), compressed),
                "area": int(runs[1].sum()),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
            }
            if masks.scores is not None:
                annotation["score"] = float(masks.scores[i])
            annotations.append(annotation)
    return annotations


def from_sam(
    found: Mapping[int, Sequence[Mapping[str, Any]]], shape: Shape, score: str
) -> tuple[list[Piece], Shape, None, list[float]]:
    """Runs, shape, no labels, and scores of segment-anything's records, as `Masks.from_sam`."""
    pieces, scores = [], []
    for z, records in sorted(found.items()):
        for record in records:
            code = record["segmentation"]
            size = tuple(code.shape if isinstance(code, np.ndarray) else code["size"])
            if size != tuple(shape[1:]) or not 0 <= z < shape[0]:
                raise ValueError(f"A mask {size} in slice {z} does not lie in {shape}.")
            pieces.append(_moved(_runs(code), z * shape[1] * shape[2]))
            scores.append(float(record[score]))
    return pieces, shape, None, scores


def _first(pair: tuple[float, Any]) -> float:
    return pair[0]


def _runs(code: Any) -> Piece:
    if not isinstance(code, np.ndarray):
        return decode(code)
    starts, lengths, inside = runs_of(code.astype(bool)[None])
    return starts[inside], lengths[inside]


def _moved(runs: Piece, voxels: int) -> Piece:
    return runs[0] + voxels, runs[1]
