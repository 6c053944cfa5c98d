"""Test a provider's connection by asking for its models: the smallest real call there is."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.audit import actions
from console.audit.models import Status
from console.audit.services import record
from console.catalog.models import Provider
from console.catalog.names import MODEL
from console.catalog.services.health import note_failure
from console.core.clock import now
from console.core.crypto import SecretUnreadable, decrypt
from console.core.errors import ProviderError
from console.core.formatting import plural
from console.outbound import client
from console.providers.failures import without_secret
from console.providers.registry import KINDS
from console.providers.types import Endpoint
from console.teams.callers import Actor

_DEADLINES = client.Deadlines(connect=5, silence=10)
_TOTAL_SECONDS = 15
_LARGEST = 4 * 1024 * 1024
# More than any provider has today, and as many as a page can show and a person can tick.
MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went: a sentence for people, how long it took, and the models the provider names."""

    is_ok: bool
    sentence: str
    took_us: int
    models: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_out: int = 0  # names that are no names of models, and those beyond MOST_NAMED


def _nothing_at(base_url: str, asked: str) -> str:
    """Return a sentence that says what was asked, and of an address without a version what is mostly missing."""
    versioned = re.search(r"/v\d", urlsplit(base_url).path)
    hint = "Check the base URL." if versioned else f"Most base URLs end in /v1: try {base_url}/v1."
    return f"The provider has nothing at {asked} (404). {hint}"


async def _ask(kind: str, endpoint: Endpoint) -> list[str]:
    adapter = KINDS[kind]
    outgoing = adapter.models(endpoint)
    try:
        async with asyncio.timeout(_TOTAL_SECONDS):
            reply = await client.request("GET", outgoing.url, headers=dict(outgoing.headers), deadlines=_DEADLINES)
            try:
                raw = await reply.read(_LARGEST)
            finally:
                reply.close()
    except TimeoutError:
        raise ProviderError("The provider did not answer in time.", code="upstream_timeout") from None
    finally:
        await client.close()
    if reply.status == 404:
        raise ProviderError(_nothing_at(endpoint.base_url, outgoing.url), upstream_status=404)
    if reply.status != 200:
        raise adapter.failure(reply.status, without_secret(raw, endpoint.secret))
    return adapter.read_models(raw)


def check_connection(*, actor: Actor, provider: Provider) -> Outcome:
    """List the provider's models over the network and record how it went. No transaction is open meanwhile."""
    started = time.monotonic_ns()
    named: list[str] = []
    models: list[str] = []
    code = ""
    try:
        endpoint = Endpoint(provider.base_url, decrypt(provider.secret) if provider.secret else "")
        # A loop of its own: this runs in a worker thread, and the gateway's connections belong to the gateway's loop.
        named = asyncio.run(_ask(provider.kind, endpoint))
        models = list(dict.fromkeys(name for name in named if MODEL.fullmatch(name)))
        sentence, is_ok = f"It answered and names {plural(len(named), 'model')}.", True
    except ProviderError as error:
        sentence, is_ok, code = error.message, False, error.code
    except SecretUnreadable as error:
        sentence, is_ok, code = f"{error} Enter the secret again.", False, "secret_unreadable"
    took_us = (time.monotonic_ns() - started) // 1000
    known = provider.model_versions.filter(retired_at=None).values_list("name", flat=True)
    missing = sorted(set(known) - set(models)) if is_ok else []
    Provider.objects.filter(pk=provider.pk).update(tested_at=now(), was_test_ok=is_ok)
    if not is_ok:
        note_failure(provider_id=provider.pk, code=code, sentence=sentence)
    record(
        actions.PROVIDER_TESTED,
        actor=actor,
        target=provider,
        status=Status.OK if is_ok else Status.ERROR,
        reason="" if is_ok else sentence,
        detail={"models": len(named), "missing": missing} if is_ok else None,
    )
    shown = models[:MOST_NAMED]
    return Outcome(is_ok, sentence, took_us, shown, missing, left_out=len(named) - len(shown))
