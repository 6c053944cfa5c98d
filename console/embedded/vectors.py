"""Small embeddings from the weights in the package wordllama: the mean of a text's token vectors.

Only the package's data is used. Its own loader looks for the tokenizer where it is not and downloads it instead.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

# The first so many numbers of a vector are a vector of their own: the weights were trained for that.
DIMENSIONS = (64, 128, 256)
CONTEXT_TOKENS = 8192
_CHUNK = 64


class TooLong(ValueError):
    """One text has more tokens than are read."""

    def __init__(self, place: int, tokens: int) -> None:
        super().__init__(f"Input {place} has {tokens:,} tokens; this model reads {CONTEXT_TOKENS:,}.")


class Embedded(NamedTuple):
    vectors: Any  # float32, one row a text, each of length 1
    tokens: int


def _folder() -> Path:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package wordllama is missing; install it or set BUILTIN_MODEL=0.")
    return Path(spec.origin).parent


@lru_cache(maxsize=1)
def _loaded() -> tuple[Any, Tokenizer]:
    folder = _folder()
    weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return weights, tokenizer


def embed(texts: list[str], dimensions: int = DIMENSIONS[-1]) -> Embedded:
    """Return one vector of length 1 for each text; of a text without a token, zeros."""
    weights, tokenizer = _loaded()
    vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
    tokens = 0
    for start in range(0, len(texts), _CHUNK):
        encoded = tokenizer.encode_batch(texts[start : start + _CHUNK], add_special_tokens=False)
        for place, one in enumerate(encoded, start):
            if len(one.ids) > CONTEXT_TOKENS:
                raise TooLong(place, len(one.ids))
            tokens += len(one.ids)
            if one.ids:
                vectors[place] = weights[one.ids, :dimensions].mean(axis=0, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embedded(vectors / np.where(lengths == 0, 1, lengths), tokens)
