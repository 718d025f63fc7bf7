"""Procedural patients with exact truth: chest, abdomen and head."""

from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.phantoms.phantom import phantom

__all__ = ["Lesion", "phantom"]
