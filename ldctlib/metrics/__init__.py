"""Image-quality metrics: each takes (test, reference) in HU and refuses to guess a range."""

from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.organs import organ_masks
from ldctlib.metrics.radiomics import RadiomicFeatures, radiomic_features
from ldctlib.metrics.rfs import rfs, similarity
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.vif import vif

__all__ = [
    "RadiomicFeatures",
    "organ_masks",
    "psnr",
    "radiomic_features",
    "rfs",
    "rmse",
    "similarity",
    "ssim",
    "vif",
]
