"""The clients of OpenAI and Anthropic, imported on first use: that takes seconds, and one test process needs them."""

import importlib
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name not in {"openai", "anthropic"}:
        raise AttributeError(name)
    return importlib.import_module(name)
