"""Image-quality metrics: each takes (test, reference) in HU and refuses to guess a range."""

from ldctlib.metrics._tables import COLUMNS, LOW_DOSE, aggregate
from ldctlib.metrics._transfer import TransferFunction
from ldctlib.metrics.agreement import rank_agreement
from ldctlib.metrics.compare import compare
from ldctlib.metrics.evaluate import evaluate, evaluate_mayo
from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.fourier_ring import PatchCorrelation, RingCorrelation, frc, sfrc
from ldctlib.metrics.measures import FULL_RANGE, MEASURES, PUBLISHED
from ldctlib.metrics.noise import NoisePower, nps
from ldctlib.metrics.organs import organ_masks
from ldctlib.metrics.radiomics import RadiomicFeatures, radiomic_features
from ldctlib.metrics.reference import PUBLICATIONS, reference
from ldctlib.metrics.resolution import ContrastDependence, contrast_dependence, mtf, ttf
from ldctlib.metrics.rfs import rfs, similarity
from ldctlib.metrics.significance import bootstrap, holm, mann_whitney, signed_rank
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.styled import styled
from ldctlib.metrics.vif import vif

__all__ = [
    "COLUMNS",
    "FULL_RANGE",
    "LOW_DOSE",
    "MEASURES",
    "PUBLICATIONS",
    "PUBLISHED",
    "ContrastDependence",
    "NoisePower",
    "PatchCorrelation",
    "RadiomicFeatures",
    "RingCorrelation",
    "TransferFunction",
    "aggregate",
    "bootstrap",
    "compare",
    "contrast_dependence",
    "evaluate",
    "evaluate_mayo",
    "frc",
    "holm",
    "mann_whitney",
    "mtf",
    "nps",
    "organ_masks",
    "psnr",
    "radiomic_features",
    "rank_agreement",
    "reference",
    "rfs",
    "rmse",
    "sfrc",
    "signed_rank",
    "similarity",
    "ssim",
    "styled",
    "ttf",
    "vif",
]
