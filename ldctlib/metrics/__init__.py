"""Image-quality metrics: each takes (test, reference) in HU and refuses to guess a range."""

from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.vif import vif

__all__ = ["psnr", "rmse", "ssim", "vif"]
