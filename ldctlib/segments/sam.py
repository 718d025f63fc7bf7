"""Segment-anything on the windowed slices of a scan, with a file for every slice that is done."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch
from torch import nn
from tqdm.auto import tqdm

from ldctlib.devices import best_device
from ldctlib.files import write_arrays
from ldctlib.masks import Masks
from ldctlib.segments.checkpoints import INSTALL, fingerprint, load_sam
from ldctlib.units import Window, apply_window

# Lowest predicted IoU and stability of a mask: defaults of SAM, and of its authors' example that
# asks for more masks.
THRESHOLDS = {"core": (0.88, 0.95), "extended": (0.86, 0.92)}

# Prompts, and images in the encoder, at once: 256 prompts take about 4 GB of a GPU.
PROMPTS = {"cpu": 32, "cuda": 256}
IMAGES = {"cpu": 1, "cuda": 4}

Rle = Mapping[str, Any]


def sam(
    hu: np.ndarray,
    *,
    windows: Sequence[Window],
    tier: str = "core",
    checkpoint: str | Path | nn.Module = "mobile_sam",
    points_per_side: int = 32,
    thresholds: tuple[float, float] | None = None,
    device: torch.device | str | None = None,
    cache_folder: str | Path | None = None,
    progress: bool = True,
) -> Masks:
    """All masks that segment-anything finds in every slice, in every window, without rules.

    Each slice is shown to SAM as a grey 8-bit picture, and a grid of points as prompts. Duplicates
    in one window are dropped by SAM (boxes with IoU over 0.7), those of different windows are not.

    Args:
        hu: volume (Z, H, W) in HU.
        windows: names, or (level, width) in HU.
        tier: "core": thresholds 0.88 and 0.95, SAM's own; "extended": 0.86 and 0.92.
        checkpoint: see `load_sam`; or a model of segment-anything.
        points_per_side: the grid has so many points squared. The time grows with their number: on
            two CPU cores MobileSAM takes over a minute a slice at 32, 7 s at 8.
        thresholds: lowest predicted IoU and stability score of a mask, instead of the tier's.
        device: a GPU if there is one, if None.
        cache_folder: the masks of every picture lie here, named by its content and all settings.
            A run that was interrupted goes on from them. The user's cache if None.
        progress: whether to show a progress bar.

    Returns:
        Masks labelled "slice/number", ordered by slice, whose scores are the IoUs SAM predicts.
    """
    device = best_device(device)
    folder = Path(cache_folder or pooch.os_cache("ldctlib") / "segments")
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(checkpoint, nn.Module):
        model, identity = checkpoint.eval(), fingerprint(checkpoint)
    else:
        model, identity = load_sam(checkpoint)
    iou, stability = thresholds or THRESHOLDS[tier]
    settings = {"points": points_per_side, "iou": iou, "stability": stability, "model": identity}
    paths = [[folder / f"{_key(_picture(i, w), settings)}.npz" for w in windows] for i in hu]
    missing = [(z, w) for z, row in enumerate(paths) for w, p in enumerate(row) if not _read(p)]
    if missing:
        generate = _generator(model.to(device), points_per_side, iou, stability, device)
        pictures = ((_picture(hu[z], windows[w]), paths[z][w]) for z, w in missing)
        total = len(hu) * len(windows)
        bar = tqdm(total=total, initial=total - len(missing), desc="SAM", disable=not progress)
        with bar:
            for group in _groups(pictures, IMAGES.get(device.type, 1)):
                found = generate([picture for picture, _ in group])
                for (_, path), records in zip(group, found, strict=True):
                    _write(path, records)
                    bar.update()
    depth, height, width = hu.shape
    return _collect(paths, (depth, height, width))


def _picture(image: np.ndarray, window: Window) -> np.ndarray:
    """A slice (H, W) in HU as the colour picture (H, W, 3), uint8, that SAM was trained on."""
    grey = np.round(255 * apply_window(image, window)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def _key(picture: np.ndarray, settings: Mapping[str, Any]) -> str:
    facts = json.dumps([picture.shape, settings], sort_keys=True).encode()
    return hashlib.sha256(facts + np.ascontiguousarray(picture[..., 0]).data).hexdigest()[:32]


def _generator(
    model: Any, points_per_side: int, iou: float, stability: float, device: torch.device
) -> Any:
    """A function from pictures to SAM's records, one list for each picture."""
    try:
        from segment_anything import SamAutomaticMaskGenerator, SamPredictor
    except ImportError as error:
        raise ImportError(INSTALL) from error

    class Encoded(SamPredictor):  # type: ignore[misc]
        """A predictor whose images were encoded together."""

        @torch.no_grad()
        def encode(self, pictures: Sequence[np.ndarray]) -> None:
            batch = np.stack([self.transform.apply_image(picture) for picture in pictures])
            images = torch.as_tensor(batch, device=self.device).permute(0, 3, 1, 2).contiguous()
            self.waiting = list(model.image_encoder(model.preprocess(images)).split(1))
            self.encoded_size = tuple(images.shape[-2:])

        def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
            self.features, self.is_image_set = self.waiting.pop(0), True
            self.original_size, self.input_size = image.shape[:2], self.encoded_size

    generator = SamAutomaticMaskGenerator(
        model,
        points_per_side=points_per_side,
        points_per_batch=PROMPTS.get(device.type, 32),
        pred_iou_thresh=iou,
        stability_score_thresh=stability,
        output_mode="uncompressed_rle",
    )
    generator.predictor = Encoded(model)

    def generate(pictures: Sequence[np.ndarray]) -> list[list[Rle]]:
        busy = [picture.min() < picture.max() for picture in pictures]
        if any(busy):
            generator.predictor.encode([p for p, b in zip(pictures, busy, strict=True) if b])
        return [generator.generate(p) if b else [] for p, b in zip(pictures, busy, strict=True)]

    return generate


def _groups(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while group := list(islice(items, size)):
        yield group


def _write(path: Path, records: Sequence[Rle]) -> None:
    counts = [np.asarray(record["segmentation"]["counts"], np.int32) for record in records]
    arrays = {
        "counts": np.concatenate([np.zeros(0, np.int32), *counts]),
        "lengths": np.array([len(c) for c in counts], np.int64),
        "scores": np.array([record["predicted_iou"] for record in records], np.float64),
    }
    write_arrays(path, arrays)


def _read(path: Path) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Counts and scores of the masks of a picture; None if there is no whole file."""
    try:
        with np.load(path) as file:
            parts = np.split(file["counts"], np.cumsum(file["lengths"])[:-1])
            return parts[: len(file["lengths"])], file["scores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _collect(paths: Sequence[Sequence[Path]], shape: tuple[int, int, int]) -> Masks:
    size = shape[1:]
    found: dict[int, list[Rle]] = {}
    for z, row in enumerate(paths):
        pictures = [read for path in row if (read := _read(path))]
        found[z] = [
            {"segmentation": {"size": size, "counts": counts}, "predicted_iou": score}
            for parts, scores in pictures
            for counts, score in zip(parts, scores, strict=True)
        ]
    masks = Masks.from_sam(found, shape)
    labels = tuple(f"{z}/{k}" for z, records in found.items() for k in range(len(records)))
    return replace(masks, labels=labels)
