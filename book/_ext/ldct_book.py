"""What the theme does not do by itself: quiet pages, licences, a table that reads on a phone."""

from __future__ import annotations

from sphinx.application import Sphinx


def silence_thebe(app: Sphinx, config: object) -> None:
    """Unplug sphinx-thebe, which Jupyter Book always loads; its script breaks on every page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [x for x in app.registry.css_files if "thebe" not in x[0]]


def polish(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Let long author lists end as readers expect."""
    if body := context.get("body"):
        context["body"] = body.replace(", and others.", " <i>et al.</i>")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", silence_thebe)
    app.connect("html-page-context", polish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
