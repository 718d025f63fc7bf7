"""Importing the library stays quick: heavy packages wait until they are needed."""

import subprocess
import sys

HEAVY = {
    "torchvision", "segment_anything", "timm", "SimpleITK", "radiomics", "matplotlib", "pandas",
    "optuna", "distributed", "IPython", "anywidget", "skimage",
}  # fmt: skip


def test_import_brings_in_no_heavy_package():
    program = (
        "import sys, ldctlib.scans, ldctlib.physics, ldctlib.denoisers, ldctlib.metrics, "
        "ldctlib.segments, ldctlib.viewing, ldctlib.training, ldctlib.cli; print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert HEAVY.isdisjoint(modules)
