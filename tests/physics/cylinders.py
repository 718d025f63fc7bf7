"""Water cylinders to be exposed, and a scanner that is quick and fine enough for the kernels."""

import numpy as np
from fan_beams import fine

from ldctlib.physics import expose
from ldctlib.scans import Scan

PIXEL_MM = 1.2


def cylinder(slices=3, shape=(64, 64), radius_mm=30.0, source="a hospital", **about):
    x, y = (np.arange(n) * PIXEL_MM - (n - 1) / 2 * PIXEL_MM for n in shape[::-1])
    inside = np.hypot(*np.meshgrid(x, y)) < radius_mm
    hu = np.where(inside, 0.0, -1000.0) + 20.0 * np.arange(slices)[:, None, None]
    about = {"anatomy": "abdomen", "provenance": {"source": source}} | about
    return Scan(hu, (2.0, PIXEL_MM, PIXEL_MM), "cylinder", **about)


def phantom_cylinder(**options):
    return cylinder(source="procedural phantom, cylinder", **options)


def exposed(scan, dose=0.25, seed=0, **options):
    """At 1e4 photons of the Siemens scanner, by the preset "clinical"."""
    usual = {"geometry": fine(max(scan.shape[1:])), "photons": 1e4, "preset": "clinical"}
    return expose(scan, dose, seed, **usual | options)
