"""Fan-beam scanners: where the source and the detector channels are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ldctlib.scans.scan import Scan

SIEMENS_SOD_MM, SIEMENS_SDD_MM = 595.0, 1085.6
SIEMENS_CHANNEL_MM = 1.2858  # at the detector


@dataclass(frozen=True)
class FanBeam:
    """A scanner and the grid it is reconstructed on. Views turn from column axis to row axis.

    Args:
        pixels: the image is ``pixels`` x ``pixels``, centred on the axis of rotation.
        pixel_mm: pixel size.
        views: source positions, equally spaced over ``arc_deg``.
        channels: detector channels of one view.
        sod_mm, sdd_mm: distance from the source to the axis, and to the detector.
        channel_mm: channel spacing measured on the detector.
        detector: "arc" (equal angles, centred on the source) or "flat" (equal distances).
        offset: channels by which the central ray lies beyond the middle of the detector.
        start_deg: direction of the first source position, 0 along the columns axis.
        arc_deg: 360 for a full scan; less for a limited angle.

    Raises:
        ValueError: a size is not positive, or the fan is wider than 90 degrees.

    >>> round(FanBeam.siemens().fan_deg, 2), round(FanBeam.siemens().field_radius_mm)
    (49.95, 251)
    """

    pixels: int
    pixel_mm: float
    views: int
    channels: int
    sod_mm: float
    sdd_mm: float
    channel_mm: float
    detector: str = "arc"
    offset: float = 0.0
    start_deg: float = 0.0
    arc_deg: float = 360.0

    def __post_init__(self) -> None:
        sizes = (
            self.pixels,
            self.pixel_mm,
            self.views,
            self.channels,
            self.sod_mm,
            self.channel_mm,
        )
        if not all(s > 0 and math.isfinite(s) for s in sizes):
            raise ValueError(f"Every size of a fan-beam geometry must be positive: {self}.")
        if self.detector not in ("arc", "flat"):
            raise ValueError(f"A detector is 'arc' or 'flat', not {self.detector!r}.")
        if not self.sdd_mm >= self.sod_mm > self.pixels * self.pixel_mm / math.sqrt(2):
            raise ValueError(
                f"The source ({self.sod_mm} mm from the axis) must lie outside the image "
                "and before the detector: check sod_mm, sdd_mm, pixels and pixel_mm."
            )
        if not 0 < self.arc_deg <= 360:
            raise ValueError(f"arc_deg lies in (0, 360], not {self.arc_deg}.")
        if self.fan_deg >= 90:
            raise ValueError(f"The fan must be narrower than 90 degrees, not {self.fan_deg:.1f}.")

    @classmethod
    def course(cls, pixels: int = 256, pixel_mm: float = 1.4) -> FanBeam:
        """The Siemens scanner with a third of its views: same detector, same noise, quicker."""
        return replace(cls.siemens(pixels, pixel_mm), views=384)

    @classmethod
    def siemens(cls, pixels: int = 512, pixel_mm: float = 0.7) -> FanBeam:
        """The scanner of most of the LDCT-and-Projection data: 1152 views x 736 channels."""
        return cls(pixels, pixel_mm, 1152, 736, SIEMENS_SOD_MM, SIEMENS_SDD_MM, SIEMENS_CHANNEL_MM)

    @classmethod
    def matching(cls, scan: Scan) -> FanBeam:
        """The scanner for a scan's own grid, so that no image is resampled.

        A third of the views up to 256 pixels across, all of them above: the image has the same
        noise and the same sharpness. A grid that is not square takes its longer side; `expose` pads
        it with air.
        """
        pixels = max(scan.shape[1:])
        preset = cls.course if pixels <= 256 else cls.siemens
        return preset(pixels, scan.pixel_mm)

    @property
    def sinogram_shape(self) -> tuple[int, int]:
        """(views, channels)."""
        return self.views, self.channels

    @property
    def channel_rad(self) -> float:
        """Angle between neighbouring channels of an arc detector."""
        return self.channel_mm / self.sdd_mm

    @property
    def nyquist_per_mm(self) -> float:
        """The highest frequency at the axis that the channels sample, in 1/mm."""
        return self.sdd_mm / (2 * self.channel_mm * self.sod_mm)

    @property
    def view_rad(self) -> float:
        """Angle between neighbouring views."""
        return math.radians(self.arc_deg) / self.views

    @property
    def fan_deg(self) -> float:
        """Opening angle of the fan."""
        half = self.channel_mm * self.channels / 2 / self.sdd_mm
        return math.degrees(2 * (half if self.detector == "arc" else math.atan(half)))

    @property
    def field_radius_mm(self) -> float:
        """Radius of the disc that every view sees whole."""
        return self.sod_mm * math.sin(float(np.abs(self.gamma[[0, -1]]).min()))

    @cached_property
    def gamma(self) -> np.ndarray:
        """(channels,) fan angle of each channel in rad; 0 is the ray through the axis."""
        at_detector = self.channel_mm * (np.arange(self.channels) - self.central_channel)
        angle = at_detector / self.sdd_mm
        return angle if self.detector == "arc" else np.arctan(angle)

    @property
    def central_channel(self) -> float:
        """Where the ray through the axis meets the detector, in channels."""
        return (self.channels - 1) / 2 + self.offset

    @cached_property
    def beta(self) -> np.ndarray:
        """(views,) direction of the source from the axis in rad."""
        return math.radians(self.start_deg) + self.view_rad * np.arange(self.views)
