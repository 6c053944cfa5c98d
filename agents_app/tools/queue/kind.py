"""Add an item to a queue of the team, take one, or write its result. One tool does one of these."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from agents_app.models import Queue, Run
from agents_app.tools import config_fields
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from agents_app.tools.queue import items
from agents_app.tools.queue.wake import is_served_in
from console.core.connections import in_thread
from console.core.errors import BadInput, Refusal
from console.teams.models import Environment, Team

ACTIONS = {
    "put": "Put work into the queue",
    "take": "Take the next piece of work",
    "finish": "Write the result of a piece of work",
}
_ANY = {"type": "object", "additionalProperties": True}


class WorkQueue:
    slug = "queue"
    label = "Work queue"
    icon = "inbox"
    sentence = "Put work into a queue of the team, take the next piece, or write its result."
    description = "Put work into the queue, or take some."
    effect = "write"
    # An item carries the call's key: putting or taking twice with one key is putting or taking once.
    is_idempotent = True
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        properties, required = _ARGUMENTS[config["action"]]
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("queue", "action"))
        action = config_fields.text(config, "action", most=10, is_required=True)
        if action not in ACTIONS:
            raise BadInput(f"action must be one of {', '.join(ACTIONS)}.", param="action")
        return {"queue": config_fields.text(config, "queue", most=60, is_required=True), "action": action}

    def check_names(self, config: Mapping[str, Any], team: Team) -> None:
        queues = Queue.objects.filter(team=team, archived_at=None)
        if not queues.filter(slug=config["queue"]).exists():
            there = queues.order_by("slug").values_list("slug", flat=True)
            raise config_fields.not_there(f"queue {config['queue']!r} in {team}", there, param="queue")

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        try:
            return await in_thread(lambda: _done(call))
        except Refusal as refusal:
            raise ToolFailed(refusal.message) from None


_ARGUMENTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "put": (
        {
            "body": {**_ANY, "description": "The work, as one object."},
            "dedupe_id": {"type": "string", "maxLength": 150, "description": "The same id is the same work."},
        },
        ["body"],
    ),
    "take": ({}, []),
    "finish": (
        {
            "item": {"type": "string", "maxLength": 40, "description": "The item's id, as it was taken."},
            "receipt": {"type": "string", "maxLength": 40, "description": "The receipt it was taken with."},
            "result": {**_ANY, "description": "What came of it."},
            "trouble": {"type": "string", "maxLength": 500, "description": "Why it failed, if it did."},
        },
        ["item", "receipt"],
    ),
}


def _done(call: ToolCall) -> Result:
    queue = Queue.objects.filter(team_id=call.team_id, slug=call.config["queue"], archived_at=None).first()
    if queue is None:
        raise ToolFailed(f"There is no queue {call.config['queue']!r} any more.")
    arguments, action = call.arguments, call.config["action"]
    if call.environment == Environment.SANDBOX and action != "finish" and is_served_in(queue, Environment.PRODUCTION):
        raise ToolFailed(f"{queue.slug} starts agents in production, so nothing in the sandbox puts or takes its work.")
    if action == "put":
        run = _run(call)
        dedupe = str(arguments["dedupe_id"]) if arguments.get("dedupe_id") else f"call:{call.idempotency_key}"
        item, is_new = items.put(
            queue=queue,
            body=arguments["body"],
            dedupe_id=dedupe,
            put_by_name=call.by_name or call.tool_name,
            put_by_run=run,
        )
        said = {"item": str(item.pk), "is_new": is_new}
        return Result(json.dumps(said), note=f"put {item.pk}" if is_new else f"was there: {item.pk}")
    if action == "take":
        taken = items.take(queue=queue, receipt=call.idempotency_key, run=_run(call))
        if taken is None:
            return Result("The queue is empty.", note="empty")
        work = {"item": str(taken.pk), "receipt": str(taken.receipt), "attempt": taken.attempts, "body": taken.body}
        return Result(cut(json.dumps(work, ensure_ascii=False), call.most_bytes), note=f"took {taken.pk}")
    item = items.finish(
        queue=queue,
        item_id=_uuid(arguments["item"], "item"),
        receipt=_uuid(arguments["receipt"], "receipt"),
        result=arguments.get("result"),
        trouble=str(arguments.get("trouble", "")),
    )
    return Result(f"The item is {item.state}.", note=f"{item.state} {item.pk}")


def _run(call: ToolCall) -> Run | None:
    return Run.objects.filter(pk=call.run_id).first() if call.run_id else None


def _uuid(value: Any, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise ToolFailed(f"{name} is not what it was taken with.") from None
