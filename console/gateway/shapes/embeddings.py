"""The body of an embeddings request."""

from typing import Any

from console.core.errors import BadInput
from console.gateway.shapes import fields, prompts

KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user", "input_type", "truncate"})
WITHHELD = frozenset({"metadata"})

_CHECKS: dict[str, fields.Check] = {
    "dimensions": fields.whole_number(1, 100_000),
    "user": fields.text,
    **fields.METADATA,
}


def check(value: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    body = fields.model(value)
    prompts.check(body.get("input"), param="input")
    fields.check_members(body, _CHECKS)
    if body.get("encoding_format") not in (None, "float", "base64"):
        raise BadInput("encoding_format must be float or base64.", param="encoding_format")
    if body.get("stream"):
        raise BadInput("Embeddings are not streamed.", param="stream")
    return fields.theirs(body)
