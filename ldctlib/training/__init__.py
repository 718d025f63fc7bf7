"""Training: a visible loop, patches cut in whole batches, exact resume, measured precision."""

from ldctlib.training.fit import fit
from ldctlib.training.precision import choose_precision
from ldctlib.training.sampler import PatchSampler
from ldctlib.training.validation import Validation

__all__ = ["PatchSampler", "Validation", "choose_precision", "fit"]
