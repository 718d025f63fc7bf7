"""Denoising methods, one file each."""
