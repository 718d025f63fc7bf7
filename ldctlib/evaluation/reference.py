"""Published results to compare one's own with, as tidy tables."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from ldctlib.denoisers import METHODS
from ldctlib.metrics._tables import COLUMNS, LOW_DOSE, pandas, tidy

_EXCHANGED = (
    "VIF was computed with the roles of test and reference exchanged: it is the metric "
    "'vif-ldctbench' here and must not be compared with 'vif'. "
)
_ATTRS: dict[str, dict[str, str]] = {
    "talk": {
        "source": "M. Kachelriess, Problems in assessing AI image quality (slides); the study "
        "behind it: Eulig et al., Med. Phys. 51 (2024), doi:10.1002/mp.17379",
        "note": _EXCHANGED + "The slide's columns are repaired. Its headers read SSIM, PSNR, VIF, "
        "RFS for head, chest and abdomen, but every printed row is shifted to the left by one "
        "column, and the SSIM of the head stands at its end: read as printed, SSIM would be 26 "
        "and PSNR below 1. Put back, magnitudes and ranks agree with the documentation's table. "
        "Means over ten trainings; the values of the low dose differ from those of the "
        "documentation by more than rounding (PSNR of the head 26.40 and 30.92 dB) although no "
        "network is involved, so that ranks may be compared and values may not.",
    },
    "documentation": {
        "source": "Documentation of ldct-benchmark 0.0.16, results on the test set, "
        "https://github.com/eeulig/ldct-benchmark; Eulig et al., Med. Phys. 51 (2024), "
        "doi:10.1002/mp.17379",
        "note": _EXCHANGED + "One trained network of each method, without spread; means over all "
        "slices of an anatomy.",
    },
}

_TABLES = (*_ATTRS, "campaign")


def reference(name: str) -> Any:
    """A published table of results.

    Args:
        name: "talk": SSIM, PSNR, VIF and RFS of the talk, columns repaired; "documentation":
            SSIM, PSNR and VIF in the documentation of the published benchmark; "campaign": this
            project's own ten trainings of every method, each of a short time on a processor.

    Returns:
        DataFrame with the columns of `evaluate`: one value for every method, anatomy and metric,
        of "campaign" one for every training and patient. ``attrs["source"]`` cites it,
        ``attrs["note"]`` says what to know before using it, and of "campaign" ``attrs["recipes"]``
        how each method was trained.

    Raises:
        ValueError: there is no such table.

    >>> talk = reference("talk").set_index(["method", "anatomy", "metric"]).value
    >>> float(talk["redcnn", "head", "psnr"]), float(talk["wganvgg", "chest", "rfs"])
    (30.41, 0.98)
    """
    if name not in _TABLES:
        raise ValueError(f"The published tables are {', '.join(_TABLES)}, not {name!r}.")
    folder = files("ldctlib.evaluation") / "published"
    with (folder / f"{name}.csv").open() as file:
        wide = pandas().read_csv(file)
    metrics = [column for column in wide.columns if column not in COLUMNS]
    present = wide.astype(object).where(wide.notna(), None)
    table = tidy(
        (row["method"], row.get("seed"), row["anatomy"], row.get("patient"), None, metric, value)
        for _, row in present.iterrows()
        for metric in metrics
        if (value := row[metric]) is not None
    )
    attrs = _ATTRS.get(name) or json.loads((folder / f"{name}.json").read_text("utf-8"))
    table.attrs = dict(attrs)
    return table


def label(method: str) -> str:
    """What readers call a method.

    >>> label("redcnn"), label("low dose"), label("mine")
    ('RED-CNN', 'Low dose', 'mine')
    """
    if method == LOW_DOSE:
        return "Low dose"
    return METHODS[method].label if method in METHODS else method
