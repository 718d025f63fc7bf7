"""A scatter of segments: choose a point, and the viewer below shows the segment it stands for."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ldctlib import units
from ldctlib.masks import Masks
from ldctlib.viewing import axes, inputs, page
from ldctlib.viewing.inputs import Image
from ldctlib.viewing.viewer import LIMIT_MB, Viewer, show

# Shapes tell the kinds apart where colours do not.
SHAPES = {
    "triangle-down": "M-5 -3.5H5L0 5.5z",
    "triangle-up": "M-5 3.5H5L0 -5.5z",
    "square": "M-4 -4H4V4H-4z",
    "circle": "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z",
}
LOOKS = (
    ("circle", "#56b4e9"),
    ("triangle-down", "#d55e00"),
    ("triangle-up", "#cc79a7"),
    ("square", "#e69f00"),
)


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    images: Mapping[str, Image],
    masks: Masks,
    chosen: Sequence[int],
    *,
    kinds: Sequence[str] | None = None,
    looks: Mapping[str, tuple[str, str]] | None = None,
    windows: Sequence[units.Window] | units.Window | None = None,
    texts: Sequence[str] | None = None,
    reveal: str | None = None,
    labels: tuple[str, str] = ("x", "y"),
    crop_px: int = 96,
    zoom: int = 2,
    alt: str,
    caption: str | None = None,
    limit_mb: float = LIMIT_MB,
) -> Scatter:
    """Draw all segments as points; some can be chosen, and are then shown in a viewer.

    Args:
        x: (S,) coordinates of the segments, positive: both axes are logarithmic.
        y: the same for the other axis.
        images: name and scan or volume (Z, H, W) in HU of every pane.
        masks: S segments on the grid of ``images``.
        chosen: positions of the segments that the figure carries; the first is shown first.
        kinds: one word for each of the chosen, at most four different ones, such as "removed".
        looks: shape (one of `SHAPES`) and colour of every kind; in their order of coming if None.
        windows: display window of each of the chosen, or of all; as in `show` if None.
        texts: what to say about each of the chosen.
        reveal: name of a pane that stays covered until the reader asks for it.
        labels: of the axes.
        crop_px: side of the part of the image that is shown around a segment.
        zoom: of the viewer.
        alt: what a reader without sight should know.
        caption: what to see; stands under the figure.
        limit_mb: the heaviest figure allowed.

    Raises:
        ValueError: numbers do not fit each other, a coordinate is not positive, or the figure
            would be too heavy.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    chosen = [int(i) for i in chosen]
    _check(x, y, masks, chosen)
    kinds = list(kinds) if kinds is not None else ["segment"] * len(chosen)
    texts = list(texts) if texts is not None else [""] * len(chosen)
    if windows is None or isinstance(windows, str | tuple):
        windows = [windows or inputs.window_of(images)] * len(chosen)
    for name, values in (("kinds", kinds), ("texts", texts), ("windows", windows)):
        if len(values) != len(chosen):
            raise ValueError(f"{len(values)} {name} were given for {len(chosen)} segments.")
    if looks is None:
        if len(set(kinds)) > len(LOOKS):
            raise ValueError(f"A figure tells {len(LOOKS)} kinds apart, not {len(set(kinds))}.")
        looks = dict(zip(dict.fromkeys(kinds), LOOKS, strict=False))
    if reveal is not None and reveal not in images:
        raise ValueError(f"No pane is called {reveal!r}.")
    viewer = _gallery(images, masks, chosen, windows[0], crop_px, zoom, alt, limit_mb)
    ends = [units.level_width(window) for window in windows]
    data: dict[str, list[Any]] = {"level": [e[0] for e in ends], "width": [e[1] for e in ends]}
    data["texts"] = texts
    words = labels, alt, caption
    return Scatter(viewer, (x, y), tuple(chosen), tuple(kinds), dict(looks), data, reveal, *words)


@dataclass(frozen=True, repr=False)
class Scatter:
    """The figure made by `scatter`; notebooks and pages display it by its mime bundle."""

    viewer: Viewer
    points: tuple[np.ndarray, np.ndarray]
    chosen: tuple[int, ...]
    kinds: tuple[str, ...]
    looks: dict[str, tuple[str, str]]
    data: dict[str, list[Any]]
    reveal: str | None
    labels: tuple[str, str]
    alt: str
    caption: str | None

    def __repr__(self) -> str:
        counts = {kind: self.kinds.count(kind) for kind in dict.fromkeys(self.kinds)}
        told = ", ".join(f"{n} {kind}" for kind, n in counts.items())
        return f"Scatter of {len(self.points[0])} segments; to be chosen: {told}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/html": self.html,
            "image/png": base64.b64encode(self.viewer.png[0]).decode(),
            "text/plain": repr(self),
        }

    @cached_property
    def html(self) -> str:
        """The points, the viewer, and one script that connects them."""
        drawing = self._drawing()
        name = f"sc{hashlib.sha256((drawing + self.viewer.html).encode()).hexdigest()[:12]}"
        data = json.dumps({**self.data, "reveal": self.reveal}, ensure_ascii=False)
        caption = f"<p>{html.escape(self.caption)}</p>" if self.caption else ""
        script = page.file("scatter.js")
        data = data.replace("</", "<\\/")
        return (
            f'<div class="ct-scatter" data-ct-scatter="{name}" data-lm-suppress-shortcuts="true">'
            f"{drawing}{self.viewer.html}{caption}</div>"
            f'<script>(() => {{{script}\nconnect("{name}", {data});}})();</script>'
        )

    def _drawing(self) -> str:
        frame = axes.LogLog(*self.points)
        rest = np.setdiff1d(np.arange(len(self.points[0])), self.chosen)
        dots = "".join("M{:.0f} {:.0f}h0".format(*frame.place(i)) for i in rest)
        marks = []
        for n, i in reversed(list(enumerate(self.chosen))):  # the first one on top
            shape, colour = self.looks[self.kinds[n]]
            across, down = frame.place(i)
            spoken = html.escape(f"{self.kinds[n]}: {self.data['texts'][n]}")
            marks.append(
                f'<path data-n="{n}" role="button" tabindex="-1" aria-label="{spoken}" '
                f'transform="translate({across:.1f} {down:.1f})" d="{SHAPES[shape]}" '
                f'fill="{colour}" stroke="currentColor" stroke-width="0.6"/>'
            )
        key = []
        for n, kind in enumerate(dict.fromkeys(self.kinds)):
            (shape, colour), down = self.looks[kind], axes.TOP + 14 + 18 * n
            key.append(
                f'<path d="{SHAPES[shape]}" fill="{colour}" '
                f'transform="translate({axes.LEFT + 14} {down})"/>'
                f'<text x="{axes.LEFT + 26}" y="{down + 4}">{html.escape(kind)}</text>'
            )
        return (
            f'<svg class="points" viewBox="0 0 {axes.WIDTH} {axes.HEIGHT}" role="group" '
            f'aria-label="{html.escape(self.alt)}" font-size="12" fill="currentColor" '
            'style="width:100%;max-width:680px;height:auto;display:block">'
            f"{frame.drawing(*self.labels)}"
            f'<path d="{dots}" stroke="currentColor" stroke-opacity="0.35" stroke-width="2.4" '
            f'stroke-linecap="round" fill="none"/>{"".join(key)}'
            f'<g class="marks" style="cursor:pointer">{"".join(marks)}</g>'
            '<circle class="ring" r="9" fill="none" stroke="currentColor" stroke-width="1.6" '
            'visibility="hidden"/></svg>'
        )


def _check(x: np.ndarray, y: np.ndarray, masks: Masks, chosen: list[int]) -> None:
    if not x.shape == y.shape == (len(masks),):
        raise ValueError(f"There are {len(masks)} segments, but x is {x.shape} and y is {y.shape}.")
    if not (np.isfinite([x, y]).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("Every coordinate of a segment is positive and finite.")
    if not chosen or min(chosen) < 0 or max(chosen) >= len(masks):
        raise ValueError(f"Choose at least one of the segments 0 to {len(masks) - 1}.")


def _gallery(
    images: Mapping[str, Image],
    masks: Masks,
    chosen: list[int],
    window: units.Window,
    crop_px: int,
    zoom: int,
    alt: str,
    limit_mb: float,
) -> Viewer:
    """A viewer whose slices are the parts of the image around the chosen segments."""
    volumes = inputs.volumes(images)
    grid = next(iter(volumes.values())).shape
    if masks.shape != grid:
        raise ValueError(f"The masks lie on {masks.shape}, the images on {grid}.")
    side = min(crop_px, *grid[1:])
    places, outlines = [], []
    for n, (i, z) in enumerate(zip(chosen, masks.select(chosen).largest_slices, strict=True)):
        inside = masks.plane(i, z)
        rows, columns = np.nonzero(inside)
        top = int(np.clip((rows.min() + rows.max() + 1 - side) // 2, 0, grid[1] - side))
        left = int(np.clip((columns.min() + columns.max() + 1 - side) // 2, 0, grid[2] - side))
        places.append((int(z), slice(top, top + side), slice(left, left + side)))
        outlines.append((n, inside[places[-1][1:]]))
    crops = {name: np.stack([v[p] for p in places]) for name, v in volumes.items()}
    outline = Masks.from_slices(
        outlines, (len(chosen), side, side), [masks.labels[i] for i in chosen]
    )
    viewer = show(
        crops, window, masks=outline, zoom=zoom, alt=f"{alt} Below: one segment.", limit_mb=limit_mb
    )
    return replace(viewer, numbers=tuple(place[0] for place in places), first=0)
