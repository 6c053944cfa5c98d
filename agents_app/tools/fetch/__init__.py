"""Reading the web, host by host."""

from agents_app.tools.fetch.kind import Fetch

__all__ = ["Fetch"]
