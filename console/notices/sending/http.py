"""Send notices by HTTP, within limits of size and time, through the guarded client."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from django.conf import settings

from console import outbound
from console.core import signing
from console.core.clock import now
from console.core.crypto import decrypt
from console.core.errors import ProviderError
from console.core.hidden_characters import spelled
from console.core.scrub import scrub
from console.notices.models import Channel, Notice
from console.notices.sending import payloads
from console.notices.sending.outcome import BROKEN, Outcome
from console.outbound import Deadlines

log = logging.getLogger(__name__)

_SECONDS, _READ_SECONDS, _LIMIT, _SHOWN = 10.0, 5.0, 64 * 1024, 200
_LONGEST_WAIT = 3600
# What is shorter stands in many words by chance.
_SHORTEST_SECRET = 6
# Answers that may be another one a moment later; every other refusal is meant.
_PASSING = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Post:
    """One request, ready to go. `is_tool`: a team chose the address, operators' private networks are closed to it."""

    url: str
    headers: dict[str, str]
    body: bytes
    is_tool: bool


def by_channel(notice: Notice, channel: Channel, identity: str) -> Post:
    """Return the request to a channel; SecretUnreadable when its address cannot be read."""
    is_signed = channel.kind == Channel.Kind.WEBHOOK
    body = payloads.own_format(notice) if is_signed else payloads.slack(notice)
    headers = _headers(identity)
    if is_signed:
        at, secret = int(time.time()), decrypt(channel.secret)
        headers |= signing.standard(secret, identity, body, at)
        headers["X-Facet-Signature"] = signing.sign(secret, body, at)
    return Post(decrypt(channel.url), headers, body, is_tool=channel.team_id is not None)


def by_setting(notice: Notice, identity: str) -> Post:
    """Return the request to APPROVAL_WEBHOOK_URL, whose body is the facts alone."""
    body = json.dumps(notice.facts).encode()
    signature = signing.sign(settings.APPROVAL_WEBHOOK_SECRET, body, int(time.time()))
    headers = _headers(identity) | {"X-Facet-Signature": signature}
    return Post(settings.APPROVAL_WEBHOOK_URL, headers, body, is_tool=False)


def _headers(identity: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Idempotency-Key": identity, "X-Facet-Delivery": identity}


def post(posts: list[Post]) -> list[Outcome]:
    """Send all side by side, and return how each went."""
    return asyncio.run(_all(posts)) if posts else []


async def _all(posts: list[Post]) -> list[Outcome]:
    try:
        return await asyncio.gather(*[_guarded(one) for one in posts])
    finally:
        await outbound.close()


async def _guarded(post: Post) -> Outcome:
    """One that breaks must not take along what is sent beside it."""
    try:
        return await _send(post)
    except Exception:
        log.exception("One notice could not be posted; the others go on.")
        return BROKEN


async def _send(one: Post) -> Outcome:
    try:
        async with asyncio.timeout(_SECONDS):
            reply = await outbound.request(
                "POST",
                one.url,
                headers=one.headers,
                deadlines=Deadlines(_SECONDS, _SECONDS),
                body=one.body,
                is_tool=one.is_tool,
            )
    except ProviderError as error:
        return Outcome(outbound.sentence(error, "the server"), is_final=error.permanent)
    except TimeoutError:
        return Outcome("The server took too long.")
    try:
        # Its head has said whether it was taken; a body that breaks off or never ends makes no difference.
        said = await _read(reply)
    finally:
        reply.close()
    return _judge(reply.status, reply.retry_after, _without_address(said, one.url))


async def _read(reply: outbound.Reply) -> str:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            content = await reply.read(_LIMIT)
    except (ProviderError, TimeoutError):
        return ""
    text = " ".join(spelled(content.decode(errors="replace")).split())
    return scrub(text)[0][:_SHOWN] if "<html" not in text.lower() else ""


def _without_address(text: str, url: str) -> str:
    """Return an answer without what it repeats of the address, which may be all it takes to post there."""
    parts = urlsplit(url)
    pieces = {url, parts.path, parts.query, *parts.path.split("/"), *parts.query.replace("&", "=").split("=")}
    for piece in sorted((piece for piece in pieces if len(piece) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(piece, "[address]")
    return text


def _judge(status: int, retry_after: str, text: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status=status, said=text)
    if 300 <= status < 400:
        return Outcome(
            f"It answered {status}: redirects are not followed, write the address it leads to.", is_final=True
        )
    problem = f"It answered {status}: {text}" if text else f"It answered {status}."
    if status >= 500 or status in _PASSING:
        return Outcome(problem, wait_seconds=_seconds(retry_after))
    return Outcome(problem, is_final=True)


def _seconds(retry_after: str) -> int:
    """Return how long the other side wants to be left alone, at most an hour; 0 when it did not say so."""
    if retry_after.isdecimal():
        return min(int(retry_after[:6]), _LONGEST_WAIT)
    try:
        wanted = (parsedate_to_datetime(retry_after) - now()).total_seconds()
    except (TypeError, ValueError):
        return 0
    return int(min(max(wanted, 0), _LONGEST_WAIT))
