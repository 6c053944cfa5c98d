"""Ask one set-up and stream events of its answer. However the listener leaves, the upstream call ends with it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.conf import settings
from django.db import Error

from console.core import formatting
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.core.ids import request_id
from console.gateway import pipeline
from console.gateway.answer_reader import AnswerReader
from console.gateway.continuation import may_person_continue
from console.gateway.refusals import Identify
from console.gateway.types import Ask, Call
from console.playground.events import Event
from console.teams.signed_in import open_sessions

log = logging.getLogger(__name__)

_OUR_FAULT = "Something broke on our side. Nothing you typed is lost; run it again."
# Between two looks at whether the person may still make the call, and is still signed in.
_LOOK_SECONDS, _SESSION_SECONDS = 1.0, 3.0
# How far the answer may run ahead of a slow reader.
_MOST_WAITING = 100


class _Line:
    """What passes between the call and its listener."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue(_MOST_WAITING)
        self.call: Call | None = None

    async def say(self, event: Event | None) -> None:
        async with asyncio.timeout(settings.GATEWAY_WRITE_SECONDS):
            await self.events.put(event)


class _Right:
    """Whether the listener may still listen, asked once in a while, however much the model says."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._ask_at = time.monotonic() + _SESSION_SECONDS

    async def ended(self, call: Call | None) -> str:
        """Return why it is over; empty while it is not."""
        moment = time.monotonic()
        if moment >= self._look_at:
            self._look_at = moment + _LOOK_SECONDS
            if call is not None and not may_person_continue(call):
                return "You may not call this model for the team any more."
        if moment >= self._ask_at:
            try:
                is_open = bool(await in_thread(lambda: open_sessions([self._session])))
            except Error:  # the database is away: it stays as it is until it is back
                is_open = True
            self._ask_at = time.monotonic() + _SESSION_SECONDS
            if not is_open:
                return "You have been signed out."
        return ""


async def events(identify: Identify, ask: Ask, session: str) -> AsyncGenerator[Event | None, None]:
    """Yield the events of one call; None once a second while nothing happens, so that a listener can be kept awake.

    It ends with the right to make the call, and with the session it was made in.
    """
    line, right = _Line(), _Right(session)
    asking = asyncio.create_task(_ask(line, identify, ask))
    try:
        while True:
            event, is_silent = None, False
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    event = await line.events.get()
            except TimeoutError:
                if asking.done() and line.events.empty():
                    return
                is_silent = True
            if event is None and not is_silent:
                return
            if why := await right.ended(line.call):
                if line.call is not None:
                    line.call.cut_off = "access_ended"
                yield Event("error", {"message": why})
                return
            yield event
    finally:
        if not asking.done():
            if line.call is not None and not line.call.cut_off:
                line.call.has_client_left = True
            asking.cancel()
        await asyncio.wait({asking})


async def _ask(line: _Line, identify: Identify, ask: Ask) -> None:
    """Make the call and say what comes of it."""
    reader = AnswerReader()
    try:
        call = line.call = await pipeline.open_call(identify, ask)
        async with aclosing(await pipeline.stream(call)) as frames:
            await line.say(Event("start", _start(call)))
            async for frame in frames:
                if text := reader.feed(frame):
                    await line.say(Event("text", {"text": text}))
        if reader.calls:
            await line.say(Event("text", {"text": f"\n\n{reader.calls}" if reader.text else reader.calls}))
        await line.say(Event("end", _figures(call, reader)))
    except (Refusal, ProviderError) as error:
        await line.say(Event("error", {"message": error.message, "request": request_id(ask.id)}))
    except TimeoutError:  # a listener this slow is as good as gone
        return
    except Exception:
        log.exception("An answer of the playground could not be told.")
        await line.say(Event("error", {"message": _OUR_FAULT, "request": request_id(ask.id)}))
    await line.say(None)


def _start(call: Call) -> dict[str, str]:
    prompt = call.plan.ask.prompt
    return {
        "request": request_id(call.plan.ask.id),
        "model": call.plan.version.label,
        "prompt": prompt.ref if prompt else "",
    }


def _figures(call: Call, reader: AnswerReader) -> dict[str, str]:
    """Return what stands below an answer, as people read it."""
    tokens = reader.usage.prompt + reader.usage.completion if reader.usage else None
    first = call.first_token - call.started if call.first_token else None
    return {
        **_start(call),
        "first": f"{formatting.duration(first * 1_000_000)} first token" if first is not None else "",
        "total": formatting.duration((call.answered - call.started) * 1_000_000),
        "tokens": f"{formatting.tokens(tokens)} tokens" if tokens is not None else "",
        "cost": formatting.money(call.cost_micros, settings.CURRENCY) if call.plan.price else "No price",
        "note": "Cut off at its limit of tokens." if reader.finish == "length" else "",
    }
