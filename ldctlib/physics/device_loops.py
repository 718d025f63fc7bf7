"""`loops` once more, in torch: what a GPU runs, and the slow, obvious twin in the tests."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.rays import rays

POINTS_AT_ONCE = 2**25  # points times slices held in memory: 128 MB in float32


def integrate(mu: Tensor, geometry: FanBeam) -> Tensor:
    """Line integrals (slices, views, channels) of ``mu`` (slices, n, n) by Joseph's method."""
    n = geometry.pixels
    images = mu.new_zeros(2, n, n + 2, len(mu))
    images[0, :, 1:-1] = mu.permute(2, 1, 0)
    images[1, :, 1:-1] = mu.permute(1, 2, 0)
    flat = images.reshape(-1, len(mu))
    parts = [
        ((near[..., None] * flat[at]) + (far[..., None] * flat[at + 1])).sum(-2)
        for _, at, near, far in _crossings(geometry, mu)
    ]
    return torch.cat(parts).permute(2, 0, 1).contiguous()


def smear(values: Tensor, geometry: FanBeam) -> Tensor:
    """The exact adjoint of `integrate`: (slices, n, n) of (slices, views, channels)."""
    n, slices = geometry.pixels, len(values)
    flat = values.new_zeros(2 * n * (n + 2), slices)
    for views, at, near, far in _crossings(geometry, values):
        value = values[:, views].permute(1, 2, 0)[:, :, None]
        flat.index_add_(0, at.reshape(-1), (near[..., None] * value).reshape(-1, slices))
        flat.index_add_(0, at.reshape(-1) + 1, (far[..., None] * value).reshape(-1, slices))
    images = flat.reshape(2, n, n + 2, slices)[:, :, 1:-1]
    return (images[0].permute(2, 1, 0) + images[1].permute(2, 0, 1)).contiguous()


def gather(sino: Tensor, geometry: FanBeam, finer: int) -> Tensor:
    """FBP's weighted back-projection: (slices, n, n) of filtered (slices, views, samples).

    A channel has ``finer`` samples.
    """
    flat = sino.reshape(len(sino), -1).T.contiguous()
    image = sino.new_zeros(geometry.pixels**2, len(sino))
    for at, near, far in _seen(geometry, sino, finer):
        both = near[..., None] * flat[at] + far[..., None] * flat[at + 1]
        image += both.sum(0)
    return image.T.reshape(len(sino), geometry.pixels, geometry.pixels)


def scatter(image: Tensor, geometry: FanBeam, finer: int) -> Tensor:
    """The exact adjoint of `gather`."""
    slices = len(image)
    pixels = image.reshape(slices, -1).T
    shape = geometry.views, finer * (geometry.channels - 1) + 1
    flat = image.new_zeros(shape[0] * shape[1], slices)
    for at, near, far in _seen(geometry, image, finer):
        flat.index_add_(0, at.reshape(-1), (near[..., None] * pixels).reshape(-1, slices))
        flat.index_add_(0, at.reshape(-1) + 1, (far[..., None] * pixels).reshape(-1, slices))
    return flat.T.reshape(slices, *shape)


def _crossings(geometry: FanBeam, like: Tensor) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Groups of views: where each step of each ray lies in the padded images, and its weights."""
    n, table = geometry.pixels, rays(geometry)
    start, slope, step = (
        torch.from_numpy(t).to(like.device) for t in (table.start, table.slope, table.step_mm)
    )
    segments = torch.from_numpy(table.segments).to(like.device)
    channel = torch.arange(geometry.channels, device=like.device)
    by_row = (channel >= segments[:, 1, :1]) & (channel < segments[:, 1, 1:])
    i = torch.arange(n, device=like.device)
    group = max(1, POINTS_AT_ONCE // (geometry.channels * n * len(like)))
    for first in range(0, geometry.views, group):
        views = slice(first, min(first + group, geometry.views))
        crossing = start[views, :, None] + slope[views, :, None] * i
        inside = (crossing >= 0) & (crossing < n + 1)
        k = crossing.clamp(0, n).long()
        far = (crossing - k).to(like.dtype) * step[views, :, None]
        near = (step[views, :, None] - far) * inside
        at = (by_row[views, :, None] * n + i) * (n + 2) + k
        yield views, at, near, far * inside


def _seen(geometry: FanBeam, like: Tensor, finer: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Groups of views: where in the flattened filtered views each pixel is seen, its weights."""
    samples = finer * (geometry.channels - 1) + 1
    centre = (geometry.pixels - 1) / 2
    i = torch.arange(geometry.pixels, device=like.device, dtype=like.dtype) - centre
    y, x = (a.reshape(-1) * geometry.pixel_mm for a in torch.meshgrid(i, i, indexing="ij"))
    beta = torch.from_numpy(geometry.beta).to(like)[:, None]
    group = max(1, POINTS_AT_ONCE // (geometry.pixels**2 * len(like)))
    for first in range(0, geometry.views, group):
        cos, sin = beta[first : first + group].cos(), beta[first : first + group].sin()
        along, across = geometry.sod_mm - x * cos - y * sin, x * sin - y * cos
        if geometry.detector == "arc":
            at_detector, weight = torch.atan2(across, along), 1 / (along**2 + across**2)
        else:
            at_detector, weight = across / along, (geometry.sod_mm / along) ** 2
        sample = finer * (at_detector / geometry.channel_rad + geometry.central_channel)
        weight = weight * ((sample >= 0) & (sample < samples - 1))
        c = sample.clamp(0, samples - 2).long()
        far = (sample - c) * weight
        view = first + torch.arange(len(cos), device=like.device)[:, None]
        yield view * samples + c, weight - far, far
