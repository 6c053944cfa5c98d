"""Embeddings of the OpenAI wire format: validate, sort, encode as requested."""

import base64
import binascii
import math
import struct
from hashlib import sha256
from typing import Any

import orjson

from console.core.errors import ProviderError
from console.providers.openai.stream import usage_of
from console.providers.types import Embedded

_BYTES_PER_NUMBER = 4


def _invalid(message: str) -> ProviderError:
    return ProviderError(message, code="upstream_invalid")


def read(raw: bytes, *, count: int, as_base64: bool) -> Embedded:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _invalid("The provider's answer is not JSON.") from None
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _invalid("The provider's answer holds no embeddings.")
    rows = _in_order(rows, count)
    vectors = [_vector(row.get("embedding")) for row in rows]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1:
        raise _invalid("The provider's answer holds embeddings of different lengths.")
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": place, "embedding": _encoded(row["embedding"], vector, as_base64=as_base64)}
        for place, (row, vector) in enumerate(zip(rows, vectors, strict=True))
    ]
    usage = answer.get("usage")
    head = {"object": "list", "model": answer.get("model")}
    summary = {
        **head,
        "embeddings": {
            "count": count,
            "dimensions": lengths.pop() // _BYTES_PER_NUMBER,
            "encoding_format": "base64" if as_base64 else "float",
            "sha256": sha256(b"".join(vectors)).hexdigest(),
        },
        "usage": usage,
    }
    return Embedded(orjson.dumps({**head, "data": data, "usage": usage}), usage_of(usage), summary)


def _in_order(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the rows by their index; those of a provider that gives none are in the order of the texts."""
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if not all(type(place) is int for place in places) or sorted(places) != list(range(count)):
        raise _invalid(f"The provider's answer does not hold {count:,} embeddings, one for each input.")
    return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda pair: pair[0])]


def _vector(value: Any) -> bytes:
    """Return an embedding as little-endian float32, whichever way the provider wrote it."""
    if isinstance(value, str):
        try:
            vector = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise _invalid("The provider's answer holds an embedding that is not base64.") from None
    elif isinstance(value, list):
        try:
            vector = struct.pack(f"<{len(value)}f", *value)
        except (struct.error, OverflowError):
            raise _invalid("The provider's answer holds an embedding of something else than numbers.") from None
    else:
        raise _invalid("The provider's answer holds an embedding that is neither numbers nor base64.")
    if not vector or len(vector) % _BYTES_PER_NUMBER:
        raise _invalid("The provider's answer holds an embedding of no whole length.")
    return vector


def _encoded(value: Any, vector: bytes, *, as_base64: bool) -> Any:
    """Return an embedding in the encoding asked for; what the provider wrote when it is that."""
    if as_base64:
        return value if isinstance(value, str) else base64.b64encode(vector).decode()
    if isinstance(value, list):
        return value
    unpacked = struct.unpack(f"<{len(vector) // _BYTES_PER_NUMBER}f", vector)
    if not all(map(math.isfinite, unpacked)):
        raise _invalid("The provider's answer holds an embedding with something that is not a number.")
    return unpacked
