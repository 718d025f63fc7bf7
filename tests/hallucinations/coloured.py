"""Noise as filtered back-projection makes it, segments in it, and sums over all their pairs."""

from functools import cache

import numpy as np
import torch

from ldctlib.masks import Masks
from ldctlib.physics import FanBeam, fbp, project
from ldctlib.units import MU_WATER_PER_MM

SIDE, PIXEL_MM, WATER_RADIUS_MM = 128, 0.8, 45.0
PHOTONS = 2000  # by ray without the water; only the grain matters


@cache
def reconstructed(count):
    """Noise (count, 128, 128) of a small scanner behind water: of 1 HU at every pixel."""
    scanner = FanBeam(
        pixels=SIDE,
        pixel_mm=PIXEL_MM,
        views=240,
        channels=184,
        sod_mm=595.0,
        sdd_mm=1085.6,
        channel_mm=1.2858,
    )
    x_mm = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_MM
    water = MU_WATER_PER_MM * (np.hypot(*np.meshgrid(x_mm, x_mm)) < WATER_RADIUS_MM)
    clean = project(torch.from_numpy(water[None].astype(np.float32)), scanner)
    photons = PHOTONS * torch.exp(-clean)
    random = np.random.default_rng(5)
    noise = np.empty((count, SIDE, SIDE), np.float32)
    for first in range(0, count, 50):
        several = (min(50, count - first), *clean.shape[1:])
        lines = random.standard_normal(several, np.float32) / np.sqrt(photons.numpy())
        noise[first : first + 50] = fbp(torch.from_numpy(lines), scanner).numpy()
    return noise / np.sqrt(np.mean(noise**2, axis=0))


def discs(radius_px, depth, gap_px=5):
    """Discs well apart, the same in every slice of (depth, 128, 128)."""
    y, x = np.indices((SIDE, SIDE))
    centres = np.arange(20 + radius_px, SIDE - 20 - radius_px, 2 * radius_px + gap_px)
    planes = [np.hypot(y - a, x - b) <= radius_px + 0.2 for a in centres for b in centres]
    return Masks.stack([Masks.from_slices([(0, p) for p in planes], (1, SIDE, SIDE))] * depth)


def pairwise(table, weights, power=1):
    """Sum of q_i q_j r(i - j)^power over all pairs of pixels (Z, H, W) of one slice."""
    lags, total = len(table) // 2, 0.0
    for plane in weights:
        y, x = np.nonzero(plane)
        q = plane[y, x]
        dy, dx = y[:, None] - y, x[:, None] - x
        near = (abs(dy) <= lags) & (abs(dx) <= lags)
        r = np.where(near, table[(dy + lags) * near, (dx + lags) * near], 0) ** power
        total += q @ r @ q
    return total


def pairwise_freedom(inside, table):
    """The independent pixels of a mask (Z, H, W), pair by pair."""
    return inside.sum() ** 2 / pairwise(table, inside.astype(float), power=2)
