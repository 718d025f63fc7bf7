"""Structures that a denoiser removed, introduced or changed."""

from ldctlib.hallucinations.conformal import conformal_threshold
from ldctlib.hallucinations.consistency import Consistency, consistency
from ldctlib.hallucinations.flag import flag
from ldctlib.hallucinations.flags import Flag, Flags

__all__ = ["Consistency", "Flag", "Flags", "conformal_threshold", "consistency", "flag"]
