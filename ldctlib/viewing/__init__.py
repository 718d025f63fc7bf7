"""Looking at CT: the viewer and figures."""

from ldctlib.viewing.colours import difference_map
from ldctlib.viewing.figures import Figure, figure, panel, style
from ldctlib.viewing.scatter import Scatter, scatter
from ldctlib.viewing.viewer import Viewer, show

__all__ = [
    "Figure",
    "Scatter",
    "Viewer",
    "difference_map",
    "figure",
    "panel",
    "scatter",
    "show",
    "style",
]
