"""The segment-wise error as a loss: no structure may be bought with the calm of the others.

A mean over pixels gives a lesion of a hundred pixels a hundredth of the weight of an organ. A mean
over segments gives both the same, and a soft maximum looks at whatever is worst.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.nn import functional

from ldctlib.denoisers.objective import Supervised, set_rate, shorten_gradient
from ldctlib.masks import Masks
from ldctlib.metrics import segment_errors


def segment_loss(
    test: Tensor, reference: Tensor, masks: Masks, softness: float | None = None
) -> Tensor:
    """Mean or soft maximum of the SRMSE of all segments in a batch of crops.

    The soft maximum is ``softness * log(mean(exp(SRMSE / softness)))``: the mean where it is much
    larger than the spread of the errors, the maximum where it is much smaller.

    Args:
        test: crops (N, 1, H, W), in any unit.
        reference: the truth, same shape.
        masks: segments on (N, H, W), one slice a crop: ``Masks.stack`` of what ``Masks.crop``
            gave for every crop. `SegmentSampler` draws crops with them.
        softness: of the maximum, in the unit of the images; the mean if None.

    Returns:
        The loss in the unit of the images, a scalar with a gradient; 0 if there is no segment.

    Raises:
        ValueError: ``softness`` is not positive, or the masks do not lie on the crops.

    Source: for the SRMSE, Kachelriess, Problems in assessing AI image quality.
    """
    if softness is not None and not softness > 0:
        raise ValueError(f"The softness of the maximum is positive, not {softness}.")
    if len(masks) == 0:
        return 0.0 * test.sum()
    errors = segment_errors(test[:, 0].float(), reference[:, 0].float(), masks)
    if softness is None:
        return errors.mean()
    return softness * ((errors / softness).logsumexp(0) - math.log(len(errors)))


class SegmentSupervised(Supervised):
    """Mean squared error of the pixels, and the `segment_loss` of the segments beside it.

    Trains on the patches of a `SegmentSampler`. Options, beside those of `Supervised` (but for
    ``balance``): ``segment_weight`` of the segment loss, 0.1 if it is not given, and
    ``softness`` of its maximum, both for normalised patches; the mean if None.
    """

    def step(self, low: Tensor, full: Tensor, masks: Masks | None = None) -> dict[str, Tensor]:
        """One update on normalised patches (N, 1, P, P) with segments on (N, P, P).

        Returns:
            {"loss", "pixels", "segments"}, detached scalars; without masks only pixels count.
        """
        set_rate([self.optimiser], self.recipe, self.options, self.steps_done)
        with self.precision.context(self.device):
            denoised = self.network(self.precision.images(low))
        pixels = functional.mse_loss(denoised.float(), full)
        segments = 0.0 * pixels
        if masks is not None:
            segments = segment_loss(denoised, full, masks, self.options.get("softness"))
        loss = pixels + self.options.get("segment_weight", 0.1) * segments
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        shorten_gradient(self.network, self.options)
        self.optimiser.step()
        self.steps_done += 1
        named: dict[str, Any] = {"loss": loss, "pixels": pixels, "segments": segments}
        return {name: value.detach() for name, value in named.items()}
