"""Ask a candidate one item of a dataset, and compare its answer with the recorded one."""

from functools import partial
from typing import Any

from console.audit.redaction import redact, storable
from console.catalog.models import Pin
from console.core.connections import in_thread
from console.core.errors import BadInput, NotFound, ProviderError, Refusal
from console.evals import answers, model_checks
from console.evals.calls import Answer, OutcomeCalls
from console.evals.checks import Spec
from console.evals.engine import identity_of
from console.evals.lease import Kind
from console.evals.models import DatasetItem, Replay, ReplayResult, named_model
from console.evals.records import at_provider
from console.evals.scoring import asking, judged, verdict
from console.gateway.operations import OPERATIONS
from console.gateway.operations.lengths import NAMES
from console.teams.models import Environment
from prompts_app.queries.preview import variables_of

_NEEDS_EXPECTED = frozenset({"equals", "similarity"})


def target_of(replay: Replay, item: DatasetItem) -> tuple[str, str]:
    """Return which model an item asks, and in which environment."""
    if replay.model:
        return replay.model, replay.environment
    return item.alias, item.environment


def checks_of(replay: Replay, item: DatasetItem, *, of_record: bool = False) -> list[Spec]:
    """Return the checks that can be made of an answer to an item.

    One that compares with the expected answer says nothing where there is none, nor of that answer itself.
    """
    has_expected = bool(item.expected) and not of_record
    return [
        check
        for check in replay.checks
        if has_expected or check["kind"] not in _NEEDS_EXPECTED or check["value"].strip()
    ]


def body_of(replay: Replay, item: DatasetItem) -> dict[str, Any]:
    """Return the call's body: as it was recorded, or with another version of its prompt."""
    model, environment = target_of(replay, item)
    named = named_model(model, environment)
    if replay.version is None:
        return {**_under(item, model, environment), **item.body, "model": named}
    body = {name: value for name, value in item.body.items() if name != "messages"}
    said = item.body.get("messages", [])[item.prompt.get("messages", 0) :]
    if said:
        body["messages"] = said
    known = {one["name"] for one in variables_of(replay.version)}
    variables = {name: value for name, value in item.prompt.get("variables", {}).items() if name in known}
    prompt = {"id": replay.version.prompt.slug, "version": replay.version.number, "variables": variables}
    return {**body, "prompt": prompt, "model": named}


def _under(item: DatasetItem, model: str, environment: str) -> dict[str, Any]:
    """Return the parameters that lay under the recorded call and that the candidate's own pin does not say.

    The version of the prompt stood in the call by reference, and its words stand in the body now; an exact version has
    no pin, so it gets what the recorded alias's pin says.
    """
    is_exact = "/" in model
    alias, where = (item.alias, item.environment) if is_exact else (model, environment)
    pin = Pin.objects.filter(alias__name=alias, environment=where).first()
    known, most = OPERATIONS[item.operation].known_fields, (pin.max_parameters if pin else {})
    defaults = pin.default_parameters if pin else {}
    said = {
        name: min(value, most[name]) if name in most and name not in NAMES else value
        for name, value in item.prompt.get("parameters", {}).items()
        if name not in defaults
    }
    return {name: value for name, value in {**said, **(defaults if is_exact else {})}.items() if name in known}


async def _ask(replay: Replay, result: ReplayResult, calls: OutcomeCalls) -> None:
    item = result.item
    if item.is_forgotten:
        raise NotFound("What was asked is past the retention of content.")
    _, environment = target_of(replay, item)
    identify = identity_of(replay, environment or Environment.PRODUCTION)
    body = await in_thread(lambda: body_of(replay, item))
    answer = await calls.make(identify, "answer", item.operation, body)
    said = answers.read(item.operation, answer.body)
    result.output = said.text
    # As the log keeps arguments, and as those it is compared with were kept.
    result.tool_calls = [[name, redact(arguments)[0]] for name, arguments in said.tool_calls]
    result.request_id, result.latency_us, result.model = answer.id, at_provider(answer.line), answer.line.model
    result.tokens, result.cost_micros = answer.tokens, answer.cost_micros
    if item.expected:
        result.is_same = item.expected.strip() == redact(result.output)[0].strip()
    bill = partial(_add, result)
    result.checks, trouble = await judged(
        checks_of(replay, item), item.expected, result.output, lambda at: asking(identify, calls, f"check-{at}", bill)
    )
    if item.was_answered:
        result.recorded_checks, other = await judged(
            checks_of(replay, item, of_record=True),
            "",
            item.expected,
            lambda at: asking(identify, calls, f"recorded-{at}", bill),
        )
        trouble = trouble or other
    if replay.likeness_by and item.expected:
        try:
            result.likeness = await _likeness(replay, item, result, asking(identify, calls, "likeness", bill))
        except (Refusal, ProviderError) as error:
            trouble = trouble or f"The likeness could not be measured. {error.message}"
    result.trouble = storable(trouble[:500])
    result.status = verdict(result)


async def _likeness(replay: Replay, item: DatasetItem, result: ReplayResult, ask: Any) -> float | None:
    if result.is_same:
        return 1.0
    said = await ask("embedding", model_checks.embedding_body(replay.likeness_by, item.expected, result.output))
    try:
        return model_checks.likeness(said)
    except (ValueError, KeyError, IndexError, TypeError):
        raise BadInput("What the embeddings model answered cannot be read.") from None


def _add(result: ReplayResult, answer: Answer) -> None:
    result.judging_micros += answer.cost_micros


REPLAYS = Kind(
    "evals.replay",
    Replay,
    ReplayResult,
    "replay",
    _ask,
    joined=("version__prompt", "dataset"),
    joined_each=("item",),
)
