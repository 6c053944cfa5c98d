"""The most a call can use and cost, before it is made: for limits besides quotas, such as a widget's."""

from typing import NamedTuple

import orjson
from django.conf import settings

from console.gateway.agents import with_agent
from console.gateway.operations import OPERATIONS
from console.gateway.prompts import with_prompt
from console.gateway.refusals import Identify
from console.gateway.resolution import resolve
from console.gateway.runtime import current_gateway
from console.gateway.types import Ask


class CostCeiling(NamedTuple):
    tokens: int
    cost_micros: int  # 0 where no version that may answer has a price


async def cost_ceiling(identify: Identify, ask: Ask) -> CostCeiling:
    """Return the most a call can use, whichever version of its pin answers; raises Refusal where it could not begin."""
    snapshot = await current_gateway().snapshots.get()
    asker = identify(snapshot)
    filled = await with_prompt(snapshot, asker, with_agent(snapshot, asker, ask))
    _, pin = resolve(snapshot, asker, filled.model)
    operation = OPERATIONS[filled.operation]
    body, output = operation.fit(filled, pin, settings.GATEWAY_MAX_OUTPUT_TOKENS)
    prompt = operation.prompt_tokens(filled)
    raw = orjson.dumps(body)
    prices = [version.price_at(ask.at) for version in pin.versions]
    return CostCeiling(prompt + output, max((price.most(prompt, output, raw) for price in prices if price), default=0))
