"""Models and pins: the HTML face of the catalog."""
