"""Still figures: every one has alternative text, and CT keeps its grey values and its pixels."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ldctlib import units
from ldctlib.scans.scan import Scan
from ldctlib.viewing import colours, inputs, page, payload
from ldctlib.viewing.inputs import Image, Rectangle
from ldctlib.viewing.preview import COLUMN_PX

# Okabe and Ito's colours, told apart by readers with any colour vision; doi:10.1038/nmeth.1618
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DOTS_PER_INCH = 100


@dataclass(frozen=True)
class Figure:
    """A still picture with alternative text, as notebooks and pages display it."""

    png: bytes
    width: int  # CSS pixels
    height: int
    alt: str
    caption: str | None = None

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("A figure needs alt=..., what a reader without sight should know.")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        picture = page.image(self.png, self.width, self.height, self.alt)
        return {
            "text/html": f'<figure style="margin:1em 0">{picture}{caption}</figure>',
            "image/png": base64.b64encode(self.png).decode(),
            "text/plain": self.alt,
        }


def figure(fig: Any, *, alt: str, caption: str | None = None) -> Figure:
    """A matplotlib figure with alternative text; the matplotlib figure is closed.

    Args:
        fig: a ``matplotlib.figure.Figure``.
        alt: what a reader without sight should know.
        caption: what to see; stands under the picture.

    Raises:
        ValueError: ``alt`` is empty.
    """
    from matplotlib import pyplot

    width, height = (round(inches * DOTS_PER_INCH) for inches in fig.get_size_inches())
    file = io.BytesIO()
    # Twice the pixels of the page, so that lines and letters are sharp on fine screens.
    fig.savefig(file, format="png", dpi=2 * DOTS_PER_INCH)
    pyplot.close(fig)
    return Figure(file.getvalue(), width, height, alt, caption)


def style() -> None:
    """Give matplotlib the look of the course: quiet axes, colours that everybody tells apart."""
    from cycler import cycler
    from matplotlib import rcParams

    rcParams.update(
        {
            "figure.figsize": (7.2, 3.4),
            "figure.dpi": DOTS_PER_INCH,
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 10.5,
            "axes.titlelocation": "left",
            "axes.prop_cycle": cycler(color=LINE_COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#5b6067",
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e3e5e8",
            "grid.linewidth": 0.8,
            "lines.linewidth": 1.7,
            "legend.frameon": False,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
        }
    )


def panel(
    images: Mapping[str, Image],
    window: units.Window | None = None,
    *,
    slice_number: int | None = None,
    crop: Rectangle | None = None,
    difference: tuple[str, str] | None = None,
    difference_window: float | None = None,
    zoom: int = 1,
    alt: str,
    caption: str | None = None,
) -> Figure:
    """Still CT panes side by side, each image pixel a whole number of page pixels.

    Args:
        images: name and scan, volume (Z, H, W) or slice (H, W) in HU of every pane.
        window: name or (level, width) in HU; the one of the first scan's anatomy if None, or lung.
        slice_number: which slice; the middle one if None.
        crop: rows and columns to show; all if None.
        difference: names (a, b): one more pane shows a - b.
        difference_window: HU at which its colours end, both ways; from the data if None.
        zoom: page pixels an image pixel, a whole number.
        alt: what a reader without sight should know.
        caption: what to see.

    Raises:
        ValueError: images differ in grid, hold NaN, or ``alt`` is empty.
    """
    from matplotlib.colors import Normalize

    volumes = inputs.volumes(images)
    depth, height, width = next(iter(volumes.values())).shape
    z = inputs.numbers(depth // 2 if slice_number is None else slice_number, depth)[0]
    rows, columns = inputs.rectangle("crop", crop, (slice(0, height), slice(0, width)))
    planes = {k: payload.whole_hu(k, v[z, rows, columns]) for k, v in volumes.items()}
    window = inputs.window_of(images) if window is None else window
    grey = colours.grey_table(window)[:, None].repeat(3, axis=1)
    panes = [(name, plane, grey) for name, plane in planes.items()]
    scales = [("gray", Normalize(*units.window_bounds(window)), "HU")]
    pair = inputs.pair_of(difference, list(planes))
    if pair:
        a, b = pair
        change, limit = inputs.change(list(planes.values()), pair), difference_window
        limit = inputs.limit(change) if limit is None else limit
        colour = colours.difference_colours()[colours.difference_table(limit)]
        names = list(planes)
        panes.append((f"{names[a]} − {names[b]}", change, colour))
        scales.append((colours.difference_map(), Normalize(-limit, limit), "ΔHU"))
    first = next(iter(images.values()))
    pixel_mm = first.spacing_mm[2] if isinstance(first, Scan) else None
    fig = _place(panes, scales, zoom, pixel_mm)
    return figure(fig, alt=alt, caption=caption)


def _place(panes: Any, scales: Any, zoom: int, pixel_mm: float | None) -> Any:
    """Panes, colour bars and a bar of length on a sheet measured in page pixels."""
    from matplotlib import pyplot
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import MaxNLocator

    h, w = (n * zoom for n in panes[0][1].shape)
    name_px, gap_px, scale_px = 22, 4, 34
    most = max(1, (COLUMN_PX + gap_px) // (w + gap_px))
    columns = -(-len(panes) // -(-len(panes) // most))
    rows = -(-len(panes) // columns)
    wide, high = columns * (w + gap_px) - gap_px, rows * (h + name_px) + scale_px
    fig = pyplot.figure(figsize=(wide / DOTS_PER_INCH, high / DOTS_PER_INCH), layout="none")

    def axes(x: float, y: float, across: float, down: float) -> Any:
        return fig.add_axes((x / wide, 1 - (y + down) / high, across / wide, down / high))

    for i, (name, plane, table) in enumerate(panes):
        x, y = i % columns * (w + gap_px), i // columns * (h + name_px) + name_px
        area = axes(x, y, w, h)
        area.imshow(table[plane.astype(np.int32) + 32768], interpolation="nearest", aspect="auto")
        area.set_axis_off()
        area.set_title(name, fontsize=9, loc="left", pad=4)
        if pixel_mm and i == 0:
            _length_bar(area, plane.shape, pixel_mm)
    last = (len(panes) - 1) % columns
    for (cmap, norm, label), column in zip(scales, (0, last), strict=False):
        area = axes(column * (w + gap_px) + 0.06 * w, high - scale_px + 8, 0.7 * w, 7)
        bar = fig.colorbar(ScalarMappable(norm, cmap), cax=area, orientation="horizontal")
        bar.outline.set_linewidth(0.4)
        bar.locator = MaxNLocator(4)
        area.tick_params(labelsize=8, length=2, pad=2)
        area.text(1.09, 0.5, label, fontsize=8, va="center", transform=area.transAxes)
    return fig


def _length_bar(area: Any, shape: tuple[int, int], pixel_mm: float) -> None:
    """A white bar of a round number of mm, at most a third of the width."""
    from matplotlib.patheffects import withStroke

    third = shape[1] * pixel_mm / 3
    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100) if mm <= third), default=third)
    x, y, across = 0.04 * shape[1], 0.95 * shape[0], length / pixel_mm
    dark = [withStroke(linewidth=3.5, foreground="#00000090")]
    area.plot([x, x + across], [y, y], "w", linewidth=1.6, solid_capstyle="butt", path_effects=dark)
    area.text(x, y - 0.02 * shape[0], f"{length:g} mm", color="w", fontsize=7, path_effects=dark)
