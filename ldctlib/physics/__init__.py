"""How a scan is measured: fan-beam projection, reconstruction, dose."""

from ldctlib.physics.exam import Exam, Exposure, Sinogram
from ldctlib.physics.expose import expose
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import KERNELS, Kernel
from ldctlib.physics.mayo import mayo_exam
from ldctlib.physics.presets import PRESETS, Preset
from ldctlib.physics.projector import backproject, project
from ldctlib.physics.reconstruction import fbp, fbp_transposed, noise_map
from ldctlib.physics.sharpness import imaged

__all__ = [
    "KERNELS",
    "PRESETS",
    "Exam",
    "Exposure",
    "FanBeam",
    "Kernel",
    "Preset",
    "Sinogram",
    "backproject",
    "expose",
    "fbp",
    "fbp_transposed",
    "imaged",
    "mayo_exam",
    "noise_map",
    "project",
]
