"""Create a batch of messages from one request, in Anthropic's format."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from django.conf import settings

from console.batches.engine.parsing import LONGEST_ID
from console.batches.models import Batch, Purpose
from console.batches.services.batches import create_batch
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.batches.sql import NewLine
from console.core.errors import BadInput

ENDPOINT = "/v1/messages"
_FILENAME = "messages.jsonl"


def create_batch_of_messages(
    *, creator: Creator, requests: Iterable[Any], betas: Sequence[str] = (), metadata: dict[str, str] | None = None
) -> Batch:
    """Write requests down as the lines of a file and make a batch of them: BadInput names the one at fault.

    Each of `requests` is `{"custom_id": …, "params": …}`; they are read once, one at a time. What is wrong with the
    params of one is said in its own result, and the others are sent. `betas` are what `anthropic-beta` named,
    `metadata` is what all are for.
    """
    more = {"betas": list(betas)} if betas else {}
    lines: list[NewLine] = []

    def content() -> Iterator[bytes]:
        offset = 0
        for number, request in enumerate(_checked(requests), 1):
            named = {"custom_id": request["custom_id"], "method": "POST", "url": ENDPOINT}
            line = orjson.dumps(named | {"body": request["params"]} | more)
            lines.append(NewLine(number, request["custom_id"], offset, len(line)))
            offset += len(line) + 1
            yield line + b"\n"

    file = upload_file(creator=creator, filename=_FILENAME, purpose=Purpose.BATCH.value, content=content())
    return create_batch(creator=creator, file=file, endpoint=ENDPOINT, metadata=metadata, lines=lines)


def _checked(requests: Iterable[Any]) -> Iterator[dict[str, Any]]:
    seen: dict[str, int] = {}
    for place, request in enumerate(requests):
        at = f"requests[{place}]"
        if place == settings.BATCH_MAX_LINES:
            raise BadInput(f"A batch has at most {settings.BATCH_MAX_LINES:,} requests.", param="requests")
        if not isinstance(request, dict) or not isinstance(request.get("params"), dict):
            raise BadInput("A request is an object with custom_id and params, an object.", param=at)
        custom_id = request.get("custom_id")
        if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_ID:
            raise BadInput(f"It must be a text of 1 to {LONGEST_ID} characters.", param=f"{at}.custom_id")
        if (first := seen.setdefault(custom_id, place)) != place:
            message = f"{custom_id[:60]!r} is the custom_id of requests[{first}] as well."
            raise BadInput(message, param=f"{at}.custom_id")
        yield request
    if not seen:
        raise BadInput("requests is a list of at least one {custom_id, params}.", param="requests")
