"""Image-quality metrics: each takes (test, reference) in HU and refuses to guess a range."""

from ldctlib.metrics._tables import COLUMNS, LOW_DOSE, aggregate
from ldctlib.metrics.agreement import rank_agreement
from ldctlib.metrics.compare import compare
from ldctlib.metrics.evaluate import evaluate, evaluate_mayo
from ldctlib.metrics.fidelity import psnr, rmse
from ldctlib.metrics.measures import FULL_RANGE, MEASURES, PUBLISHED
from ldctlib.metrics.organs import organ_masks
from ldctlib.metrics.radiomics import RadiomicFeatures, radiomic_features
from ldctlib.metrics.reference import PUBLICATIONS, reference
from ldctlib.metrics.rfs import rfs, similarity
from ldctlib.metrics.segment_errors import segment_errors
from ldctlib.metrics.significance import bootstrap, holm, mann_whitney, signed_rank
from ldctlib.metrics.srmse import max_srmse, mean_srmse, percentile_srmse, srmse
from ldctlib.metrics.ssim import ssim
from ldctlib.metrics.standardised_bias import multiplicity_threshold, standardised_bias
from ldctlib.metrics.styled import styled
from ldctlib.metrics.vif import vif

__all__ = [
    "COLUMNS",
    "FULL_RANGE",
    "LOW_DOSE",
    "MEASURES",
    "PUBLICATIONS",
    "PUBLISHED",
    "RadiomicFeatures",
    "aggregate",
    "bootstrap",
    "compare",
    "evaluate",
    "evaluate_mayo",
    "holm",
    "mann_whitney",
    "max_srmse",
    "mean_srmse",
    "multiplicity_threshold",
    "organ_masks",
    "percentile_srmse",
    "psnr",
    "radiomic_features",
    "rank_agreement",
    "reference",
    "rfs",
    "rmse",
    "segment_errors",
    "signed_rank",
    "similarity",
    "srmse",
    "ssim",
    "standardised_bias",
    "styled",
    "vif",
]
