"""Image-quality metrics: each takes (test, reference) in HU and refuses to guess a range."""

from importlib import import_module
from typing import Any

from ldctlib.metrics._tables import COLUMNS, LOW_DOSE, aggregate
from ldctlib.metrics._transfer import TransferFunction
from ldctlib.metrics.agreement import rank_agreement
from ldctlib.metrics.channels import (
    difference_of_gaussians_channels,
    gabor_channels,
    laguerre_gauss_channels,
)
from ldctlib.metrics.contrast_dependence import ContrastDependence, contrast_dependence
from ldctlib.metrics.detectability import dprime_hotelling, dprime_npw, dprime_npwe, dprime_pw
from ldctlib.metrics.evaluate import evaluate, evaluate_mayo
from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.fourier_ring import RingCorrelation, frc
from ldctlib.metrics.fourier_scan import PatchCorrelation, sfrc
from ldctlib.metrics.low_contrast import low_contrast_table
from ldctlib.metrics.measures import FULL_RANGE, MEASURES, OF_ERROR, OF_SLICES, PUBLISHED, Measure
from ldctlib.metrics.multiplicity import adjusted, holm, multiplicity_threshold
from ldctlib.metrics.noise import NoisePower, nps
from ldctlib.metrics.observers import Detection, cho, cho_split
from ldctlib.metrics.organs import organ_masks
from ldctlib.metrics.radiomics import RadiomicFeatures, radiomic_features
from ldctlib.metrics.residual_noise import local_noise, noise_autocorrelation
from ldctlib.metrics.resolution import mtf, ttf
from ldctlib.metrics.rfs import rfs, similarity
from ldctlib.metrics.roc import auc, auc_from_dprime, auc_interval, dprime_from_auc
from ldctlib.metrics.segment_errors import segment_errors
from ldctlib.metrics.significance import bootstrap, mann_whitney, signed_rank
from ldctlib.metrics.srmse import max_srmse, mean_srmse, percentile_srmse, srmse
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.standardised_bias import standardised_bias
from ldctlib.metrics.tasks import disc_task, eye_filter, frequency_grid, image_task
from ldctlib.metrics.vif import vif

__all__ = [
    "COLUMNS",
    "FULL_RANGE",
    "LOW_DOSE",
    "MEASURES",
    "OF_ERROR",
    "OF_SLICES",
    "PUBLISHED",
    "ContrastDependence",
    "Detection",
    "Measure",
    "NoisePower",
    "PatchCorrelation",
    "RadiomicFeatures",
    "RingCorrelation",
    "TransferFunction",
    "adjusted",
    "aggregate",
    "auc",
    "auc_from_dprime",
    "auc_interval",
    "bootstrap",
    "cho",
    "cho_split",
    "contrast_dependence",
    "difference_of_gaussians_channels",
    "disc_task",
    "dprime_from_auc",
    "dprime_hotelling",
    "dprime_npw",
    "dprime_npwe",
    "dprime_pw",
    "evaluate",
    "evaluate_mayo",
    "eye_filter",
    "frc",
    "frequency_grid",
    "gabor_channels",
    "holm",
    "image_task",
    "laguerre_gauss_channels",
    "local_noise",
    "low_contrast_table",
    "mann_whitney",
    "max_srmse",
    "mean_srmse",
    "mtf",
    "multiplicity_threshold",
    "noise_autocorrelation",
    "nps",
    "organ_masks",
    "percentile_srmse",
    "psnr",
    "radiomic_features",
    "rank_agreement",
    "rfs",
    "rmse",
    "segment_errors",
    "sfrc",
    "signed_rank",
    "similarity",
    "srmse",
    "ssim",
    "standardised_bias",
    "ttf",
    "vif",
]

# What has moved to where methods are known, under its old name for one release.
_MOVED = {
    "PUBLICATIONS": ("ldctlib.denoisers", "METHODS"),
    "compare": ("ldctlib.evaluation", "compare"),
    "reference": ("ldctlib.evaluation", "reference"),
    "styled": ("ldctlib.evaluation", "styled"),
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"ldctlib.metrics has no {name}.")
    module, new_name = _MOVED[name]
    return getattr(import_module(module), new_name)
