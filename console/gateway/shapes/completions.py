"""The body of a text completion request, the older form of the wire format."""

from typing import Any

from console.core.errors import BadInput
from console.gateway.shapes import fields, prompts

KNOWN = frozenset(
    {
        "model",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "best_of",
        "echo",
        "suffix",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "user",
        "top_k",
        "min_p",
        "repeat_penalty",
    }
)
WITHHELD = frozenset({"metadata"})

_CHECKS = {
    "n": fields.whole_number(1, 16),
    "best_of": fields.whole_number(1, 20),
    "max_tokens": fields.whole_number(0, 10_000_000),
    "logprobs": fields.whole_number(0, 5),
    "temperature": fields.number,
    "top_p": fields.number,
    "presence_penalty": fields.number,
    "frequency_penalty": fields.number,
    "echo": fields.truth,
    "user": fields.text,
    **fields.STREAMING,
    **fields.METADATA,
}


def check(value: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    body = fields.model(value)
    prompts.check(body.get("prompt"), param="prompt")
    fields.check_members(body, _CHECKS)
    if not isinstance(body.get("suffix"), str | None):
        raise BadInput("suffix must be a text.", param="suffix")
    best_of = body.get("best_of")
    if best_of is not None and best_of < (body.get("n") or 1):
        raise BadInput("best_of must be at least n: it is how many answers n are chosen from.", param="best_of")
    if best_of is not None and best_of > 1 and body.get("stream"):
        raise BadInput("best_of cannot be streamed: the best is known when all are complete.", param="best_of")
    return fields.theirs(body)
