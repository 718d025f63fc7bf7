"""What `flag` found: one record a segment, the worst first; a table, a scatter, a look at each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ldctlib import units
from ldctlib.masks import Masks
from ldctlib.viewing import Figure, Scatter, Viewer, figure, scatter, show

KINDS = ("removed", "introduced", "changed")
# shape and colour, so that either is enough; the colours are those of the course's lines
LOOKS = {
    "removed": ("triangle-down", "#d55e00"),
    "introduced": ("triangle-up", "#0072b2"),
    "changed": ("square", "#009e73"),
    "not flagged": ("circle", "#8a9099"),
}
MARKERS = {"triangle-down": "v", "triangle-up": "^", "square": "D"}  # of matplotlib
LEAST_CROP_PX, CROP_MARGIN_PX = 64, 16
LEAST_WIDTH = 6  # of a window, in standard deviations of the low dose's noise


class Flag(NamedTuple):
    """One segment; errors against the reference, contrasts against the segment's own ring."""

    label: str
    source: str  # the scan whose masks it is from: "reference" or "denoised"
    slice: int  # where it is largest
    area_px: int
    srmse_low_hu: float
    srmse_denoised_hu: float
    excess: float  # of the second SRMSE over the first, in standard deviations of noise
    bias_hu: float  # mean error of the denoised scan
    standardised_bias: float
    p: float  # of the standardised bias, adjusted for the number of segments
    contrast_reference_hu: float
    contrast_denoised_hu: float
    contrast_low_hu: float
    kind: str  # "removed", "introduced" or "changed"
    flagged: bool


@dataclass(frozen=True)
class Flags:
    """The segments of one denoised scan in order of suspicion; made by `flag`.

    First comes what was flagged as removed or introduced, then what was flagged as changed, then
    the rest. In each part the largest rise of the error (SRMSE of the denoised minus SRMSE of the
    low-dose scan) leads. Without the kinds, edges of bone would lead: in HU nothing errs more.

    Args:
        records: S records.
        masks: their S masks, in the same order.
        volumes: "full dose", "denoised" and "low dose", (Z, H, W) in HU.
        rule: how it was decided, in words.
    """

    records: tuple[Flag, ...]
    masks: Masks
    volumes: dict[str, np.ndarray]
    rule: str

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Flag]:
        return iter(self.records)

    def __getitem__(self, i: int) -> Flag:
        return self.records[i]

    def __repr__(self) -> str:
        kinds = [record.kind for record in self.flagged]
        told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS)
        return f"{len(kinds)} of {len(self)} segments flagged ({told}): {self.rule}"

    @property
    def flagged(self) -> list[Flag]:
        """The flagged segments."""
        return [record for record in self.records if record.flagged]

    @property
    def scores(self) -> np.ndarray:
        """(S,) absolute standardised bias: what `conformal_threshold` takes."""
        return np.abs([record.standardised_bias for record in self.records])

    def table(self) -> Any:
        """A pandas table with one row a segment, in order of suspicion."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError('Tables need pandas: pip install "ldctlib[notebooks]".') from error
        return pandas.DataFrame(list(self.records), columns=list(Flag._fields))

    def plot(self, caption: str | None = None) -> Figure:
        """Error of the denoised against error of the low-dose scan, one dot a segment.

        Below the diagonal denoising brought a segment nearer to the full dose. Flagged segments
        are marked by shape and colour.
        """
        from matplotlib import pyplot

        fig, axes = pyplot.subplots(figsize=(5.2, 5.2), layout="constrained")
        low = np.array([record.srmse_low_hu for record in self.records])
        denoised = np.array([record.srmse_denoised_hu for record in self.records])
        marks = np.array([record.kind if record.flagged else "" for record in self.records])
        plain = marks == ""
        axes.plot(low[plain], denoised[plain], "o", ms=3, mew=0, color="#8a9099", alpha=0.6)
        for kind in KINDS:
            (shape, colour), here = LOOKS[kind], marks == kind
            look: Any = {"ms": 7, "mew": 0.8, "mec": "white", "color": colour}
            axes.plot(
                low[here], denoised[here], MARKERS[shape], label=f"{kind} ({here.sum()})", **look
            )
        end = 1.05 * max(low.max(initial=1), denoised.max(initial=1))
        axes.plot([0, end], [0, end], color="#5b6067", lw=1, zorder=0)
        axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        axes.set_xlabel("SRMSE of the low dose (HU)")
        axes.set_ylabel("SRMSE of the denoised scan (HU)")
        axes.legend(title="flagged", loc="upper left")
        above = float((denoised > low).mean()) if len(self) else 0.0
        alt = (
            f"Scatter of {len(self)} segments, error of the denoised scan against error of the low "
            f"dose; {above:.1%} lie above the diagonal. {self!r}."
        )
        return figure(fig, alt=alt, caption=caption)

    def browse(
        self, count: int = 24, reveal: str | None = None, caption: str | None = None
    ) -> Scatter:
        """The same scatter for a page: choose a segment, and a viewer shows it in all scans.

        Args:
            count: how many of the most suspicious segments can be chosen.
            reveal: the scan that stays covered until the reader asks for it, such as "full dose".
            caption: what to see.
        """
        first = self.records[:count]
        low = np.array([record.srmse_low_hu for record in self.records])
        denoised = np.array([record.srmse_denoised_hu for record in self.records])
        return scatter(
            low,
            denoised,
            {name: self.volumes[name] for name in ("denoised", "low dose", "full dose")},
            self.masks,
            range(len(first)),
            kinds=[record.kind if record.flagged else "not flagged" for record in first],
            looks=LOOKS,
            windows=[self._window(i) for i in range(len(first))],
            texts=[f"{record.label}. {_measured(record)}" for record in first],
            reveal=reveal,
            labels=("SRMSE of the low dose (HU)", "SRMSE of the denoised scan (HU)"),
            alt=f"Scatter of {len(self)} segments. {self!r}.",
            caption=caption,
        )

    def show(self, i: int = 0, caption: str | None = None) -> Viewer:
        """Segment ``i`` in order of suspicion: full dose, denoised, low dose, with its outline."""
        record = self.records[i]
        one = self.masks.select([range(len(self))[i]])
        inside = one.plane(0, record.slice)
        crop = _around(inside)
        return show(
            self.volumes,
            self._window(i),
            slices=record.slice,
            crop=crop,
            masks=one,
            zoom=4 if crop[1].stop - crop[1].start <= LEAST_CROP_PX else 2,
            caption=caption or _told(record),
        )

    def _window(self, i: int) -> units.Window:
        record = self.records[i]
        inside = self.masks.plane(range(len(self))[i], record.slice)
        return _window([v[record.slice][inside] for v in self.volumes.values()], record)


def _told(record: Flag) -> str:
    """A segment in one sentence."""
    told = f"{record.label}: {record.kind}" if record.flagged else record.label
    return f"{told}. {_measured(record)}"


def _measured(record: Flag) -> str:
    return (
        f"SRMSE {record.srmse_low_hu:.0f} HU at low dose, "
        f"{record.srmse_denoised_hu:.0f} HU denoised; contrast "
        f"{record.contrast_reference_hu:.0f} HU at full dose, "
        f"{record.contrast_denoised_hu:.0f} HU denoised."
    )


def _around(inside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a square around a segment, within the image."""
    y, x = np.nonzero(inside)
    side = max(np.ptp(y), np.ptp(x)) + 2 * CROP_MARGIN_PX
    side = max(int(side), LEAST_CROP_PX)
    spans = []
    for at, size in zip((y, x), inside.shape, strict=True):
        start = max(0, min(int(at.min() + at.max()) // 2 - side // 2, size - side))
        spans.append(slice(start, min(size, start + side)))
    return spans[0], spans[1]


def _window(inside: list[np.ndarray], record: Flag) -> units.Window:
    """The narrowest window in which the segment and its surroundings are grey in every scan.

    ``inside`` holds the segment's values in the scans, full dose first and low dose last.
    """
    contrasts = (
        record.contrast_reference_hu,
        record.contrast_denoised_hu,
        record.contrast_low_hu,
    )
    means = [float(values.mean()) for values in inside]
    means += [mean - c for mean, c in zip(means, np.nan_to_num(contrasts), strict=True)]
    noise = float((inside[-1] - inside[0]).std())
    if min(means) < -500:
        return "lung"
    for name in sorted(units.WINDOWS, key=lambda name: units.WINDOWS[name][1]):
        low, high = units.window_bounds(name)
        wide = high - low >= LEAST_WIDTH * noise
        if wide and low < min(means) and max(means) < high and name != "lung":
            return name
    return round((min(means) + max(means)) / 2), round(2 * np.ptp(means))
