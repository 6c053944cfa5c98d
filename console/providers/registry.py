"""The kinds of upstream there are. A new one is a folder beside `openai` and a line here."""

from console.providers.openai.kind import OpenAI
from console.providers.types import Kind

KINDS: dict[str, Kind] = {"openai": OpenAI()}
