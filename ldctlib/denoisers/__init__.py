"""Denoising methods, one file each."""

from ldctlib.denoisers.denoiser import Denoiser
from ldctlib.denoisers.method import Method, Objective, Precision, Recipe
from ldctlib.denoisers.registry import METHODS, available, load, network
from ldctlib.denoisers.weights import read_weights, write_weights

__all__ = [
    "METHODS",
    "Denoiser",
    "Method",
    "Objective",
    "Precision",
    "Recipe",
    "available",
    "load",
    "network",
    "read_weights",
    "write_weights",
]
