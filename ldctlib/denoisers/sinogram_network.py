"""Trained networks that see the sinogram: alone, or beside the image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ldctlib.denoisers.denoiser import sinogram_of
from ldctlib.denoisers.network_denoiser import NetworkDenoiser
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.units import Normalization


class SinogramNetwork(NetworkDenoiser):
    """A network that denoises line integrals, slice by slice.

    It maps (N, 1, views, channels) to the same shape. What it changes is reconstructed with the
    kernel of the exam and added to the low-dose image, see `Exam.with_lines`.

    Args:
        method, network, others: as for `NetworkDenoiser`; line integrals are normalised by
            ``normalization``, which leaves them as they are if None.
    """

    needs = "sinogram"
    scale = Normalization(0.0, 1.0)

    def __call__(self, exam: Exam) -> Scan:
        """The image that belongs to the denoised line integrals.

        Raises:
            ValueError: the exam has no sinogram.
            FloatingPointError: the network gives values that are not finite.
        """
        measured = sinogram_of(exam, self.name).line_integrals
        return self.signed(exam.with_lines(self.denoise_lines(measured)))

    def denoise_lines(self, line_integrals: Tensor) -> Tensor:
        """Denoise line integrals.

        Args:
            line_integrals: dimensionless, (Z, views, channels).

        Returns:
            The same shape, float32, on the CPU.
        """
        parts = torch.split(line_integrals, self.together(line_integrals[0].numel()))
        with torch.inference_mode():
            bar = tqdm(parts, desc=self.name, delay=2.0, leave=False)
            clean = torch.cat([self.differentiable(part).cpu() for part in bar])
        if not clean.isfinite().all():
            raise FloatingPointError(f"{self.name} gives line integrals that are not finite.")
        return clean.clone()

    def differentiable(self, line_integrals: Tensor) -> Tensor:
        """Denoise line integrals such that gradients pass, to them and to the weights.

        With `ldctlib.physics.fbp`, through which they pass as well, this is a function into HU.

        Args:
            line_integrals: (N, views, channels).

        Returns:
            float32 (N, views, channels) on the network's device, the numbers of `denoise_lines`.
        """
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, self.precision.context(self.device):
            x = self.normalization(line_integrals.to(self.device)[:, None])
            clean: Tensor = self.network(self.precision.images(x))[:, 0]
        return self.normalization.inverse(clean.float())


class DualNetwork(NetworkDenoiser):
    """A network that sees the line integrals and the image of each slice, and gives an image.

    It is called with line integrals (N, 1, views, channels), as measured, and with the normalised
    low-dose image (N, 1, H, W), and gives a normalised image (N, 1, H, W).

    Args:
        method, network, others: as for `NetworkDenoiser`.
    """

    needs = "both"

    def __call__(self, exam: Exam) -> Scan:
        """The image that the network makes of both.

        Raises:
            ValueError: the exam has no sinogram.
            FloatingPointError: the network gives values that are not finite.
        """
        measured = sinogram_of(exam, self.name).line_integrals
        hu = torch.from_numpy(np.ascontiguousarray(exam.low.hu))
        count = self.together(max(measured[0].numel(), hu[0].numel()))
        parts = list(zip(torch.split(measured, count), torch.split(hu, count), strict=True))
        with torch.inference_mode():
            bar = tqdm(parts, desc=self.name, delay=2.0, leave=False)
            clean = torch.cat([self.differentiable(*part).cpu() for part in bar])
        if not clean.isfinite().all():
            raise FloatingPointError(f"{self.name} gives values that are not finite.")
        return self.signed(exam.low.with_hu(clean.numpy()))

    def differentiable(self, line_integrals: Tensor, hu: Tensor) -> Tensor:
        """Denoise such that gradients pass, to both inputs and to the weights.

        Args:
            line_integrals: (N, views, channels).
            hu: (N, H, W) in HU.

        Returns:
            HU, float32 (N, H, W), on the network's device.
        """
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, self.precision.context(self.device):
            lines = self.precision.images(line_integrals.to(self.device)[:, None])
            image = self.precision.images(self.normalization(hu.to(self.device)[:, None]))
            clean: Tensor = self.network(lines, image)[:, 0]
        return self.normalization.inverse(clean.float())
