"""Assess the image quality of AI denoising in low-dose CT."""

__version__ = "0.1.0"
