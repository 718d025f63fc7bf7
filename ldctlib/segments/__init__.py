"""What the structures of a scan are: masks, segment-anything and a segmenter without weights."""

from ldctlib.masks import Masks
from ldctlib.segments.body import body_mask
from ldctlib.segments.rules import apply_rules, link_slices
from ldctlib.segments.segment import segment

__all__ = ["Masks", "apply_rules", "body_mask", "link_slices", "segment"]
