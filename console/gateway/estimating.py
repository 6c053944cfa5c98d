"""What a call can come to, before it is made: for limits that lie outside quotas and must hold beforehand."""

from typing import NamedTuple

import orjson
from django.conf import settings

from console.gateway.agents import with_agent
from console.gateway.naming import resolve
from console.gateway.operations import OPERATIONS
from console.gateway.prompting import prompted
from console.gateway.refusing import Identify
from console.gateway.running import gateway
from console.gateway.types import Ask


class Most(NamedTuple):
    tokens: int
    cost_micros: int  # 0 where no version that may answer has a price


async def most(identify: Identify, ask: Ask) -> Most:
    """Return the most a call can use, whichever version of its pin answers; raises Refusal where it could not begin."""
    snapshot = await gateway().snapshots.get()
    asker = identify(snapshot)
    filled = await prompted(snapshot, asker, with_agent(snapshot, asker, ask))
    _, pin = resolve(snapshot, asker, filled.model)
    operation = OPERATIONS[filled.operation]
    body, output = operation.fit(filled, pin, settings.GATEWAY_MAX_OUTPUT_TOKENS)
    prompt = operation.prompt_tokens(filled)
    sent = orjson.dumps(body)
    prices = [version.price_at(ask.at) for version in pin.versions]
    return Most(prompt + output, max((price.most(prompt, output, sent) for price in prices if price), default=0))
