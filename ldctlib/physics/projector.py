"""Fan-beam projection and its exact adjoint, differentiable, on the CPU and on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldctlib.physics import device_loops
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.loops import LANES, VIEWS_AT_ONCE, in_threads, integrate, smear
from ldctlib.physics.rays import rays

Operator = Callable[[Tensor], Tensor]


def project(mu: Tensor, geometry: FanBeam) -> Tensor:
    """Line integrals of attenuation images.

    Args:
        mu: attenuation in 1/mm, float32 or float64, (..., n, n) with n = ``geometry.pixels``; any
            number of leading axes, which are worked on together.
        geometry: the scanner.

    Returns:
        Line integrals, dimensionless, (..., views, channels), on the device of ``mu``.

    Raises:
        ValueError: ``mu`` is not on the scanner's grid.

    Nothing is precomputed but 10 MB of rays: the first call in a process takes 1 s more where the
    loops are compiled already, 3 s where not.

    Source: Joseph 1982, IEEE Trans Med Imaging 1:192, doi:10.1109/TMI.1982.4307572.

    >>> disc = torch.zeros(256, 256)
    >>> disc[128 - 50 : 128 + 50, 128 - 50 : 128 + 50] = 0.02  # a square of 140 mm
    >>> line_integrals = project(disc, FanBeam.course())
    >>> tuple(line_integrals.shape), round(line_integrals[0, 367:369].mean().item(), 3)
    ((384, 736), 2.8)
    """
    n = geometry.pixels
    _check(mu, (n, n), "an image for this scanner")
    return linear(mu, _projection(geometry), _back(geometry), (n, n))


def backproject(line_integrals: Tensor, geometry: FanBeam) -> Tensor:
    """The exact adjoint of `project`: every value is added along its ray, unfiltered.

    Args:
        line_integrals: (..., views, channels).
        geometry: the scanner.

    Returns:
        (..., n, n), in mm times the unit of ``line_integrals``.

    Raises:
        ValueError: ``line_integrals`` do not fit the scanner.
    """
    shape = geometry.sinogram_shape
    _check(line_integrals, shape, "a sinogram of this scanner")
    return linear(line_integrals, _back(geometry), _projection(geometry), shape)


class _Linear(torch.autograd.Function):
    """A linear operator whose gradient is its adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, operator: Operator, adjoint: Operator) -> Tensor:
        ctx.operators = adjoint, operator
        return operator(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _Linear.apply(grads[0], *ctx.operators), None, None  # type: ignore[no-untyped-call]


def linear(x: Tensor, operator: Operator, adjoint: Operator, shape: tuple[int, int]) -> Tensor:
    """Apply an operator on (slices, *shape) to an x with any leading axes, with its gradient."""
    y: Tensor = _Linear.apply(x.reshape(-1, *shape), operator, adjoint)  # type: ignore[no-untyped-call]
    return y.reshape(*x.shape[:-2], *y.shape[1:])


def in_lanes(x: Tensor, work: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """``work`` on arrays with the slices last, as many at a time as pays off.

    Args:
        x: (slices, a, b).
        work: makes of (a, b, lanes) an array (c, d, lanes).

    Returns:
        (slices, c, d).
    """
    done: list[Tensor] = []
    while (start := sum(len(d) for d in done)) < len(x):
        lanes = next(lanes for lanes in LANES if len(x) - start > lanes // 2)
        part = x[start : start + lanes]
        packed = x.new_zeros(*x.shape[1:], lanes)
        packed[..., : len(part)] = part.permute(1, 2, 0)
        result = torch.from_numpy(work(packed.numpy()))[..., : len(part)]
        done.append(result.permute(2, 0, 1).contiguous())
    return done[0] if len(done) == 1 else torch.cat(done)


def _projection(geometry: FanBeam) -> Operator:
    def on_cpu(image: np.ndarray) -> np.ndarray:
        n, lanes = image.shape[1:]
        images = np.zeros((2, n, n + 2, lanes), image.dtype)
        images[0, :, 1:-1] = image.transpose(1, 0, 2)
        images[1, :, 1:-1] = image
        out = np.zeros((*geometry.sinogram_shape, lanes), image.dtype)
        table, constant = rays(geometry), (0,) * lanes
        parts = geometry.views // VIEWS_AT_ONCE
        in_threads(
            lambda a, b: integrate(images, *table, constant, a, b, out), geometry.views, parts
        )
        return out

    def operator(mu: Tensor) -> Tensor:
        if mu.device.type != "cpu":
            return device_loops.integrate(mu, geometry)
        return in_lanes(mu.detach(), on_cpu)

    return operator


def _back(geometry: FanBeam) -> Operator:
    def on_cpu(values: np.ndarray) -> np.ndarray:
        n, lanes = geometry.pixels, values.shape[-1]
        table, constant = rays(geometry), (0,) * lanes

        def part(first: int, past: int) -> np.ndarray:
            images = np.zeros((2, n, n + 2, lanes), values.dtype)
            smear(images, *table, constant, first, past, values)
            both: np.ndarray = images[0, :, 1:-1].transpose(1, 0, 2) + images[1, :, 1:-1]
            return both

        # each thread has its own images; always four parts, so that the sum is always the same
        return np.asarray(np.sum(in_threads(part, geometry.views, parts=4), axis=0))

    def operator(values: Tensor) -> Tensor:
        if values.device.type != "cpu":
            return device_loops.smear(values, geometry)
        return in_lanes(values.detach(), on_cpu)

    return operator


def _check(x: Tensor, shape: tuple[int, int], what: str) -> None:
    if tuple(x.shape[-2:]) != shape:
        raise ValueError(
            f"{what.capitalize()} is (..., {shape[0]}, {shape[1]}), not {tuple(x.shape)}: "
            "make the geometry with FanBeam.matching(scan)."
        )
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{what.capitalize()} is float32 or float64, not {x.dtype}.")
