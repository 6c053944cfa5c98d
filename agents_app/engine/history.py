"""Build the model's messages from the recorded steps, again each time, so that no worker has to remember a run.

Results of tools always stand in the place of a tool: whatever they say, they are no instructions of anybody.
"""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from agents_app.models import Definition, Run, Step

Message = dict[str, Any]
_SCHEMA_NOTE = (
    "When you are done, answer with one JSON object and nothing else, without a code fence. It fits this JSON schema:\n"
)


def messages_of(run: Run, definition: Definition, steps: Sequence[Step]) -> list[Message]:
    """Return the conversation so far, the input first. Steps are in order; failed calls of the model say nothing."""
    found: list[Message] = []
    if definition.output_schema:
        found.append({"role": "system", "content": _SCHEMA_NOTE + json.dumps(definition.output_schema)})
    found.append({"role": "user", "content": input_text(run, definition)})
    cut = next((step.output for step in reversed(steps) if step.kind == Step.Kind.COMPACTION), None) or {}
    dropped: list[str] = []
    for turn, group in groupby(steps, key=lambda step: step.turn):
        of_turn = list(group)
        if turn < cut.get("drop_before", 0):
            dropped += [line_of(step) for step in of_turn if step.kind in {Step.Kind.TOOL, Step.Kind.WAIT}]
            continue
        most = cut["most"] if turn < cut.get("cut_before", 0) else None
        if dropped:
            found.append({"role": "user", "content": _shortened(dropped)})
            dropped = []
        found += _turn(of_turn, most)
    return found


def input_text(run: Run, definition: Definition) -> str:
    if definition.input_schema is None and isinstance(run.input.get("message"), str):
        return str(run.input["message"])
    return json.dumps(run.input, ensure_ascii=False)


def _turn(steps: Sequence[Step], most: int | None) -> list[Message]:
    found: list[Message] = []
    for step in steps:
        if step.kind == Step.Kind.MODEL and step.state == Step.State.DONE and step.output:
            found.append(step.output["message"])
            if step.output.get("feedback"):
                found.append({"role": "user", "content": step.output["feedback"]})
        elif step.kind == Step.Kind.TOOL and step.state in Step.OVER:
            found.append({"role": "tool", "tool_call_id": step.call_id, "content": shortened(result_of(step), most)})
    return found


def result_of(step: Step) -> str:
    """Return what the model reads of a call that is over."""
    if step.state == Step.State.DENIED:
        return f"Denied: {step.trouble}"
    content = str((step.output or {}).get("content", ""))
    if step.state == Step.State.FAILED:
        return f"Error: {step.trouble or content}"
    return content


def shortened(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]}\n[shortened: {len(text) - most:,} more characters were here]"


def line_of(step: Step) -> str:
    arguments = shortened(json.dumps(step.arguments, ensure_ascii=False), 200)
    return f"{step.tool_name}({arguments}): {step.state}"


def _shortened(lines: Sequence[str]) -> str:
    return "Earlier calls of this run, in order; their results were left out to save room:\n" + "\n".join(lines)
