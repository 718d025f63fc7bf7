"""The same patient with and without lesions, in the same noise, and what is kept of them."""

from ldctlib.hallucinations.lesions.exposed import ExposedPair, kept, share_kept
from ldctlib.hallucinations.lesions.pair import LesionPair
from ldctlib.hallucinations.lesions.spheres import lesion_pair

__all__ = ["ExposedPair", "LesionPair", "kept", "lesion_pair", "share_kept"]
