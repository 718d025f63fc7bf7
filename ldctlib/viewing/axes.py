"""Axes of a drawing in a page: logarithmic, alike in both directions, with a diagonal."""

from __future__ import annotations

import html

import numpy as np

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 680, 400, 54, 10, 670, 356


class LogLog:
    """Where points stand, and the lines and words around them.

    >>> axes = LogLog(np.array([10.0, 40.0]), np.array([10.0, 10.0]))
    >>> [(across - LEFT) / (RIGHT - LEFT) for across, _ in map(axes.place, (0, 1))]
    [0.0, 1.0]
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y
        self.ends = float(min(x.min(), y.min())), float(max(x.max(), y.max()))

    def place(self, i: int) -> tuple[float, float]:
        """Pixels from the left and from the top of point ``i``."""
        return self._across(float(self.x[i])), self._down(float(self.y[i]))

    def drawing(self, xlabel: str, ylabel: str) -> str:
        """SVG: frame, ticks, the diagonal where both axes are equal, and the words."""
        parts = [
            f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="currentColor" '
            'stroke-opacity="0.6"/>'
        ]
        for value in ticks(*self.ends):
            x, y = self._across(value), self._down(value)
            parts.append(
                f'<path d="M{x:.1f} {TOP}V{BOTTOM}M{LEFT} {y:.1f}H{RIGHT}" stroke="currentColor" '
                'stroke-opacity="0.12"/>'
                f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        parts.append(
            f'<path d="M{LEFT} {BOTTOM}L{RIGHT} {TOP}" stroke="currentColor" '
            'stroke-dasharray="4 4" fill="none"/>'
        )
        middle = (TOP + BOTTOM) / 2
        parts.append(
            f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{html.escape(xlabel)}</text>"
            f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
            f"{html.escape(ylabel)}</text>"
        )
        return "".join(parts)

    def _across(self, value: float) -> float:
        return LEFT + (RIGHT - LEFT) * self._share(value)

    def _down(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * self._share(value)

    def _share(self, value: float) -> float:
        low, high = self.ends
        return float(np.log(value / low) / np.log(high / low)) if high > low else 0.5


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, 1, 2 and 5 times a power of ten, between two ends.

    >>> ticks(3, 60)
    [5.0, 10.0, 20.0, 50.0]
    """
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    return [float(m * p) for p in powers for m in (1, 2, 5) if low <= m * p <= high]
