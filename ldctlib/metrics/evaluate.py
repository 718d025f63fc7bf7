"""Judge denoisers on exams: one tidy table of every metric of every slice and volume."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tqdm.auto import tqdm

from ldctlib.metrics._tables import LOW_DOSE, tidy
from ldctlib.metrics.measures import MEASURES, OF_SLICES, PUBLISHED
from ldctlib.physics.exam import Exam
from ldctlib.physics.mayo import mayo_exam
from ldctlib.scans import mayo
from ldctlib.scans.scan import Scan
from ldctlib.units import WINDOW_OF_ANATOMY, Window

Denoisers: TypeAlias = "Mapping[Any, Callable[[Exam], Scan]]"
Row: TypeAlias = "tuple[Any, ...]"


def evaluate(
    denoisers: Denoisers,
    exams: Iterable[Exam] | Mapping[str, Exam],
    *,
    metrics: Iterable[str] = ("psnr", "ssim", "vif", "rmse"),
    windows: Mapping[str, Window] = WINDOW_OF_ANATOMY,
    masks: Callable[[Exam], Any] | None = None,
    rfs_options: Mapping[str, Any] | None = None,
    low_dose: bool = True,
    progress: bool = False,
) -> Any:
    """Every metric of every denoised slice, and of every volume.

    Args:
        denoisers: by the name of the method, or by (name, seed) where it was trained repeatedly;
            each takes an exam and returns its low-dose scan denoised.
        exams: one of each patient, named by its full-dose scan, or by the key of a mapping. They
            are read one at a time, so that they may come from a generator.
        metrics: names in `OF_SLICES`, see `MEASURES`; "vif-ldctbench" is VIF as the published
            benchmark calls it. Or "rfs", radiomic feature similarity, which needs pyradiomics.
        windows: the window of PSNR and SSIM for each anatomy.
        masks: of an exam, the organs for "rfs" on its full-dose scan; `organ_masks` if None.
        rfs_options: of `rfs`, such as ``{"normalization": "ratio"}``.
        low_dose: judge the low-dose scan as well, as the method "low dose".
        progress: show a bar.

    Returns:
        DataFrame with the columns method, seed, anatomy, patient, slice, metric, value; the slice
        is empty in the value of a whole volume. `aggregate` condenses it.

    Raises:
        ValueError: a metric is unknown, an anatomy is, two patients have one name, or a denoiser
            returns another grid.
        ImportError: pandas is not there.
    """
    names = _checked_metrics(metrics)
    methods = _checked_methods(denoisers, low_dose)
    pairs = exams.items() if isinstance(exams, Mapping) else ((e.full.name, e) for e in exams)
    rows: list[Row] = []
    seen: set[str] = set()
    for patient, exam in tqdm(pairs, "evaluate", unit="patient", disable=not progress):
        if patient in seen:
            raise ValueError(f"Two exams are called {patient}: give a mapping of names to exams.")
        seen.add(patient)
        window = _window(exam.full, windows)
        denoised = {}
        for (method, seed), denoise in methods:
            scan = _denoised(denoise, exam, method)
            where = (method, seed, exam.full.anatomy, patient)
            rows += _rows(where, scan, exam.full, window, names)
            if "rfs" in names:
                denoised[where] = scan
        if denoised:
            organs = masks(exam) if masks else None
            rows += _similarities(denoised, exam.full, organs, rfs_options or {})
    if not rows:
        raise ValueError("There is nothing to evaluate: give at least one exam.")
    table = tidy(rows)
    table.attrs["definitions"] = {m: MEASURES[m].definition for m in table["metric"].unique()}
    return table


def evaluate_mayo(
    denoisers: Denoisers,
    folder: str | Path | None = None,
    *,
    split: str = "test",
    anatomy: str | None = None,
    metrics: Iterable[str] = PUBLISHED,
    progress: bool = True,
    **options: Any,
) -> Any:
    """The published protocol on a download of the Mayo data.

    Windows by the DICOM linear rule, SSIM with the defaults of scikit-image, RMSE and VIF of HU
    clipped to -1024 … 1900 (stored values 0 … 2924), VIF with the images exchanged. Averaged with
    ``aggregate(table)``, the mean over all slices of an anatomy, it is the published table. Only
    VIF was computed in float32 there, which moves that of the head by 0.1 %.

    Args:
        denoisers: as in `evaluate`.
        folder: see `mayo.index`.
        split: "training", "validation" or "test".
        anatomy: "chest", "abdomen" or "head" only.
        metrics: as in `evaluate`.
        progress: show a bar.
        options: of `evaluate`.

    Returns:
        As `evaluate`. A warning says if patients of the split are missing.

    Raises:
        ValueError: the folder holds no complete patient of the split; or as in `evaluate`.

    Source: Eulig et al., Med. Phys. 51 (2024), doi:10.1002/mp.17379, and its program.
    """
    found = mayo.index(folder)
    patients = found.split(split, anatomy)
    wanted = [p for p in found.patients if p.split == split and anatomy in (None, p.anatomy)]
    if not patients:
        raise ValueError(f"{found.folder} holds no complete {split} patient; ask for its report().")
    if len(patients) < len(wanted):
        warnings.warn(
            f"{len(patients)} of the {len(wanted)} {split} patients are there: the result is not "
            "that of the published set.",
            stacklevel=2,
        )
    bar = tqdm(patients, "evaluate", unit="patient", disable=not progress)
    exams = (mayo_exam(found, p.id) for p in bar)
    return evaluate(denoisers, exams, metrics=metrics, **options)


def _checked_metrics(metrics: Iterable[str]) -> list[str]:
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    for name in names:
        if name not in MEASURES:
            known = ", ".join((*OF_SLICES, "rfs"))
            raise ValueError(f"No metric is called {name!r}; there are {known}.")
        if MEASURES[name].of_segments:
            raise ValueError(f"{name} is a measure of segments, and of no slice.")
    return names


def _checked_methods(denoisers: Denoisers, low_dose: bool) -> list[tuple[Any, Any]]:
    """((method, seed), callable) of each, the low dose first."""
    if not isinstance(denoisers, Mapping) or not all(map(callable, denoisers.values())):
        raise ValueError("Denoisers come as {name: denoiser} or {(name, seed): denoiser}.")
    methods: list[tuple[Any, Any]] = [
        (key if isinstance(key, tuple) else (key, None), denoise)
        for key, denoise in denoisers.items()
    ]
    if any(method == LOW_DOSE for (method, _), _ in methods):
        raise ValueError(f"{LOW_DOSE!r} is the name of the low-dose scan: call a denoiser else.")
    return [*([((LOW_DOSE, None), _low)] if low_dose else []), *methods]


def _low(exam: Exam) -> Scan:
    return exam.low


def _window(full: Scan, windows: Mapping[str, Window]) -> Window:
    if full.anatomy is None or full.anatomy not in windows:
        raise ValueError(
            f"{full.name} shows {full.anatomy or 'an unknown anatomy'}, for which no window is "
            "set: dataclasses.replace(scan, anatomy='chest') says what it shows."
        )
    return windows[full.anatomy]


def _denoised(denoise: Callable[[Exam], Scan], exam: Exam, method: str) -> Scan:
    scan = denoise(exam)
    if scan.shape != exam.full.shape:
        raise ValueError(
            f"{method} turned {exam.full.name} from {exam.full.shape} into {scan.shape} voxels."
        )
    return scan


def _rows(where: Row, test: Scan, full: Scan, window: Window, metrics: list[str]) -> list[Row]:
    """The metrics of every slice, and of the volume, whose slice is None."""
    rows: list[Row] = []
    for metric in metrics:
        values = MEASURES[metric].of_slices
        if values is not None:
            slices, volume = values(test.hu, full.hu, window)
            rows += [(*where, z, metric, float(value)) for z, value in enumerate(slices)]
            rows.append((*where, None, metric, volume))
    return rows


def _similarities(
    denoised: Mapping[Row, Scan], full: Scan, organs: Any, options: Mapping[str, Any]
) -> list[Row]:
    """RFS of all scans at once: its normalisation may depend on which are compared."""
    from ldctlib.metrics import organ_masks, rfs

    scans = {str(i): scan for i, scan in enumerate(denoised.values())}
    found = rfs(scans, full, organ_masks(full) if organs is None else organs, **options)
    return [(*where, None, "rfs", found[str(i)]) for i, where in enumerate(denoised)]
