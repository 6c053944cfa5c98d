"""The one ASGI application: /v1/ goes to the gateway's face, everything else through Django.

Django's handler costs ten times what the whole gateway does, so calls to models do not pass it. Both live in one
process, with the same settings, models and migrations.
"""

import asyncio
import gc
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import reverse

from console.core.bodies import FORM_FIELDS, bounded, stated_length
from console.core.preload import loading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
with loading():
    _django: Any = get_asgi_application()

    # These need the apps loaded.
    from console.api.v1.app import application as _v1
    from console.chat import generation
    from console.chat.embed import asgi as embed
    from console.chat.files import MOST_BYTES, MOST_FILES
    from console.evals import sampling
    from console.gateway import pipeline, sync
    from console.knowledge import files as documents
    from console.teams.keys import PREFIXES
    from console.teams.sessions import holds_key, is_signed_in

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TAKE_KEYS = ("/api/", "/health/", "/metrics")  # or take no notice of them
_API_OF_DOCUMENTS = "/api/knowledge/"
_KEY_HEADERS = (b"authorization", b"x-api-key")
_A_KEY = re.compile(rb"(?:bearer\s+)?(?:%s)" % "|".join(PREFIXES.values()).encode(), re.IGNORECASE).match


async def application(scope: _Scope, receive: _Receive, send: _Send) -> None:
    if scope["type"] == "http":
        if scope["path"].startswith("/v1/"):
            await _v1(scope, receive, send)
        elif scope["path"].startswith(embed.PREFIX):
            await embed.pass_on(_django, scope, receive, send)
        elif _has_strayed(scope):
            await _v1(scope, receive, send)  # which says where it belongs; a page would puzzle a program
        else:
            await _django(scope, bounded(scope, receive, await _most_bytes(scope)), send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _most_bytes(scope: _Scope) -> int:
    """Return how long a body may be: as long as files only where files are sent, and only by somebody signed in."""
    usual = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_FIELDS
    if scope["method"] != "POST":
        return usual
    wanted = _upload_bytes(scope["path"]) + FORM_FIELDS
    if wanted <= usual or (stated_length(scope) or wanted) <= usual:
        return usual
    if scope["path"].startswith(_TAKE_KEYS) and (keys := _keys(scope)):
        is_known = await asyncio.to_thread(holds_key, keys)
    else:
        is_known = await asyncio.to_thread(is_signed_in, _cookies(scope))
    return wanted if is_known else usual


def _upload_bytes(path: str) -> int:
    """Return how long the files may be that are sent to a page."""
    if path in {reverse("batches:new_batch"), reverse("api:batches")}:
        return settings.FILE_MAX_BYTES
    if path.startswith((reverse("knowledge:collections"), _API_OF_DOCUMENTS)):
        return documents.MOST_BYTES
    if path in {reverse("evals:new_dataset"), reverse("api:datasets")}:
        return sampling.MOST_BYTES
    if path == reverse("playground:bench"):  # with the pictures that stand on it already
        return MOST_FILES * MOST_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return MOST_FILES * MOST_BYTES if path.startswith(reverse("chat:chat")) else 0


def _has_strayed(scope: _Scope) -> bool:
    """Return whether a key came to the pages, which take none: mostly from a client whose base URL lacks /v1."""
    if scope["path"].startswith(_TAKE_KEYS):
        return False
    return any(name in _KEY_HEADERS and _A_KEY(value) for name, value in scope["headers"])


def _keys(scope: _Scope) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name in _KEY_HEADERS]


def _cookies(scope: _Scope) -> str:
    return b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")


def settle_memory() -> None:
    """Keep what start-up made out of garbage collection: going through all of it holds up every stream for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _end_answers() -> None:
    """Keep what there is of answers nobody waits for at a connection, and write the ends of their calls."""
    generation.stop_all()
    sync.stop()


async def _lifespan(receive: _Receive, send: _Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            settle_memory()
            pipeline.current_gateway().ledger.start()  # what the process before this one left open is ended by this one
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(_end_answers)
            await pipeline.stop()  # end records that still wait are written before the process goes
            await send({"type": "lifespan.shutdown.complete"})
            return
