"""Parse and validate one line of an input file."""

import datetime as dt
import uuid
from typing import Any, NamedTuple

import orjson

from console.batches.endpoints import ENDPOINTS
from console.core import strict_json
from console.core.errors import BadInput
from console.gateway.asks import end_user_of, make_ask, metadata_of
from console.gateway.operations import OPERATIONS
from console.gateway.shapes.messages import betas_in
from console.gateway.types import Ask

LONGEST_ID = 512
_MEMBERS = {"custom_id", "method", "url", "body"}


class Parsed(NamedTuple):
    """`body` is checked and ready; `text` is as it was sent."""

    custom_id: str
    body: dict[str, Any]
    text: str
    betas: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line as it stands in its file: whether its body is a call of the endpoint is not asked."""

    custom_id: str
    body: Any
    betas: tuple[str, ...]


def parse(raw: bytes, endpoint: str) -> Parsed:
    """Return a line's call; BadInput says what is wrong with the line, and `param` which member it is."""
    custom_id, body, betas = read(raw, endpoint)
    if not isinstance(body, dict):
        raise BadInput("body must be an object.", param="body")
    if body.get("stream"):
        raise BadInput("A line of a batch is not streamed; leave stream out.", param="body.stream")
    text = orjson.dumps(body).decode()
    return Parsed(custom_id, OPERATIONS[ENDPOINTS[endpoint]].check(body), text, betas)


def read(raw: bytes, endpoint: str) -> Line:
    """Return what a line says, if it is one that belongs to a batch of this endpoint; else BadInput."""
    try:
        value, _ = strict_json.loads(raw)
    except BadInput as wrong:
        raise BadInput(wrong.message.replace("The body", "The line", 1), code="invalid_json_line") from None
    if not isinstance(value, dict):
        raise BadInput("The line is not a JSON object.", code="invalid_json_line")
    for name in sorted(_MEMBERS - value.keys()):
        raise BadInput(f"The line has no {name}.", param=name, code="missing_required_parameter")
    custom_id = value["custom_id"]
    if not isinstance(custom_id, str) or not custom_id or len(custom_id) > LONGEST_ID:
        raise BadInput(f"custom_id must be a text of 1 to {LONGEST_ID} characters.", param="custom_id")
    if value["method"] != "POST":
        raise BadInput("method must be POST.", param="method", code="invalid_method")
    if value["url"] != endpoint:
        message = f"url must be {endpoint}, the endpoint of the batch."
        raise BadInput(message, param="url", code="mismatched_endpoint")
    betas = value.get("betas", [])
    if not isinstance(betas, list) or not all(isinstance(beta, str) for beta in betas):
        raise BadInput("betas is a list of texts.", param="betas")
    return Line(custom_id, value["body"], betas_in(betas))


def ask_for(
    parsed: Parsed,
    endpoint: str,
    *,
    request_id: uuid.UUID,
    at: dt.datetime,
    client_address: str,
    metadata: dict[str, str],
) -> Ask:
    """Return the call a line is; it is for what its batch is (`metadata`), but for what it says itself."""
    return make_ask(
        ENDPOINTS[endpoint],
        parsed.body,
        text=parsed.text,
        id=request_id,
        at=at,
        surface="batch",
        route=endpoint,
        lane="batch",
        is_keyed=True,  # so that the log keeps the whole answer, for a worker that has to read it there
        client_address=client_address,
        client_request_id=parsed.custom_id[:200],
        betas=parsed.betas,
        end_user=end_user_of(ENDPOINTS[endpoint], parsed.body),
        metadata=metadata_of(ENDPOINTS[endpoint], parsed.body, metadata),
    )
