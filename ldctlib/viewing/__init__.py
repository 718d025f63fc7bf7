"""Looking at CT: the viewer and figures."""
