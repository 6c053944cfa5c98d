"""Notes of one run: they survive compaction of its history, and no other run sees them."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from agents_app.models import RunNote, Step
from agents_app.tools import config_fields
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from console.core.connections import in_thread

MOST_NOTES, LONGEST_NOTE = 50, 8_000


class Notes:
    slug = "notes"
    label = "Notes"
    icon = "square-pen"
    sentence = "The agent writes down what it must not forget. Each run has its own notes."
    description = (
        "Keep notes during this run: write one under a name, read one, or list the names. They stay when older "
        "messages are shortened."
    )
    effect = "read"  # nothing outside the run changes
    is_idempotent = True
    needs_run = True
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": ["write", "read", "list"]},
                "name": {"type": "string", "maxLength": 100, "description": "Of the note, to write or read it."},
                "text": {"type": "string", "maxLength": LONGEST_NOTE, "description": "To write; empty removes it."},
            },
            "required": ["action"],
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ())
        return {}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        if call.run_id is None:
            raise ToolFailed("Notes belong to a run.")
        action, name = call.arguments["action"], str(call.arguments.get("name", "")).strip()
        if action != "list" and not name:
            raise ToolFailed("Give the note's name.")
        run_id = call.run_id
        return await in_thread(lambda: _done(call, run_id, action, name))


def written_by(steps: Iterable[Step]) -> dict[str, str]:
    """Return the notes there are after these recorded steps, by name. Needs `tool`."""
    notes: dict[str, str] = {}
    for step in steps:
        given = step.arguments or {}
        if step.tool is None or step.tool.kind != Notes.slug or step.state != Step.State.DONE or step.is_error:
            continue
        if given.get("action") == "write":
            name, text = str(given.get("name", "")).strip(), str(given.get("text", ""))
            notes.pop(name, None)
            if text:
                notes[name] = text
    return notes


def _done(call: ToolCall, run_id: uuid.UUID, action: str, name: str) -> Result:
    notes = RunNote.objects.filter(run_id=run_id)
    if action == "list":
        names = list(notes.values_list("name", flat=True))
        return Result("\n".join(names) or "There are no notes.", note=f"{len(names)} notes")
    if action == "read":
        note = notes.filter(name=name).first()
        if note is None:
            return Result(f"There is no note {name!r}.", True)
        return Result(cut(note.text, call.most_bytes), note=f"read {name}")
    text = str(call.arguments.get("text", ""))
    if not text:
        gone, _ = notes.filter(name=name).delete()
        return Result("Removed." if gone else f"There is no note {name!r}.", note=f"removed {name}")
    if not notes.filter(name=name).exists() and notes.count() >= MOST_NOTES:
        raise ToolFailed(f"A run keeps at most {MOST_NOTES} notes; write into one of them.")
    RunNote.objects.update_or_create(run_id=run_id, name=name, defaults={"text": text})
    return Result("Noted.", note=f"wrote {name}")
