"""Binary masks on a volume, overlapping allowed, kept as runs: the segments of a scan."""

from ldctlib.masks.masks import Masks

__all__ = ["Masks"]
