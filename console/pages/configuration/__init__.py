"""Setting an installation up without a browser: the quick start, and configuration as code."""
