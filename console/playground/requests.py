"""Build the request of a set-up: who asks, and the body of a chat completion."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.core import strict_json
from console.core.errors import BadInput
from console.core.parsing import number
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.types import Ask
from console.playground.bench import DRAFT, PARAMETERS, ROLES, Bench, SetUp, Turn
from console.playground.drafts import Drafted, drafted
from console.playground.lookup import Choice
from console.teams.callers import TeamRequest
from console.teams.models import Environment, User
from prompts_app import access
from prompts_app.models import Prompt, PromptVersion
from prompts_app.parameters import check_parameters
from prompts_app.queries.preview import variables_of
from prompts_app.text.variables import values_from_texts

SURFACE = "playground"
ROUTE = "/playground/"
# What the page says itself; all else a call can have may go with it.
SAID_HERE = frozenset({"model", "messages", "prompt", "stream", "stream_options"})


def version_of(prompt: Prompt | None, set_up: SetUp) -> PromptVersion | None:
    """Return the version a set-up names, None for none and for a draft; one there is not is refused by its number."""
    if prompt is None or set_up.version in {"", DRAFT}:
        return None
    return access.version_for(prompt, number(set_up.version, 0))


def model_of(set_up: SetUp) -> tuple[str, str]:
    """Return the model a set-up calls, and the environment it is called in."""
    name, at, environment = set_up.model.rpartition("@")
    if at and environment in Environment.values:
        return name, environment
    if not set_up.model:
        raise BadInput("Choose a model.", param="model")
    return set_up.model, Environment.SANDBOX


def _parameters(set_up: SetUp) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, label in PARAMETERS.items():
        typed = set_up.parameters.get(name, "")
        if typed:
            try:
                found[name] = int(typed) if name == "max_tokens" else float(typed)
            except ValueError:
                raise BadInput(f"{label} is a number; this is {typed[:40]!r}.", param=name) from None
    return check_parameters(found)


def _message(turn: Turn) -> dict[str, Any]:
    """Return one message as it is sent; what is more than words goes as it came."""
    if turn.raw:
        message = strict_json.typed(turn.raw, "A message")
        if not isinstance(message, dict):
            raise BadInput("A message is a JSON object.", param="messages")
        return message
    return {"role": turn.role if turn.role in ROLES else "user", "content": turn.text}


def _extra(bench: Bench) -> dict[str, Any]:
    """Return what else goes with the call: tools, a format of the answer."""
    if not bench.extra:
        return {}
    extra = strict_json.typed(bench.extra, "What else is sent")
    if not isinstance(extra, dict) or not SAID_HERE.isdisjoint(extra):
        raise BadInput("What else is sent is a JSON object without what the page says itself.", param="extra")
    return extra


def draft_of(prompt: Prompt | None, set_up: SetUp, person: User | None) -> Drafted | None:
    """Return the person's draft where a set-up names it; Refusal where it cannot be sent."""
    return drafted(prompt, person) if prompt is not None and set_up.version == DRAFT else None


def _values(bench: Bench, declared: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = {one["name"] for one in declared}
    return values_from_texts(declared, {name: text for name, text in bench.values.items() if name in names})


def body_of(bench: Bench, set_up: SetUp, prompt: Prompt | None, person: User | None) -> dict[str, Any]:
    """Return the request's body, as a program would send it. What a draft comes to stands among the messages."""
    body: dict[str, Any] = {**_extra(bench), "model": model_of(set_up)[0]}
    version = version_of(prompt, set_up)
    if version is not None:
        values = _values(bench, variables_of(version))
        body["prompt"] = {"id": version.prompt.slug, "version": version.number, "variables": values}
    messages = [_message(turn) for turn in bench.turns if turn.raw or turn.text.strip()]
    if bench.message.strip():
        messages.append({"role": "user", "content": bench.message})
    if (draft := draft_of(prompt, set_up, person)) is not None:
        role = "system" if messages else "user"
        messages = [*draft.text.rendered(_values(bench, draft.variables), text_role=role), *messages]
        body |= draft.parameters
    if messages:
        body["messages"] = messages
    elif version is None:
        raise BadInput("Write a message, or choose a prompt.", param="message")
    return {**body, **_parameters(set_up)}


def ask_of(request: TeamRequest, bench: Bench, set_up: SetUp, named: Choice) -> tuple[PersonIdentity, Ask]:
    """Return who asks and what. What cannot be asked is refused with the field at fault."""
    assert request.caller.user is not None
    body = {
        **body_of(bench, set_up, named.prompt, request.caller.user),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    ask = own_ask("chat", body, type="playground", surface=SURFACE, route=ROUTE, client_address=request.client_address)
    return PersonIdentity(request.caller.user.pk, named.team.pk, model_of(set_up)[1]), ask
