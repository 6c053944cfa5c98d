"""The libraries of OpenAI, Anthropic and MCP, imported on first use: that takes seconds, and few tests need them."""

import importlib
from types import ModuleType

MODULES = {
    "openai": "openai",
    "anthropic": "anthropic",
    "mcp_server": "mcp.server.mcpserver",
    "mcp_server_time": "mcp_server_time.server",
}


def __getattr__(name: str) -> ModuleType:
    if name not in MODULES:
        raise AttributeError(name)
    return importlib.import_module(MODULES[name])
