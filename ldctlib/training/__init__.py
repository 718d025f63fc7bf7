"""Training: a visible loop, patches cut in whole batches, exact resume, search, campaigns."""

from ldctlib.training.campaign import Campaign, campaign
from ldctlib.training.fit import fit
from ldctlib.training.precision import choose_precision
from ldctlib.training.sampler import PatchSampler
from ldctlib.training.search import Search, search
from ldctlib.training.segment_loss import SegmentSupervised, segment_loss
from ldctlib.training.segment_sampler import SegmentSampler
from ldctlib.training.validation import Validation

__all__ = [
    "Campaign",
    "PatchSampler",
    "Search",
    "SegmentSampler",
    "SegmentSupervised",
    "Validation",
    "campaign",
    "choose_precision",
    "fit",
    "search",
    "segment_loss",
]
