"""Looking at CT: the viewer and figures."""

from ldctlib.viewing.colours import difference_map
from ldctlib.viewing.figures import Figure, figure, panel, style
from ldctlib.viewing.viewer import Viewer, show

__all__ = ["Figure", "Viewer", "difference_map", "figure", "panel", "show", "style"]
