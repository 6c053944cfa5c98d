"""The kinds of providers. A new one is a folder beside `openai` and a line here."""

from collections.abc import Container

from console.providers.anthropic.kind import Anthropic
from console.providers.openai.kind import OpenAI
from console.providers.types import Chats, Completes, Embeds, Kind, SpeaksMessages
from console.providers.wordllama.kind import WordLlama

KINDS: dict[str, Kind] = {"openai": OpenAI(), "anthropic": Anthropic(), "wordllama": WordLlama()}

# Which of them offers what, found out once.
CHATS: dict[str, Chats] = {name: kind for name, kind in KINDS.items() if isinstance(kind, Chats)}
MESSAGES: dict[str, SpeaksMessages] = {name: kind for name, kind in KINDS.items() if isinstance(kind, SpeaksMessages)}
COMPLETES: dict[str, Completes] = {name: kind for name, kind in KINDS.items() if isinstance(kind, Completes)}
EMBEDS: dict[str, Embeds] = {name: kind for name, kind in KINDS.items() if isinstance(kind, Embeds)}
OFFERS: dict[str, Container[str]] = {"chat": CHATS, "completion": COMPLETES, "embedding": EMBEDS}
