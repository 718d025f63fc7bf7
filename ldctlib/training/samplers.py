"""The samplers by name, as a method names its own."""

from __future__ import annotations

from collections.abc import Callable

from ldctlib.training.sampler import PatchSampler, Sampler
from ldctlib.training.sinogram_sampler import SinogramSampler

SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "patches": PatchSampler,
    "sinograms": SinogramSampler,
}
