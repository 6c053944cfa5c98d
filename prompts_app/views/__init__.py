"""The HTML face of the prompt library."""
