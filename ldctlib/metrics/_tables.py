"""The tidy table that every evaluation of the project fills, and how it is condensed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

COLUMNS = ("method", "seed", "anatomy", "patient", "slice", "metric", "value")
LOW_DOSE = "low dose"
By = Literal["slice", "patient", "volume"]


def pandas() -> Any:
    """The package, or a sentence that says how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            'Tables of results need pandas: pip install "ldctlib[notebooks]".'
        ) from error
    return pandas


def tidy(rows: Iterable[tuple[Any, ...]]) -> Any:
    """A table of the project's columns from rows in their order; None where nothing applies."""
    return typed(pandas().DataFrame(list(rows), columns=list(COLUMNS)))


def typed(table: Any) -> Any:
    """The table with the types that a CSV file forgets.

    Raises:
        ValueError: it is not a table, is empty, or lacks a column.
    """
    if not isinstance(table, pandas().DataFrame):
        raise ValueError(f"Results are a table of pandas, not {type(table).__name__}.")
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise ValueError(f"The table of results has no column {', '.join(absent)}.")
    if table.empty:
        raise ValueError("The table of results has no rows.")
    plain = {name: table[name].astype(object) for name in ("method", "anatomy", "patient")}
    whole = {name: table[name].astype("Int64") for name in ("seed", "slice")}
    return table.assign(**plain, **whole, value=table["value"].astype(float))


def aggregate(table: Any, by: By = "slice") -> Any:
    """One value for every method, seed, anatomy and metric.

    Args:
        table: results with the columns `COLUMNS`, as from `evaluate`.
        by: "slice": mean over all slices of an anatomy, as published, so that patients with more
            slices weigh more; "patient": mean over patients of their mean over slices; "volume":
            mean over patients of the metric of the whole volume, e.g. the PSNR of the mean
            squared error instead of the mean of PSNRs.

    Returns:
        The same columns, patient and slice empty. A metric that has no slices, such as RFS, is
        averaged over patients whatever ``by`` says.

    Raises:
        ValueError: the table is not of this kind, or lacks the values of whole volumes.

    >>> rows = [("net", 0, "chest", "a", z, "psnr", v) for z, v in enumerate((20.0, 30.0))]
    >>> table = tidy([*rows, ("net", 0, "chest", "b", 0, "psnr", 40.0)])
    >>> aggregate(table).value.tolist(), aggregate(table, "patient").value.tolist()
    ([30.0], [32.5])
    """
    group = ["method", "seed", "anatomy", "metric"]
    values = typed(table) if by == "slice" else of_patients(table, by)
    if by == "slice":
        values = _slices_if_any(values)
    means = values.groupby(group, dropna=False, sort=False)["value"].mean().reset_index()
    result = typed(means.assign(patient=None, slice=None)[list(COLUMNS)])
    result.attrs = {**table.attrs, "aggregate": by}
    return result


def of_patients(table: Any, by: By = "patient") -> Any:
    """One value for every patient: its mean over slices, or that of its whole volume."""
    if by not in ("slice", "patient", "volume"):
        raise ValueError(f"Results are aggregated by slice, patient or volume, not by {by!r}.")
    table = typed(table)
    values = _volumes(table) if by == "volume" else _slices_if_any(table)
    group = ["method", "seed", "anatomy", "patient", "metric"]
    means = values.groupby(group, dropna=False, sort=False)["value"].mean().reset_index()
    return means.assign(slice=None)[list(COLUMNS)]


def _slices_if_any(table: Any) -> Any:
    """Rows of slices; where a metric has none, those of volumes."""
    has_slices = table["slice"].notna().groupby(table["metric"]).transform("any")
    return table[table["slice"].notna() | ~has_slices]


def _volumes(table: Any) -> Any:
    volumes = table[table["slice"].isna()]
    absent = sorted(set(table["metric"]) - set(volumes["metric"]))
    if absent:
        raise ValueError(f"The table holds no values of whole volumes for {', '.join(absent)}.")
    return volumes


def finite(values: Any, what: str) -> Any:
    """The values, or an error: ranks and means need finite ones."""
    if not np.isfinite(values).all():
        raise ValueError(f"{what} holds values that are not finite and cannot be compared.")
    return values
