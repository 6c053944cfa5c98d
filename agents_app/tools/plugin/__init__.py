"""Tools that installed packages bring."""

from agents_app.tools.plugin.kind import Plugin

__all__ = ["Plugin"]
