"""Ask a model by its alias, optionally with a prompt of the library, through the pipeline and as the actor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Q

from agents_app.tools import config_fields
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut, within
from console.audit.models import AuditEvent, EventType
from console.catalog.models import Alias
from console.core.connections import in_thread
from console.core.errors import BadInput, ProviderError, Refusal
from console.core.ids import uuid7
from console.gateway import pipeline
from console.gateway.answer_reader import AnswerReader
from console.gateway.asks import own_ask
from console.teams.models import Team
from prompts_app import shapes
from prompts_app.errors import NotCallable, UnknownLabel, UnknownPrompt, UnknownVersion, WrongVariables
from prompts_app.models import PromptVersion
from prompts_app.parameters import check_parameters
from prompts_app.queries.preview import PartialFinder
from prompts_app.rendering import is_callable
from prompts_app.shapes import Finder, InDatabase
from prompts_app.text.refs import Ref, parse_ref
from prompts_app.text.render import declared_by, partials_of
from prompts_app.text.variables import check_values

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}\Z")
_MOST_MESSAGE = 100_000


class Completion:
    slug = "completion"
    label = "Ask a model"
    icon = "sparkle"
    sentence = "Call an alias with a prompt of your library. It is a call like every other: quotas, cost, log."
    description = "Ask another model. Give it everything it needs in the message; it sees nothing else."
    effect = "read"
    is_idempotent = True  # nothing changes by asking again, though it is paid for
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {
            name: {"type": "string", "maxLength": _MOST_MESSAGE} for name in config.get("variables", [])
        }
        properties["message"] = {"type": "string", "description": "What to ask.", "maxLength": _MOST_MESSAGE}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("alias", "prompt", "variables", "output_tokens", "parameters"))
        alias = config_fields.text(config, "alias", most=100, is_required=True)
        if not _ALIAS.match(alias):
            raise BadInput(f"{alias!r} cannot be an alias.", param="alias")
        prompt = config_fields.text(config, "prompt", most=250)
        if prompt and parse_ref(prompt) is None:
            raise BadInput("prompt must name a prompt: support/answer, support/answer@7.", param="prompt")
        variables = config_fields.texts(config, "variables", most=30, longest=60)
        for name in variables:
            if not _VARIABLE.match(name) or name == "message":
                raise BadInput(f"{name!r} cannot be a variable of this tool.", param="variables")
        if variables and not prompt:
            raise BadInput("Variables are a prompt's; choose the prompt.", param="variables")
        return {
            "alias": alias,
            "prompt": prompt,
            "variables": variables,
            "output_tokens": config_fields.number(config, "output_tokens", least=1, most=1_000_000, default=2_000),
            "parameters": check_parameters(config.get("parameters") or {}),
        }

    def check_names(self, config: Mapping[str, Any], team: Team) -> None:
        aliases = Alias.objects.filter(Q(teams=None) | Q(teams=team)).order_by("name")
        if not aliases.filter(name=config["alias"]).exists():
            there = aliases.values_list("name", flat=True).distinct()
            raise config_fields.not_there(f"alias {config['alias']!r} that {team} may call", there, param="alias")
        if ref := parse_ref(config.get("prompt", "")):
            _check_prompt(ref, config.get("variables", []), team)

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        if call.identify is None:
            raise ToolFailed("Nobody can be charged for this call, so no model is asked.")
        config, body = call.config, _body(call)
        identifier = uuid7()
        try:
            async with within(call.seconds):
                ask = own_ask(
                    "chat",
                    body,
                    id=identifier,
                    type=EventType.AGENT,
                    surface="agent",
                    route=f"tool {call.tool_name}",
                    client_request_id=call.run,
                    end_user=call.end_user,
                    metadata=call.metadata,
                )
                opened = await pipeline.open_call(call.identify, replace(ask, agent=call.agent))
                answer = await pipeline.answer(opened)
        except Refusal as refusal:
            raise ToolFailed(refusal.message, may_retry=refusal.status in {429, 503}) from None
        except ProviderError as error:
            raise ToolFailed(error.message, may_retry=not error.permanent) from None
        except TimeoutError:
            raise ToolFailed("The model took too long.", may_retry=True) from None
        words = AnswerReader().read(answer)
        line = await in_thread(lambda: AuditEvent.objects.filter(pk=identifier).first())
        tokens = line.prompt_tokens + line.completion_tokens if line else 0
        return Result(
            cut(words, call.most_bytes),
            note=f"{config['alias']}, {tokens:,} tokens",
            request_id=identifier,
            tokens=tokens,
            completion_tokens=line.completion_tokens if line else 0,
            cost_micros=opened.cost_micros,
        )


def _check_prompt(ref: Ref, variables: Sequence[str], team: Team) -> None:
    """Refuse a prompt no call of the team could name, or whose variables are others than the agent would fill.

    Without a version, the environment's may come later, with variables of its own.
    """
    prompt, number = Finder(InDatabase()).find(team.pk, ref, "production")
    refused: Refusal | None = None
    if prompt is None:
        refused = UnknownPrompt(ref.slug)
    elif not is_callable(prompt.kind):
        refused = NotCallable(ref.slug)
    elif ref.label and number is None:
        refused = UnknownLabel(ref.slug, ref.label, has=prompt.labels)
    elif ref.number and not PromptVersion.objects.filter(prompt=prompt.id, number=ref.number).exists():
        refused = UnknownVersion(ref.slug, ref.number)
    if refused is not None:
        raise BadInput(refused.message, param="prompt")
    if prompt is None or number is None:
        return
    version = shapes.read([(prompt.id, number)])[prompt.id, number]
    try:
        declared = declared_by(version, partials_of(version, PartialFinder(prompt.team_id)))
        check_values(declared, dict.fromkeys(variables, ""))
    except WrongVariables as wrong:
        parts = [f"needs the variable {', '.join(wrong.missing)}"] if wrong.missing else []
        parts += [f"has no variable {', '.join(wrong.unknown)}"] if wrong.unknown else []
        if parts:
            raise BadInput(f"The prompt {ref.slug} {' and '.join(parts)}.", param="variables") from None
    except Refusal:  # a partial of it cannot be read: the library says so, and a call
        return


def _body(call: ToolCall) -> dict[str, Any]:
    config, arguments = call.config, call.arguments
    body: dict[str, Any] = {
        **config.get("parameters", {}),
        "model": f"{config['alias']}@{call.environment}",
        "messages": [{"role": "user", "content": str(arguments["message"])}],
        "max_completion_tokens": config["output_tokens"],
    }
    if config.get("prompt"):
        values = {name: arguments[name] for name in config.get("variables", [])}
        body["prompt"] = {"id": config["prompt"], "variables": values}
    return body
