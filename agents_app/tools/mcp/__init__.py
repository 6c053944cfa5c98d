"""Tools that an MCP server offers: each taken over by a person, and pinned to what the server said of it then."""

from agents_app.tools.mcp.kind import Mcp

__all__ = ["Mcp"]
