"""How HU become colours: grey by the DICOM window rule, one diverging map for differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldctlib import units

# Blue for darker, black for unchanged, orange for brighter: colour-blind safe, equally bright on
# both sides, and calm beside CT, whose background is black too. Positions are -1, -0.5, 0, 0.5, 1.
DIFFERENCE_ANCHORS = ("#b4e1ff", "#2e7fd2", "#0a0a0c", "#cc661a", "#ffdca0")

# Outlines of masks, in turn; none is the amber of a region of interest.
MASK_COLOURS = (
    "#4cc9f0",
    "#f15bb5",
    "#9be564",
    "#c8a2ff",
    "#ff7b6b",
    "#2dd4a7",
    "#e8e46a",
    "#8fb1ff",
)
ROI_COLOUR = "#ffb000"


def grey_table(window: units.Window) -> np.ndarray:
    """Grey value, uint8, of each of the 65 536 possible int16 values: entry HU + 32768.

    >>> table = grey_table("brain")
    >>> [int(table[hu + 32768]) for hu in (-5, 0, 40, 79, 200)]
    [0, 0, 129, 255, 255]
    """
    every = np.arange(-32768, 32768, dtype=np.float64)
    return np.asarray(np.rint(units.apply_window(every, window) * 255), np.uint8)


def difference_table(limit_hu: float) -> np.ndarray:
    """Entry, uint8, in `difference_colours` of each int16 difference; the ends are ±limit_hu."""
    every = np.arange(-32768, 32768, dtype=np.float64)
    return np.asarray(np.rint(((every / limit_hu + 1) * 127.5).clip(0, 255)), np.uint8)


def difference_colours() -> np.ndarray:
    """The 256 colours for differences, uint8 (256, 3), from negative to positive.

    >>> difference_colours()[[0, 255]].tolist()
    [[180, 225, 255], [255, 220, 160]]
    """
    anchors = [[int(a[i : i + 2], 16) for i in (1, 3, 5)] for a in DIFFERENCE_ANCHORS]
    at, stops = np.linspace(0, 1, 256), np.linspace(0, 1, len(anchors))
    channels = [np.interp(at, stops, channel) for channel in zip(*anchors, strict=True)]
    return np.asarray(np.rint(np.stack(channels, axis=1)), np.uint8)


def difference_gradient() -> str:
    """The same colours as a CSS gradient."""
    return f"linear-gradient(90deg, {', '.join(DIFFERENCE_ANCHORS)})"


def difference_map() -> Any:
    """The same colours as a matplotlib colour map; use it with ``vmin=-x, vmax=x``."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(difference_colours() / 255, name="difference")
