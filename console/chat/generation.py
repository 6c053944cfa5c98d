"""Generate an answer on the gateway's thread, through the pipeline, whether or not the browser stays.

1. The message is there already, as `writing` and with a lease, so a process that dies leaves something to find.
2. Words go to the pages of this process at once, and to the database several times a second, with a longer lease.
3. Whoever stops it changes the row; the process that writes notices within a moment, wherever the stop came from.
4. The end is written once, with what it cost. A lease that ran out is for the sweeper.
"""

import asyncio
import datetime as dt
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.types.json import Jsonb

from console.chat import error_text, sql
from console.chat.live import BEING_WRITTEN, Live
from console.chat.models import Message
from console.core.clock import now
from console.core.errors import ProviderError, Refusal
from console.gateway import pipeline, sync
from console.gateway.answer_reader import AnswerReader
from console.gateway.connection import Connection
from console.gateway.continuation import may_person_continue
from console.gateway.refusals import Identify
from console.gateway.types import Ask, Call

log = logging.getLogger(__name__)

_KEEP_SECONDS = 0.4
# Of more answers than this each is kept less often, all of them still long before their leases end.
_KEPT_AT_EASE, _KEEP_SECONDS_AT_MOST = 100, 4.0
# An answer without new words is looked at this seldom: for a stop from elsewhere, and for its lease.
_LOOK_SECONDS = 2.0
_ENDING_TRIES = 10

Status = Message.Status


@dataclass(slots=True)
class Ending:
    """How an answer ended, and what is known of its call."""

    status: str
    trouble: str = ""
    call: Call | None = None
    reader: AnswerReader = field(default_factory=AnswerReader)

    def fields(self, live: Live, ask: Ask) -> dict[str, Any]:
        call, usage = self.call, self.reader.usage
        agent = call.plan.ask.agent if call else None
        until = (call.answered if call and call.answered else time.perf_counter()) if call else 0
        return {
            "id": live.id,
            "status": self.status,
            "trouble": self.trouble[:500],
            "text": live.text,
            "request_id": ask.id,
            "model": call.plan.version.label if call else "",
            "sources": Jsonb(call.plan.ask.knowledge.sources if call and call.plan.ask.knowledge else []),
            "agent_version_id": agent.version_id if agent else None,
            "prompt_tokens": usage.prompt if usage else 0,
            "completion_tokens": usage.completion if usage else 0,
            "cost_micros": call.cost_micros if call else 0,
            "latency_us": round((until - call.started) * 1_000_000) if call else None,
            "first_token_us": round((call.first_token - call.started) * 1_000_000)
            if call and call.first_token
            else None,
        }


def lease() -> dt.datetime:
    """Return until when an answer counts as being written without another word of its process."""
    return now() + dt.timedelta(seconds=settings.CHAT_LEASE_SECONDS)


def start(message_id: uuid.UUID, identify: Identify, ask: Ask) -> None:
    """Begin to write an answer whose row is committed; returns at once."""
    sync.start(_write(message_id, identify, ask))


def stop(message_id: uuid.UUID) -> None:
    """End an answer now if this process writes it; another one finds out from the row."""
    if live := BEING_WRITTEN.get(message_id):
        live.cut(Status.STOPPED)


def stop_all(seconds: float = 3.0) -> None:
    """End every answer of this process, because it stops; what there is of them is kept."""
    for live in tuple(BEING_WRITTEN.values()):
        live.cut(Status.INTERRUPTED)
    latest = time.monotonic() + seconds
    while BEING_WRITTEN and time.monotonic() < latest:
        time.sleep(0.05)
    if _connections:
        sync.run(_close())


async def _close() -> None:
    """Close this loop's connection; the next answer makes another."""
    for connection in tuple(_connections.values()):
        await connection.close()
    _connections.clear()


# What happens after a whole answer, in a thread of its own: its conversation gets a title, say.
AFTERWARDS: list[Callable[[uuid.UUID], None]] = []


def _aside(listener: Callable[[uuid.UUID], None], message_id: uuid.UUID) -> None:
    try:
        listener(message_id)
    except Exception:
        log.exception("What comes after an answer failed; the answer is whole.")
    finally:
        connections.close_all()


async def _write(message_id: uuid.UUID, identify: Identify, ask: Ask) -> None:
    live = BEING_WRITTEN[message_id] = Live(message_id)
    ending = Ending(Status.FAILED, error_text.OUR_FAULT)
    live.task = asyncio.create_task(_ask(live, ending, identify, ask))
    _keep_soon()
    try:
        await asyncio.wait({live.task})
        if live.task.cancelled():
            ending.status = live.cut_as or Status.INTERRUPTED
            ending.trouble = _WHY_CUT.get(ending.status, "")
        await _end(ending.fields(live, ask))
        if ending.status == Status.DONE:
            for listener in AFTERWARDS:
                await asyncio.to_thread(_aside, listener, message_id)
    finally:
        BEING_WRITTEN.pop(message_id, None)
        live.finish()
        _keep_no_more()


_WHY_CUT: dict[str, str] = {
    Status.REFUSED: error_text.ACCESS_ENDED,
    Status.INTERRUPTED: error_text.INTERRUPTED,
}


async def _ask(live: Live, ending: Ending, identify: Identify, ask: Ask) -> None:
    """Make the call and note in `ending` how it went; a cancelled task was cut from our side."""
    try:
        live.call = ending.call = await pipeline.open_call(identify, ask)
        async with aclosing(await pipeline.stream(ending.call)) as frames:
            async for frame in frames:
                if words := ending.reader.feed(frame):
                    live.add(words)
    except Refusal as refusal:
        ending.status, ending.trouble = Status.REFUSED, error_text.of_refusal(refusal)
    except ProviderError as error:
        ending.trouble = error_text.of_provider(error)
    except Exception:
        log.exception("An answer could not be written.")
    else:
        ending.status = Status.DONE
        ending.trouble = error_text.TOO_LONG if ending.reader.finish == "length" else ""


async def _end(fields: dict[str, Any]) -> None:
    """Write the end; try for a while when the database is away, then leave it to the sweeper."""
    for _ in range(_ENDING_TRIES):
        try:
            await _connection().run(lambda link: sql.end(link, fields))
        except (psycopg.Error, OSError):
            await asyncio.sleep(1)
        else:
            return
    log.error("The end of an answer could not be written.")


# Keeping what there is ------------------------------------------------------------------------------------------------

_connections: dict[asyncio.AbstractEventLoop, Connection] = {}
_keeping: asyncio.Task[None] | None = None


def _connection() -> Connection:
    loop = asyncio.get_running_loop()
    if loop not in _connections:
        for abandoned in _connections.values():
            abandoned.drop()
        _connections.clear()
        _connections[loop] = Connection("chat")
    return _connections[loop]


def _keep_soon() -> None:
    global _keeping
    if _keeping is None or _keeping.done() or _keeping.get_loop() is not asyncio.get_running_loop():
        _keeping = asyncio.create_task(_keep())


def _keep_no_more() -> None:
    """End the keeping with the last answer: asleep, it would outlive the loop of a process that stops."""
    global _keeping
    if not BEING_WRITTEN and _keeping is not None:
        _keeping.cancel()
        _keeping = None


def _keep_pause(count: int) -> float:
    most = min(_KEEP_SECONDS_AT_MOST, settings.CHAT_LEASE_SECONDS / 4)
    return min(most, _KEEP_SECONDS * max(1.0, count / _KEPT_AT_EASE))


async def _keep() -> None:
    """Keep all answers of this process, until there are none."""
    while BEING_WRITTEN:
        await asyncio.sleep(_keep_pause(len(BEING_WRITTEN)))
        moment = time.monotonic()
        seldom = min(_LOOK_SECONDS, settings.CHAT_LEASE_SECONDS / 4)
        due = [
            live
            for live in tuple(BEING_WRITTEN.values())
            if len(live.text) > len(live.kept) or moment - live.kept_at > seldom
        ]
        for live in due:
            if live.call is not None and not may_person_continue(live.call):
                live.cut(Status.REFUSED)
        if due:
            with suppress(psycopg.Error, OSError):  # the lease is longer than a short absence of the database
                await _keep_all(due, moment)


async def _keep_all(due: list[Live], moment: float) -> None:
    texts = [(live.id, live.text) for live in due]
    changed = [
        (one, text if len(text) > len(live.kept) else None) for live, (one, text) in zip(due, texts, strict=True)
    ]
    going_on = await _connection().run(lambda link: sql.keep(link, changed, lease()))
    for live, (_, text) in zip(due, texts, strict=True):
        live.kept, live.kept_at = text, moment
        if live.id not in going_on:
            live.cut(Status.STOPPED)
