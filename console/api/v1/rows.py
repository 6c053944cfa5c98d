"""Routes of /v1/ that read and write rows instead of calling a model: who asks, lists by page, and the way to a thread.

What they refuse is recorded like every other refusal; what they change or read is recorded by the services.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connections
from django.db.models import QuerySet
from django.http import Http404

from console.api.v1.asks import uncalled
from console.api.v1.request import Request
from console.core.clock import now
from console.core.errors import BadInput, NotAllowed, NotFound, Refusal, Unavailable
from console.core.parsing import number
from console.core.races import lost
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.types import Ask, Asker
from console.teams.callers import Caller, caller_of

_Result = TypeVar("_Result")
# After what a request that waits looks again while the database is away.
AWAY_SECONDS = 2.0


class Client(NamedTuple):
    """Who sends such a request, once the key is known."""

    request: Request
    identify: KeyIdentity
    ask: Ask
    asker: Asker

    @property
    def caller(self) -> Caller:
        key = self.asker.key
        assert key is not None
        return caller_of(key, self.request.client_address, request_id=self.request.id)

    def refreshed(self) -> "Client":
        """Return who asks as this process knows them now; NotAllowed when the key's access has ended meanwhile."""
        gateway = pipeline.current_gateway()
        gateway.refresh_soon()
        snapshot, key = gateway.snapshots.current, self.asker.key
        if snapshot is None or key is None:
            return self
        latest = snapshot.keys_by_id.get(key.id)
        if latest is None or not latest.may_go_on(now(), self.request.client_address):
            raise NotAllowed("The key's access ended during the request.", code="access_ended")
        return self._replace(asker=self.asker._replace(key=latest))

    async def refuse(self, refusal: Refusal) -> Refusal:
        return await pipeline.refuse(self.identify, self.ask, refusal, started=self.request.started)

    async def do(self, work: Callable[..., _Result], *given: Any, **named: Any) -> _Result:
        """Run work that needs the database in a thread; refusals are put on record."""
        try:
            return await asyncio.to_thread(with_database, work, *given, **named)
        except Refusal as refusal:
            raise await self.refuse(refusal) from None

    async def look(self, work: Callable[..., _Result], *given: Any) -> _Result | None:
        """Read for a request that waits already; None while the database is away, which it waits for as well."""
        try:
            return await asyncio.to_thread(with_database, work, *given)
        except Unavailable:
            return None
        except Refusal as refusal:
            raise await self.refuse(refusal) from None


def with_database(work: Callable[..., _Result], *given: Any, **named: Any) -> _Result:
    try:
        return work(*given, **named)
    except Http404 as missing:
        raise NotFound(str(missing)) from None
    except PermissionDenied as denied:
        raise NotAllowed(str(denied)) from None
    except Exception as error:
        if (refusal := lost(error)) is not None:
            raise refusal from error
        if isinstance(error, (OperationalError, InterfaceError)):
            raise Unavailable("The console cannot reach its database right now; try again.", retry_after=2) from error
        raise
    finally:
        connections.close_all()


async def authenticate(request: Request, type: str, route: str) -> Client:
    """Return who asks; raise the refusal, recorded, when the key is no good."""
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = uncalled(request, type, route)
    if request.problem is not None:
        raise await pipeline.refuse(identify, ask, request.problem, started=request.started, is_for_anybody=True)
    _, asker = await pipeline.look_up(identify, ask, started=request.started)
    return Client(request, identify, ask, asker)


def identifier(text: str, prefix: str, noun: str) -> uuid.UUID:
    """Return the id in `file-…` or `batch_…`; what cannot be one names nothing."""
    try:
        if text.startswith(prefix):
            return uuid.UUID(hex=text.removeprefix(prefix))
    except ValueError:
        pass
    raise NotFound(f"There is no such {noun}.")


def unix(moment: dt.datetime | None) -> int | None:
    """Return a time in whole seconds, as OpenAI writes it."""
    return int(moment.timestamp()) if moment is not None else None


class Paging(NamedTuple):
    after: str
    limit: int
    is_ascending: bool
    others: dict[str, str]


def paging(request: Request, *, usual: int, most: int) -> Paging:
    parameters = dict(parse_qsl(request.query.decode("latin-1")))
    limit, order = number(parameters.pop("limit", str(usual)), 0), parameters.pop("order", "desc")
    if not 1 <= limit <= most:
        raise BadInput(f"limit is a number from 1 to {most:,}.", param="limit")
    if order not in {"asc", "desc"}:
        raise BadInput("order is asc or desc.", param="order")
    return Paging(parameters.pop("after", ""), limit, order == "asc", parameters)


def page(rows: QuerySet[Any], by: Paging, prefix: str, noun: str, shape: Callable[[Any], Any]) -> dict[str, Any]:
    """Return one page in OpenAI's shape. Ids grow with time, so the last one seen is the cursor."""
    if by.after:
        last = identifier(by.after, prefix, noun)
        rows = rows.filter(pk__gt=last) if by.is_ascending else rows.filter(pk__lt=last)
    items = list(rows.order_by("pk" if by.is_ascending else "-pk")[: by.limit + 1])
    shapes = [shape(row) for row in items[: by.limit]]
    return {
        "object": "list",
        "data": shapes,
        "first_id": shapes[0]["id"] if shapes else None,
        "last_id": shapes[-1]["id"] if shapes else None,
        "has_more": len(items) > by.limit,
    }
