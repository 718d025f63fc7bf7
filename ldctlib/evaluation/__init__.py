"""Tables over methods: published ones, comparisons, and how people read them."""

from ldctlib.evaluation.compare import compare
from ldctlib.evaluation.reference import label, reference
from ldctlib.evaluation.styled import styled

__all__ = ["compare", "label", "reference", "styled"]
