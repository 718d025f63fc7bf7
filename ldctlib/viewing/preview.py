"""The still picture of a viewer: what it shows first, in a column as wide as a book's."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ldctlib.viewing.colours import MASK_COLOURS, ROI_COLOUR, difference_colours

COLUMN_PX = 736
GAP_PX = 2
NAME_PX = 22

DIFFERENCES, LINES = 128, 214  # first difference colour, first line colour of the palette


@dataclass(frozen=True)
class Layout:
    """Size of the panes: as `layout` in viewer.js, for one device pixel a CSS pixel."""

    reduce: int  # means of reduce x reduce pixels are shown
    scale: int  # screen pixels for each of them
    columns: int  # panes beside one another
    across: int  # shown pixels, of the image's width
    down: int

    @classmethod
    def of(cls, panes: int, height: int, width: int, zoom: float) -> Layout:
        """The layout of so many panes of (height, width) pixels."""
        reduce, scale = (2, 1) if zoom < 0.75 else (1, int(zoom + 0.5))
        w, h = width // reduce, height // reduce
        least = min(w * scale, 200)
        most = max(1, min(panes, (COLUMN_PX + GAP_PX) // (least + GAP_PX)))
        columns = -(-panes // -(-panes // most))
        share = (COLUMN_PX - GAP_PX * (columns - 1)) / columns
        across = max(1, min(w, int(share / scale)))
        return cls(reduce, scale, columns, across, max(1, int(h * across / w + 0.5)))

    def corner(self, height: int, width: int, centre: tuple[float, float]) -> tuple[int, int]:
        """Top and left of the visible part, in shown pixels."""
        top = int(np.floor(centre[0] / self.reduce - self.down / 2 + 0.5))
        left = int(np.floor(centre[1] / self.reduce - self.across / 2 + 0.5))
        return (
            min(max(top, 0), height // self.reduce - self.down),
            min(max(left, 0), width // self.reduce - self.across),
        )


def halve(plane: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, rounded to whole HU.

    >>> halve(np.array([[0, 1, 9], [2, 3, 9]], np.int16)).tolist()
    [[2]]
    """
    h, w = plane.shape[0] // 2, plane.shape[1] // 2
    blocks = plane[: 2 * h, : 2 * w].astype(np.float64).reshape(h, 2, w, 2)
    return np.asarray(np.floor(blocks.mean(axis=(1, 3)) + 0.5), np.int16)


@dataclass(frozen=True)
class Pane:
    """One still pane."""

    name: str
    note: str
    plane: np.ndarray  # int16 (H, W)
    table: np.ndarray  # uint8 (65536,): grey value, or entry of the difference colours, by HU
    difference: bool = False


def render(
    panes: Sequence[Pane],
    zoom: float,
    roi: tuple[slice, slice] | None = None,
    runs: np.ndarray | None = None,
) -> tuple[bytes, int, int]:
    """A PNG of panes side by side, nearest neighbour at whole-number zoom.

    One byte a pixel, to keep the figure light: 128 greys, 86 difference colours, the lines.

    Args:
        panes: panes of one size.
        zoom: screen pixels an image pixel; 0.5 shows means of 2 x 2 pixels.
        roi: rectangle to draw, in pixels of the panes.
        runs: (4, R) mask, row, column and length of runs to outline.

    Returns:
        The file, its width and its height in pixels.
    """
    from PIL import Image

    height, width = panes[0].plane.shape
    box = Layout.of(len(panes), height, width, zoom)
    rows, columns = roi or (slice(0, height), slice(0, width))
    centre = (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2
    top, left = box.corner(height, width, centre)
    seen = slice(top, top + box.down), slice(left, left + box.across)
    w, h = box.across * box.scale, box.down * box.scale
    lines = -(-len(panes) // box.columns)
    sheet = np.zeros((lines * (h + NAME_PX + GAP_PX) - GAP_PX, box.columns * (w + GAP_PX) - GAP_PX))
    sheet = sheet.astype(np.uint8)
    for i, pane in enumerate(panes):
        x, y = i % box.columns * (w + GAP_PX), i // box.columns * (h + NAME_PX + GAP_PX)
        plane = halve(pane.plane) if box.reduce == 2 else pane.plane
        entry = pane.table[plane[seen].astype(np.int32) + 32768]
        entry = DIFFERENCES + entry // 3 if pane.difference else entry >> 1
        pixels = _enlarge(entry.astype(np.uint8), box.scale)
        for edge, colour in _outlines(runs, (height, width), box, seen):
            pixels[edge] = colour
        if roi is not None:
            _frame(pixels, roi, box, (top, left))
        sheet[y : y + NAME_PX, x : x + w] = _heading(pane.name, pane.note, w)
        sheet[y + NAME_PX : y + NAME_PX + h, x : x + w] = pixels
    picture = Image.fromarray(sheet)
    picture.putpalette(_palette().tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue(), sheet.shape[1], sheet.shape[0]


def _palette() -> np.ndarray:
    """The colours of the picture, uint8 (223, 3); greys are within 1 of the exact ones."""
    greys = np.rint(np.arange(128) * 255 / 127).astype(np.uint8)[:, None].repeat(3, axis=1)
    lines = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (*MASK_COLOURS, ROI_COLOUR)]
    return np.concatenate([greys, difference_colours()[::3], np.array(lines, np.uint8)])


def _heading(name: str, note: str, width: int) -> np.ndarray:
    """A black strip with the name to the left and the note to the right."""
    from PIL import Image, ImageDraw

    strip, font = Image.new("L", (width, NAME_PX)), _font()
    draw = ImageDraw.Draw(strip)
    draw.text((7, NAME_PX // 2), name, 230, font, "lm")
    draw.text((width - 7, NAME_PX // 2), note, 198, font, "rm")
    return np.asarray(strip) >> 1


def _font() -> Any:
    """DejaVu Sans, which has every sign and comes with matplotlib; else what Pillow brings."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    if found is not None and found.origin is not None:
        file = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
        if file.exists():
            return ImageFont.truetype(str(file), 11)
    return ImageFont.load_default(12)


def _enlarge(pixels: np.ndarray, scale: int) -> np.ndarray:
    return pixels.repeat(scale, 0).repeat(scale, 1)


def _outlines(
    runs: np.ndarray | None, shape: tuple[int, int], box: Layout, seen: tuple[slice, slice]
) -> Iterator[tuple[np.ndarray, int]]:
    """For every mask, the screen pixels just inside its edge, and their colour."""
    if runs is None:
        return
    for mask in np.unique(runs[0]):
        inside = np.zeros(shape, bool)
        for row, first, length in runs[1:, runs[0] == mask].T:
            inside[row, first : first + length] = True
        inside = inside[:: box.reduce, :: box.reduce][seen]
        large = np.pad(_enlarge(inside, box.scale), 1, mode="edge")
        core = large[:-2, 1:-1] & large[2:, 1:-1] & large[1:-1, :-2] & large[1:-1, 2:]
        yield large[1:-1, 1:-1] & ~core, LINES + int(mask) % len(MASK_COLOURS)


def _frame(
    pixels: np.ndarray, roi: tuple[slice, slice], box: Layout, corner: tuple[int, int]
) -> None:
    """Draw the edge of a rectangle, one screen pixel wide, where it is in sight."""
    rows, columns = (
        np.clip([s.start // box.reduce - c, s.stop // box.reduce - c], 0, None) * box.scale
        for s, c in zip(roi, corner, strict=True)
    )
    part = pixels[slice(*rows), slice(*columns)]
    part[[0, -1]] = part[:, [0, -1]] = LINES + len(MASK_COLOURS)
