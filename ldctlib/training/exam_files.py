"""Exams in a file, for processes on other machines that see the same folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ldctlib.masks import Masks
from ldctlib.physics.exam import Exam, Exposure, Sinogram
from ldctlib.physics.geometry import FanBeam
from ldctlib.physics.kernels import Kernel
from ldctlib.scans.scan import Scan
from ldctlib.training import checkpoint

RUNS = ("offsets", "starts", "lengths")


def write_exams(exams: Iterable[Exam], path: Path) -> None:
    """Write exams with all that they know; the file is complete or the old one."""
    checkpoint.save({"exams": [_facts(exam) for exam in exams]}, path)


def read_exams(path: Path) -> Iterator[Exam]:
    """The exams that `write_exams` wrote, one after the other."""
    for facts in checkpoint.load(path)["exams"]:
        yield Exam(
            full=_scan(facts["full"]),
            low=_scan(facts["low"]),
            sinogram=facts["sinogram"] and _sinogram(facts["sinogram"]),
            dose=facts["dose"],
            truth=facts["truth"] and _scan(facts["truth"]),
            exposure=facts["exposure"] and _exposure(facts["exposure"]),
            equivalent_dose=facts["equivalent_dose"],
        )


def fingerprint(exams: Sequence[Exam] | Callable[..., Any]) -> str:
    """Changes when any image or sinogram does; of a function, when name or arguments change."""
    if callable(exams):
        return _called(exams)
    digest = hashlib.sha256()
    for exam in exams:
        digest.update(f"{exam.full.name} {exam.full.anatomy} {exam.full.shape}".encode())
        digest.update(np.ascontiguousarray(exam.full.hu).data)
        digest.update(np.ascontiguousarray(exam.low.hu).data)
        if exam.sinogram is not None:
            digest.update(exam.sinogram.line_integrals.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _called(function: Any) -> str:
    """A function and its arguments in words."""
    if isinstance(function, partial):
        words = [*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())]
        return f"{_called(function.func)}({', '.join(words)})"
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _facts(exam: Exam) -> dict[str, Any]:
    sinogram, exposure = exam.sinogram, exam.exposure
    return {
        "full": _scan_facts(exam.full),
        "low": _scan_facts(exam.low),
        "truth": exam.truth and _scan_facts(exam.truth),
        "sinogram": sinogram and {**vars(sinogram), "geometry": asdict(sinogram.geometry)},
        "exposure": exposure
        and {
            **vars(exposure),
            "geometry": asdict(exposure.geometry),
            "kernel": asdict(exposure.kernel),
            "blank": torch.from_numpy(exposure.blank),
        },
        "dose": exam.dose,
        "equivalent_dose": exam.equivalent_dose,
    }


def _scan_facts(scan: Scan) -> dict[str, Any]:
    assert scan.z_mm is not None
    masks = {
        name: {
            "labels": each.labels,
            "scores": None if each.scores is None else torch.from_numpy(each.scores),
            **{part: torch.from_numpy(getattr(each, part)) for part in RUNS},
        }
        for name, each in scan.masks.items()
    }
    own = {part: getattr(scan, part) for part in ("spacing_mm", "name", "anatomy", "corner_mm")}
    return {
        **own,
        "hu": torch.from_numpy(scan.hu),
        "z_mm": torch.from_numpy(np.asarray(scan.z_mm)),
        "masks": masks,
        "provenance": dict(scan.provenance),
    }


def _scan(facts: dict[str, Any]) -> Scan:
    hu = facts["hu"].numpy()
    masks = {name: _masks(runs, hu.shape) for name, runs in facts["masks"].items()}
    corner = facts["corner_mm"] and tuple(facts["corner_mm"])
    changed = {"hu": hu, "z_mm": facts["z_mm"].numpy(), "masks": masks, "corner_mm": corner}
    return Scan(**{**facts, **changed})


def _sinogram(facts: dict[str, Any]) -> Sinogram:
    return Sinogram(**{**facts, "geometry": FanBeam(**facts["geometry"])})


def _exposure(facts: dict[str, Any]) -> Exposure:
    changed = {
        "geometry": FanBeam(**facts["geometry"]),
        "kernel": Kernel(**facts["kernel"]),
        "blank": facts["blank"].numpy(),
        "corner": tuple(facts["corner"]),
    }
    return Exposure(**{**facts, **changed})


def _masks(facts: dict[str, Any], shape: Any) -> Masks:
    runs = {part: facts[part].numpy() for part in RUNS}
    scores = facts["scores"]
    scores = scores if scores is None else scores.numpy()
    return Masks(shape, labels=tuple(facts["labels"]), scores=scores, **runs)
