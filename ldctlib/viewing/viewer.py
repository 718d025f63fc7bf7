"""The CT viewer: panes side by side that live in a page without a kernel and without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ldctlib import units
from ldctlib.masks import Masks
from ldctlib.viewing import colours, inputs, page, payload, preview
from ldctlib.viewing.inputs import Image, Rectangle, Slices

LIMIT_MB = 1.5
ZOOMS = (0.5, 1, 2, 3, 4)
MASK_STYLES = ("outline", "filled", "hidden")


def show(
    images: Mapping[str, Image],
    window: units.Window | None = None,
    *,
    slices: Slices | None = None,
    crop: Rectangle | None = None,
    difference: tuple[str, str] | None = None,
    difference_window: float | None = None,
    masks: Masks | None = None,
    mask_style: str = "outline",
    roi: Rectangle | None = None,
    zoom: float = 1,
    caption: str | None = None,
    alt: str | None = None,
    limit_mb: float = LIMIT_MB,
) -> Viewer:
    """Show CT images of one grid side by side, to be windowed, scrolled, zoomed and measured.

    The figure carries its pixels, rounded to whole HU. It starts in the middle slice.

    Args:
        images: name and scan, volume (Z, H, W) or slice (H, W) in HU of every pane.
        window: name or (level, width) in HU; the one of the first scan's anatomy if None, or lung.
        slices: which slices to carry: a number, a ``slice``, a range; all if None.
        crop: rows and columns to carry; all if None.
        difference: names (a, b): one more pane shows a - b.
        difference_window: HU at which its colours end, both ways; from the data if None.
        masks: structures on the grid of ``images`` to lay over.
        mask_style: "outline", "filled" or "hidden"; the reader can change it.
        roi: rows and columns of the region to measure first, on the grid of ``images``.
        zoom: screen pixels an image pixel: 1, 2, 3 or 4; 0.5 shows means of 2 x 2 pixels.
        caption: what to see; stands under the figure. The dose of exposed scans is stated below it.
        alt: what a reader without sight should know; made from the above if None.
        limit_mb: the heaviest figure allowed.

    Raises:
        ValueError: images differ in grid, hold NaN, or the figure would be too heavy.

    >>> show({"water": np.zeros((64, 64))}, window="abdomen")
    CT viewer: window level 50 HU, width 400 HU
      water: mean 0.0 HU, SD 0.0 HU, n 4096
    """
    if zoom not in ZOOMS:
        raise ValueError(f"zoom is one of {', '.join(map(str, ZOOMS))}, not {zoom}.")
    if mask_style not in MASK_STYLES:
        raise ValueError(f"mask_style is one of {', '.join(MASK_STYLES)}, not {mask_style!r}.")
    volumes = inputs.volumes(images)
    first = next(iter(volumes.values()))
    depth, height, width = first.shape
    numbers = inputs.numbers(slices, depth)
    rows, columns = inputs.rectangle("crop", crop, (slice(0, height), slice(0, width)))
    inside = inputs.rectangle("roi", roi, (rows, columns)) if roi is not None else None
    stack = np.stack(
        [payload.whole_hu(name, v[numbers, rows, columns]) for name, v in volumes.items()]
    )
    if masks is not None and masks.shape != first.shape:
        raise ValueError(f"The masks lie on {masks.shape}, the images on {first.shape}.")
    pair = inputs.pair_of(difference, list(volumes))
    if pair and difference_window is None:
        difference_window = inputs.limit(inputs.change(stack, pair))
    return Viewer(
        names=tuple(volumes),
        values=stack,
        numbers=tuple(numbers) if depth > 1 else (),
        offset=(rows.start, columns.start),
        window=units.level_width(inputs.window_of(images) if window is None else window),
        pair=pair,
        limit_hu=float(difference_window or 100),
        runs=None if masks is None else payload.mask_runs(masks, numbers, (rows, columns)),
        labels=() if masks is None else masks.labels,
        mask_style=mask_style,
        roi=None if inside is None else inputs.shifted(inside, -rows.start, -columns.start),
        zoom=zoom,
        caption="\n".join([*filter(None, [caption]), *inputs.doses(images)]) or None,
        alt_text=alt,
        limit_mb=limit_mb,
    )


@dataclass(frozen=True, repr=False)
class Viewer:
    """A figure of CT panes, made by `show`; notebooks and pages display it by its mime bundle."""

    names: tuple[str, ...]
    values: np.ndarray  # int16 (panes, Z, H, W), HU
    numbers: tuple[int, ...]  # slice numbers in the volume; empty for single slices
    offset: tuple[int, int]  # row and column of the first pixel in the whole image
    window: tuple[float, float]
    pair: tuple[int, int] | None
    limit_hu: float
    runs: np.ndarray | None
    labels: tuple[str, ...]
    mask_style: str
    roi: Rectangle | None
    zoom: float
    caption: str | None
    alt_text: str | None
    limit_mb: float
    first: int | None = None  # place of the slice on show at first; the middle one if None

    def __post_init__(self) -> None:
        _ = self.html  # a figure that is too heavy fails here, not when it is displayed

    def __repr__(self) -> str:
        level, width = self.window
        where = f", slice {self.numbers[self.opening]}" if self.numbers else ""
        where += ", region of interest" if self.roi else ""
        lines = [f"CT viewer: window level {level:g} HU, width {width:g} HU{where}"]
        for name, plane in self.planes():
            part = (plane[self.roi] if self.roi else plane).astype(np.float64)
            spread = f"mean {part.mean():.1f} HU, SD {part.std():.1f} HU, n {part.size}"
            lines.append(f"  {name}: {spread}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/html": self.html,
            "image/png": base64.b64encode(self.png[0]).decode(),
            "text/plain": repr(self),
        }

    @property
    def alt(self) -> str:
        """The alternative text of the picture."""
        if self.alt_text:
            return self.alt_text
        level, width = self.window
        where = f" in slice {self.numbers[self.opening]}" if self.numbers else ""
        names = [name for name, _ in self.planes()]
        where += ", side by side" if len(names) > 1 else ""
        made = f"CT{where}: {', '.join(names)}. Level {level:g} HU, width {width:g} HU."
        return " ".join([*(self.caption or "").splitlines(), made])

    @cached_property
    def png(self) -> tuple[bytes, int, int]:
        """The still picture: the file, its width and its height in pixels."""
        grey = colours.grey_table(self.window)
        panes = [preview.Pane(name, "", plane, grey) for name, plane in self.planes()]
        if self.pair:
            name, plane = self.planes()[-1]
            table = colours.difference_table(self.limit_hu)
            panes[-1] = preview.Pane(name, f"± {self.limit_hu:g} HU", plane, table, True)
        runs = None
        if self.runs is not None and self.mask_style != "hidden":
            runs = self.runs[:, self.runs[1] == self.opening][[0, 2, 3, 4]]
        return preview.render(panes, self.zoom, self.roi, runs)

    @cached_property
    def html(self) -> str:
        """The figure: the still picture, and one script that brings it to life."""
        return page.figure(self)

    @property
    def opening(self) -> int:
        """Place of the first slice on show."""
        return len(self.values[0]) // 2 if self.first is None else self.first

    def planes(self) -> list[tuple[str, np.ndarray]]:
        """Name and whole HU of every pane of the first slice on show."""
        planes = [(name, v[self.opening]) for name, v in zip(self.names, self.values, strict=True)]
        if self.pair:
            (a, x), (b, y) = (planes[i] for i in self.pair)
            planes.append((f"{a} − {b}", inputs.change([x, y], (0, 1))))
        return planes
