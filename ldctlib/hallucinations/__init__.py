"""Structures that a denoiser removed, introduced or changed."""
