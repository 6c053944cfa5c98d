"""The verdict of one check on one answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from console.core.errors import ProviderError, Refusal
from console.evals import model_checks
from console.evals.checks import NEEDS_CALL, Spec, Verdict, look
from console.gateway.answer_reader import AnswerReader

# Makes a call: the operation (chat, embedding) and its body; gives the answer's body.
AskModel = Callable[[str, dict[str, Any]], Awaitable[bytes]]


async def verdict_on(check: Spec, expected: str, output: str, ask: AskModel) -> Verdict:
    """Return what a check says. One that cannot be made has not passed: nobody knows that it would."""
    if check["kind"] not in NEEDS_CALL:
        return await asyncio.to_thread(look, check, output, expected)
    try:
        if check["kind"] == "judge":
            said = await ask("chat", model_checks.judge_body(check["alias"], check["value"], output))
            return model_checks.read_verdict(AnswerReader().read(said))
        body = model_checks.embedding_body(check["alias"], check["value"] or expected, output)
        return model_checks.read_similarity(await ask("embedding", body), check["threshold"])
    except (Refusal, ProviderError) as error:
        return Verdict(False, error.message, was_made=False)
    except (ValueError, KeyError, IndexError, TypeError):
        return Verdict(False, "The answer to this check cannot be read.")
