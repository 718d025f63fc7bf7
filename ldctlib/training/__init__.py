"""Training: a visible loop, whole batches from memory, exact resume, search, campaigns."""

from ldctlib.training.campaign import Campaign, campaign
from ldctlib.training.fit import fit
from ldctlib.training.precision import choose_precision
from ldctlib.training.sampler import PatchSampler, Sampler
from ldctlib.training.samplers import SAMPLERS
from ldctlib.training.search import Search, search
from ldctlib.training.segment_loss import SegmentSupervised, segment_loss
from ldctlib.training.segment_sampler import SegmentSampler
from ldctlib.training.sinogram_sampler import SinogramSampler
from ldctlib.training.validation import Validation

__all__ = [
    "SAMPLERS",
    "Campaign",
    "PatchSampler",
    "Sampler",
    "Search",
    "SegmentSampler",
    "SegmentSupervised",
    "SinogramSampler",
    "Validation",
    "campaign",
    "choose_precision",
    "fit",
    "search",
    "segment_loss",
]
