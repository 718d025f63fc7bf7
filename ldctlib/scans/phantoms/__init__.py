"""Procedural patients with exact truth: chest, abdomen and head; and a test object."""

from ldctlib.scans.phantoms.inserts import inserts
from ldctlib.scans.phantoms.lesions import Lesion
from ldctlib.scans.phantoms.phantom import phantom

__all__ = ["Lesion", "inserts", "phantom"]
