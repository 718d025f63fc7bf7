"""The low-contrast test: a channelised observer looks for discs in the MITA-LCD images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ldctlib.metrics.channels import (
    difference_of_gaussians_channels,
    gabor_channels,
    laguerre_gauss_channels,
)
from ldctlib.metrics.observers import cho
from ldctlib.scans.low_contrast import DOSES, INSERTS, METHODS, mita_lcd

ChannelName = Literal["laguerre-gauss", "gabor", "dense", "sparse"]


def low_contrast_table(
    methods: Sequence[str] = tuple(METHODS),
    doses: Sequence[int] = DOSES,
    inserts: Sequence[str] = tuple(INSERTS),
    *,
    channels: ChannelName = "laguerre-gauss",
    places: Literal["own", "all"] = "all",
    size: int = 64,
    internal_noise: float = 0.0,
) -> list[dict[str, Any]]:
    """AUC with its exact 95 % interval for every method, dose and disc, e.g. for a DataFrame.

    Every row rests on 10 images with the disc and, with ``places`` "all", 40 patches without. With
    so few the intervals are wide; the authors of the data suggest 200 images of each kind.

    Args:
        methods: "fbp", "network".
        doses: in percent.
        inserts: names of the discs.
        channels: "laguerre-gauss" (five, as wide as the disc), "gabor", "dense" or "sparse"
            difference of Gaussians.
        places: where signal-absent patches come from, see `LowContrastImages.patches`.
        size: of the patches in pixels.
        internal_noise: see `cho`.

    Returns:
        Rows with "method", "dose", "insert", "dprime", "auc", "low", "high", "present" and
        "absent" (numbers of patches).
    """
    rows = []
    for method in methods:
        for dose in doses:
            images = mita_lcd(method, dose)
            for insert in inserts:
                present, absent = images.patches(insert, size, places)
                width_px = images.inserts[insert].diameter_mm / images.pixel_mm
                templates = _channels(channels, (size, size), width_px)
                found = cho(present, absent, templates, internal_noise=internal_noise)
                rows.append(
                    {
                        "method": method,
                        "dose": dose,
                        "insert": insert,
                        "dprime": found.dprime,
                        "auc": found.auc,
                        "low": found.low,
                        "high": found.high,
                        "present": len(present),
                        "absent": len(absent),
                    }
                )
    return rows


def _channels(name: ChannelName, shape: tuple[int, int], width_px: float) -> np.ndarray:
    if name == "laguerre-gauss":
        return laguerre_gauss_channels(shape, width_px)
    if name == "gabor":
        return gabor_channels(shape)
    if name in ("dense", "sparse"):
        return difference_of_gaussians_channels(shape, name)
    raise ValueError(f"Channels are laguerre-gauss, gabor, dense or sparse, not {name!r}.")
