"""The table of the talk: means, and marks where a method is better or worse than those before."""

from __future__ import annotations

from html import escape
from typing import Any

from ldctlib.evaluation.reference import label
from ldctlib.metrics._tables import By, aggregate
from ldctlib.metrics.measures import MEASURES

# A tint of the cell beside a mark: the text keeps the page's colour, so that light and dark pages
# have the same contrast, and nothing is said by colour alone.
MARKS = {
    "better": ("▲", "rgba(46, 160, 67, 0.30)"),
    "worse": ("▼", "rgba(235, 120, 10, 0.34)"),
}
_CELL = "text-align: right; white-space: nowrap;"
_HEAD = "text-align: center;"
_NAMES = "text-align: left; white-space: nowrap;"
_NAME = "Results of denoising methods"


class HTMLTable(str):
    """A table that a notebook shows, and that is its own HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def styled(
    table: Any,
    comparison: Any = None,
    *,
    by: By = "slice",
    caption: str = "",
) -> HTMLTable:
    """Results as an HTML table, for people.

    Args:
        table: results as from `evaluate` or `reference`.
        comparison: of `compare`: green with ▲ is better than the best method published before,
            orange with ▼ worse.
        by: how slices become one value, see `aggregate`.
        caption: what the table shows; what was tested is added.

    Returns:
        HTML, one row a method, one column for every anatomy and metric; the mean, and where a
        method was trained several times the standard deviation.
    """
    values = aggregate(table, by)
    cells = values.groupby(["method", "anatomy", "metric"], sort=False)["value"]
    means, spreads = cells.mean(), cells.std()
    columns = [
        (anatomy, metric)
        for anatomy in values["anatomy"].unique()
        for metric in values["metric"].unique()
        if ((values["anatomy"] == anatomy) & (values["metric"] == metric)).any()
    ]
    verdicts = {} if comparison is None else _verdicts(comparison)
    body = []
    for method in values["method"].unique():
        row = [f'<th scope="row" style="{_NAMES}">{escape(label(method))}</th>']
        for column in columns:
            key = (method, *column)
            there = key in means.index
            number = _number(means[key], spreads[key], column[1]) if there else ("–", "")
            row.append(_cell(*number, verdicts.get(key)))
        body.append(f"<tr>{''.join(row)}</tr>")
    text = escape(" ".join(filter(None, [caption, _legend(comparison)])))
    return HTMLTable(
        f'<figure style="margin: 0;">{f"<figcaption>{text}</figcaption>" if text else ""}'
        f'<div style="overflow-x: auto;" tabindex="0" role="region" aria-label="{_NAME}">'
        f'<table class="dataframe ldct-results" aria-label="{_NAME}"><thead>{_head(columns)}'
        f"</thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def _number(mean: float, spread: float, metric: str) -> tuple[str, str]:
    """The mean, and the standard deviation where there is one."""
    digits = MEASURES[metric].digits if metric in MEASURES else 3
    known = spread == spread
    return f"{mean:.{digits}f}", f"<br><small>± {spread:.{digits}f}</small>" if known else ""


def _cell(mean: str, spread: str, verdict: tuple[str, str] | None) -> str:
    if verdict is None:
        return f'<td style="{_CELL}">{mean}{spread}</td>'
    mark, tint = MARKS[verdict[0]]
    said = escape(verdict[1], quote=True)
    return (
        f'<td class="{verdict[0]}" style="{_CELL} background: {tint};">{mean} '
        f'<span role="img" aria-label="{said}" title="{said}">{mark}</span>{spread}</td>'
    )


def _verdicts(comparison: Any) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Verdict and sentence of the comparisons that found a difference."""
    return {
        (row.method, row.anatomy, row.metric): (
            row.verdict,
            f"{row.verdict} than {label(row.baseline)}, p = {row.p_holm:.2g}",
        )
        for row in comparison.itertuples()
        if row.verdict in MARKS
    }


def _legend(comparison: Any) -> str:
    if comparison is None:
        return ""
    family = comparison.attrs.get("family", "")
    return (
        f"{MARKS['better'][0]} green: significantly better than the best method published before, "
        f"{MARKS['worse'][0]} orange: worse. {family[:1].upper() + family[1:]}{'.' * bool(family)}"
    )


def _head(columns: list[tuple[str, str]]) -> str:
    """Two rows: anatomies over their metrics."""
    anatomies = list(dict.fromkeys(anatomy for anatomy, _ in columns))
    spans = {a: sum(anatomy == a for anatomy, _ in columns) for a in anatomies}
    first = "".join(
        f'<th scope="colgroup" colspan="{spans[a]}" style="{_HEAD}">{escape(str(a).capitalize())}'
        "</th>"
        for a in anatomies
    )
    names = (MEASURES[m].heading if m in MEASURES else m for _, m in columns)
    second = "".join(
        f'<th scope="col" style="text-align: right;">{escape(name)}</th>' for name in names
    )
    return (
        f'<tr><th scope="col" rowspan="2" style="{_NAMES}">Method</th>{first}</tr><tr>{second}</tr>'
    )
