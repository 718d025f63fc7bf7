"""Small scanners and closed-form objects."""

import numpy as np
import torch

from ldctlib.physics import FanBeam, Kernel
from ldctlib.units import MU_WATER_PER_MM

SOFT = Kernel("hann", 0.07)  # the channels of `small` sample up to 0.0707 /mm


def small(detector="arc", pixels=48, views=90, channels=70, offset=0.0):
    """A scanner of the Siemens distances whose channels are as wide as its pixels of 7 mm."""
    return FanBeam(pixels, 7.0, views, channels, 595.0, 1085.6, 12.9, detector, offset=offset)


def fine(pixels=64, pixel_mm=1.2, views=120, channels=160):
    """A scanner with the channels of the Siemens one, but fewer, and fewer views."""
    return FanBeam(pixels, pixel_mm, views, channels, 595.0, 1085.6, 1.2858)


def grid(geometry):
    x_mm = (np.arange(geometry.pixels) - (geometry.pixels - 1) / 2) * geometry.pixel_mm
    return np.meshgrid(x_mm, x_mm)


def disc(geometry, radius_mm, centre_mm=(0.0, 0.0), mu=MU_WATER_PER_MM, fine=4):
    """Attenuation of a disc, each pixel the mean of fine x fine points."""
    x, y = grid(geometry)
    steps = (np.arange(fine) - (fine - 1) / 2) / fine * geometry.pixel_mm
    inside = [
        np.hypot(x + a - centre_mm[0], y + b - centre_mm[1]) < radius_mm
        for a in steps
        for b in steps
    ]
    return torch.from_numpy(mu * np.mean(inside, 0)).float()


def disc_line_integrals(geometry, radius_mm, centre_mm=(0.0, 0.0), mu=MU_WATER_PER_MM):
    """mu times the chord of every ray: 2 sqrt(r^2 - d^2), d the distance from ray to centre."""
    source = geometry.sod_mm * np.stack([np.cos(geometry.beta), np.sin(geometry.beta)])
    direction = geometry.beta[:, None] + np.pi + geometry.gamma
    to_centre = np.array(centre_mm)[:, None] - source
    across = to_centre[0][:, None] * np.sin(direction) - to_centre[1][:, None] * np.cos(direction)
    return mu * 2 * np.sqrt(np.maximum(radius_mm**2 - across**2, 0))


def to_hu(mu):
    return (np.asarray(mu) / MU_WATER_PER_MM - 1) * 1000
