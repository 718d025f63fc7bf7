"""Structures that a denoiser removed, introduced or changed."""

from ldctlib.hallucinations.cases import removal_case, removal_cases
from ldctlib.hallucinations.conformal import conformal_threshold
from ldctlib.hallucinations.consistency import consistency
from ldctlib.hallucinations.consistency_results import Consistency
from ldctlib.hallucinations.dose_limit import DOSES, dose_limit
from ldctlib.hallucinations.dose_limit_results import DoseLimit, none_of
from ldctlib.hallucinations.flag import flag
from ldctlib.hallucinations.flags import Flag, Flags
from ldctlib.hallucinations.imperfect import imperfect_masks
from ldctlib.hallucinations.inpaint import remove_structures, visible_structures
from ldctlib.hallucinations.lesions import (
    ExposedPair,
    LesionPair,
    kept,
    lesion_pair,
    share_kept,
)
from ldctlib.hallucinations.proportions import recall, rmse_recall, wilson
from ldctlib.hallucinations.removal import removal_experiment
from ldctlib.hallucinations.removal_results import RemovalResults
from ldctlib.hallucinations.rings import contrast, rings
from ldctlib.hallucinations.structures import oracle_segments, split_structures

__all__ = [
    "DOSES",
    "Consistency",
    "DoseLimit",
    "ExposedPair",
    "Flag",
    "Flags",
    "LesionPair",
    "RemovalResults",
    "conformal_threshold",
    "consistency",
    "contrast",
    "dose_limit",
    "flag",
    "imperfect_masks",
    "kept",
    "lesion_pair",
    "none_of",
    "oracle_segments",
    "recall",
    "removal_case",
    "removal_cases",
    "removal_experiment",
    "remove_structures",
    "rings",
    "rmse_recall",
    "share_kept",
    "split_structures",
    "visible_structures",
    "wilson",
]
