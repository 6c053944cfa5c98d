"""Guess a model's properties from its name when it is imported; people correct them.

Figures are the ones providers publish. The first pattern that matches a name counts, so narrow ones come first.
"""

import re
from dataclasses import dataclass

from console.catalog.models import Capability
from console.catalog.models.versions import labels_of

_CHAT = (Capability.CHAT, Capability.TOOLS, Capability.JSON_SCHEMA)
_SEEING = (*_CHAT, Capability.VISION)
_THINKING = (*_CHAT, Capability.REASONING)
_BOTH = (*_SEEING, Capability.REASONING)
_PLAIN = (Capability.CHAT,)
_VECTORS = (Capability.EMBEDDING,)


# What a model is first of all. One whose name does not tell is what somebody says it is.
KINDS = (Capability.CHAT, Capability.EMBEDDING, Capability.COMPLETION)


@dataclass(frozen=True, slots=True)
class Guess:
    """`is_known`: a family matched; otherwise this is what a model of any kind can be trusted with."""

    capabilities: tuple[str, ...]
    context_tokens: int
    max_output_tokens: int
    is_known: bool = True

    @property
    def capability_labels(self) -> list[str]:
        return labels_of(self.capabilities)


# What takes or gives sound, pictures or verdicts instead of text, which the API of this console does not carry.
_OTHERS = re.compile(
    r"whisper|tts|transcribe|speech|realtime|audio|dall-e|image|imagen|veo|sora|video|moderation|guard|rerank|ocr|lyria",
    re.IGNORECASE,
)
_FAMILIES: tuple[tuple[str, tuple[str, ...], int, int], ...] = (
    # Embeddings first: their names often hold a family's name, too.
    (r"text-embedding-3|text-embedding-ada", _VECTORS, 8191, 1),
    (r"gemini-embedding|text-embedding-0", _VECTORS, 2048, 1),
    (r"embed|^bge|/bge|^e5|/e5|^gte|/gte|minilm|wordllama", _VECTORS, 8192, 1),
    # OpenAI
    (r"gpt-5", _BOTH, 400_000, 128_000),
    (r"gpt-4\.1", _SEEING, 1_047_576, 32_768),
    (r"gpt-4o|chatgpt-4o", _SEEING, 128_000, 16_384),
    (r"gpt-4-turbo", (*_PLAIN, Capability.TOOLS, Capability.VISION), 128_000, 4096),
    (r"gpt-4", (*_PLAIN, Capability.TOOLS), 8192, 8192),
    (r"gpt-3\.5-turbo-instruct|davinci|babbage", (Capability.COMPLETION,), 4096, 4096),
    (r"gpt-3\.5", (*_PLAIN, Capability.TOOLS), 16_385, 4096),
    (r"gpt-oss", _THINKING, 131_072, 131_072),
    (r"(^|/)o[134](-|$)", _BOTH, 200_000, 100_000),
    # Anthropic
    (r"claude-(opus-4|sonnet-4|haiku-4|3-7)", _BOTH, 200_000, 64_000),
    (r"claude-3-5", (*_PLAIN, Capability.TOOLS, Capability.VISION), 200_000, 8192),
    (r"claude", (*_PLAIN, Capability.TOOLS, Capability.VISION), 200_000, 4096),
    # Google
    (r"gemini-(2\.5|3)", _BOTH, 1_048_576, 65_536),
    (r"gemini", _SEEING, 1_048_576, 8192),
    (r"gemma-?3", (*_PLAIN, Capability.VISION), 131_072, 8192),
    (r"gemma", _PLAIN, 8192, 8192),
    # Mistral
    (r"magistral", _THINKING, 131_072, 40_960),
    (r"pixtral", _SEEING, 131_072, 32_768),
    (r"codestral", (*_CHAT, Capability.COMPLETION), 262_144, 32_768),
    (r"mistral-(medium|small)", _SEEING, 131_072, 32_768),
    (r"mi(ni)?stral|mixtral", _CHAT, 131_072, 32_768),
    # Open weights, as Groq, Together, Ollama and vLLM serve them
    (r"deepseek.*r1|deepseek-reasoner", _THINKING, 131_072, 65_536),
    (r"deepseek", _CHAT, 131_072, 8192),
    (r"qwq|qwen-?3", _THINKING, 131_072, 32_768),
    (r"qwen.*vl", (*_PLAIN, Capability.VISION), 131_072, 8192),
    (r"qwen", _CHAT, 32_768, 8192),
    (r"llama-?4", _SEEING, 1_048_576, 8192),
    (r"llama-?3\.[123]|llama-?3_[123]", _CHAT, 131_072, 8192),
    (r"llama", _PLAIN, 8192, 4096),
    (r"kimi", _CHAT, 131_072, 16_384),
    (r"phi-?[34]", _CHAT, 131_072, 4096),
    (r"smollm", (*_PLAIN, Capability.COMPLETION), 8192, 2048),
)
_COMPILED = tuple((re.compile(f[0], re.IGNORECASE), f[1], f[2], f[3]) for f in _FAMILIES)


def guess(name: str) -> Guess | None:
    """Return what a model of this name can probably do; None for what answers with something other than text."""
    for pattern, capabilities, context, output in _COMPILED:
        if pattern.search(name):
            if _OTHERS.search(name):
                return None
            return Guess(tuple(str(c) for c in capabilities), context, output)
    if _OTHERS.search(name):
        return None
    return guess_of(Capability.CHAT)


def guess_of(kind: str) -> Guess:
    """Return what any model of one of `KINDS` can be trusted with."""
    return Guess((str(kind),), 8192, 1 if kind == Capability.EMBEDDING else 4096, is_known=False)


def is_sure(name: str) -> bool:
    """Return whether a name tells what the model is."""
    found = guess(name)
    return found is not None and found.is_known
