"""A viewer as HTML that needs no kernel, no network and no other file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldctlib import units
from ldctlib.viewing import colours, payload

if TYPE_CHECKING:
    from ldctlib.viewing.viewer import Viewer


def figure(viewer: Viewer) -> str:
    """The still picture with its words, and one script that brings it to life.

    Raises:
        ValueError: the figure would be heavier than ``viewer.limit_mb``.
    """
    data = json.dumps(_data(viewer), ensure_ascii=False).replace("</", "<\\/")
    name = f"ct{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    lines = "<br>".join(map(html.escape, (viewer.caption or "").splitlines()))
    caption = f"<figcaption>{lines}</figcaption>" if lines else ""
    # The lm attribute keeps keys pressed on a pane from being shortcuts of JupyterLab too.
    text = (
        f'<figure class="ct-viewer" data-ct-viewer="{name}" data-lm-suppress-shortcuts="true" '
        f'style="margin:1em 0">{image(*viewer.png, viewer.alt)}{caption}</figure>'
        f'<script>(() => {{{file("viewer.js")}\nstart("{name}", {data});}})();</script>'
    )
    _check_weight(viewer, len(text.encode()))
    return text


def image(png: bytes, width: int, height: int, alt: str) -> str:
    """A picture with its words; class and filter keep dark themes from recolouring CT."""
    return (
        f'<img class="dark-light" alt="{html.escape(alt)}" width="{width}" height="{height}" '
        'style="filter:none;max-width:100%;height:auto" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )


def _data(viewer: Viewer) -> dict[str, Any]:
    """What viewer.js is given."""
    panes, depth, height, width = viewer.values.shape
    planes = viewer.values.reshape(panes * depth, -1)
    values, share = payload.pack(planes, viewer.limit_mb * 1e6)
    if share < 1:
        _check_weight(viewer, viewer.limit_mb * 1e6 / share)
    return {
        "names": viewer.names,
        "depth": depth,
        "height": height,
        "width": width,
        "numbers": viewer.numbers or (0,),
        "numbered": bool(viewer.numbers),
        "offset": viewer.offset,
        "windows": units.WINDOWS,
        "lowest": int(viewer.values.min()),
        "highest": int(viewer.values.max()),
        "pair": viewer.pair,
        "view": _view(viewer),
        "alt": viewer.alt,
        "colours": base64.b64encode(colours.difference_colours().tobytes()).decode(),
        "gradient": colours.difference_gradient(),
        "values": values,
        "masks": _masks(viewer),
        "template": file("viewer.html"),
    }


def _view(viewer: Viewer) -> dict[str, Any]:
    """What is on show at first, and after a reset."""
    roi = viewer.roi
    return {
        "level": viewer.window[0],
        "width": viewer.window[1],
        "slice": viewer.opening,
        "zoom": viewer.zoom,
        "limit": viewer.limit_hu,
        "roi": roi and [s.start for s in roi] + [s.stop for s in roi],
        "masks": viewer.mask_style,
    }


def _masks(viewer: Viewer) -> dict[str, Any] | None:
    if viewer.runs is None:
        return None
    return {
        "runs": payload.pack(viewer.runs)[0],
        "count": viewer.runs.shape[1],
        "labels": viewer.labels,
        "colours": colours.MASK_COLOURS,
    }


def _check_weight(viewer: Viewer, size: float) -> None:
    if size > viewer.limit_mb * 1e6:
        panes, depth, height, width = viewer.values.shape
        raise ValueError(
            f"{panes} panes of {depth} slices of {height} x {width} pixels weigh about "
            f"{size / 1e6:.1f} MB, more than the {viewer.limit_mb:g} MB of a figure: show a part "
            "with crop=(rows, columns) or fewer slices with slices=..."
        )


@cache
def file(name: str) -> str:
    """The text of a file of this package."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
