"""Denoising methods of three domains, one file each."""

from ldctlib.denoisers.denoiser import Denoiser, Needs, needs_sinogram
from ldctlib.denoisers.domains import denoiser_of
from ldctlib.denoisers.image_network import ImageNetwork
from ldctlib.denoisers.method import Learned, Method, Objective, Precision, Recipe
from ldctlib.denoisers.registry import METHODS, available, load, network
from ldctlib.denoisers.short import Short
from ldctlib.denoisers.sinogram_network import DualNetwork, SinogramNetwork
from ldctlib.denoisers.space import Range, Space
from ldctlib.denoisers.weights import read_weights, shipped_weights, variants, write_weights

__all__ = [
    "METHODS",
    "Denoiser",
    "DualNetwork",
    "ImageNetwork",
    "Learned",
    "Method",
    "Needs",
    "Objective",
    "Precision",
    "Range",
    "Recipe",
    "Short",
    "SinogramNetwork",
    "Space",
    "available",
    "denoiser_of",
    "load",
    "needs_sinogram",
    "network",
    "read_weights",
    "shipped_weights",
    "variants",
    "write_weights",
]
