"""Exams in a file, for processes on other machines that see the same folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ldctlib.masks import Masks
from ldctlib.physics.exam import Exam
from ldctlib.scans.scan import Scan
from ldctlib.training import checkpoint

RUNS = ("offsets", "starts", "lengths")


def write_exams(exams: Iterable[Exam], path: Path) -> None:
    """Write exams without their sinograms; the file is complete or the old one."""
    checkpoint.save({"exams": [_facts(exam) for exam in exams]}, path)


def read_exams(path: Path) -> Iterator[Exam]:
    """The exams that `write_exams` wrote, one after the other."""
    for facts in checkpoint.load(path)["exams"]:
        hu = facts["full"].numpy()
        full = Scan(
            hu,
            tuple(facts["spacing_mm"]),
            facts["name"],
            anatomy=facts["anatomy"],
            masks={name: _masks(runs, hu.shape) for name, runs in facts["masks"].items()},
            z_mm=facts["z_mm"].numpy(),
            provenance=facts["provenance"],
        )
        yield Exam(full, full.with_hu(facts["low"].numpy()), None, facts["dose"])


def fingerprint(exams: Sequence[Exam] | Callable[..., Any]) -> str:
    """Changes when any image changes; of a function, when its name or its arguments change."""
    if callable(exams):
        return _called(exams)
    digest = hashlib.sha256()
    for exam in exams:
        digest.update(f"{exam.full.name} {exam.full.anatomy} {exam.full.shape}".encode())
        digest.update(np.ascontiguousarray(exam.full.hu).data)
        digest.update(np.ascontiguousarray(exam.low.hu).data)
    return digest.hexdigest()[:16]


def _called(function: Any) -> str:
    """A function and its arguments in words."""
    if isinstance(function, partial):
        words = [*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())]
        return f"{_called(function.func)}({', '.join(words)})"
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _facts(exam: Exam) -> dict[str, Any]:
    full, low = exam.full, exam.low
    assert full.z_mm is not None
    return {
        "full": torch.from_numpy(full.hu),
        "low": torch.from_numpy(low.hu),
        "z_mm": torch.from_numpy(np.asarray(full.z_mm, np.float64)),
        "masks": {
            name: {
                "labels": masks.labels,
                "scores": None if masks.scores is None else torch.from_numpy(masks.scores),
                **{part: torch.from_numpy(getattr(masks, part)) for part in RUNS},
            }
            for name, masks in full.masks.items()
        },
        "spacing_mm": full.spacing_mm,
        "name": full.name,
        "anatomy": full.anatomy,
        "provenance": dict(full.provenance),
        "dose": exam.dose,
    }


def _masks(facts: dict[str, Any], shape: Any) -> Masks:
    runs = {part: facts[part].numpy() for part in RUNS}
    scores = facts["scores"]
    scores = scores if scores is None else scores.numpy()
    return Masks(shape, labels=tuple(facts["labels"]), scores=scores, **runs)
