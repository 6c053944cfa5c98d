"""Convert items of a response's input to messages of a chat completion.

Items come one after another where a chat completion has one message: what the assistant thinks, says and calls in a
row is one turn, and the results of its calls follow it before anybody else speaks, wherever they stand in the input:
a client that continues from a kept response may repeat what was said before it gives them.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

import orjson

from console.core.errors import BadInput
from console.gateway.responses.tools import CALLS, arguments_of, full_name
from console.gateway.shapes.responses import REFERENCE, kind_of

Part = dict[str, Any]

_SEAL = "facet."  # marks thoughts that we wrote down; others' say nothing to us
_RESULTS = {f"{call}_output" for call in CALLS.values()}
_TEXTS = {"input_text", "output_text", "text"}


def sealed(details: Any) -> str:
    """Return a provider's signed thoughts as the text a client sends back unread."""
    return _SEAL + b64encode(orjson.dumps(details)).decode()


def unsealed(text: Any) -> list[Any]:
    """Return the thoughts in such a text; none where it is not ours."""
    if not isinstance(text, str) or not text.startswith(_SEAL):
        return []
    try:
        details = orjson.loads(b64decode(text.removeprefix(_SEAL), validate=True))
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        return []
    return details if isinstance(details, list) else []


def messages_of(items: Iterable[Part], history: Iterable[Part] = (), *, keeps_thoughts: bool) -> list[Part]:
    """Return what these items say after those of `history`, which somebody else sent before."""
    turns = _Turns(keeps_thoughts=keeps_thoughts)
    for item in history:
        turns.take(item, "previous_response_id")
    for place, item in enumerate(items):
        turns.take(item, f"input[{place}]")
    return turns.end()


class _Turns:
    def __init__(self, *, keeps_thoughts: bool) -> None:
        self._said: list[Part | list[Part]] = []  # a list holds the results of the calls of the turn before it
        self._results: dict[str, list[Part]] = {}  # where those of a call go, by its id
        self._turn: Part | None = None  # of the assistant, still growing
        self._texts: list[
            tuple[Part, list[str]]
        ] = []  # what assistants say, joined at the end: joining each copies all
        self._thoughts: list[Any] = []
        self._shown: list[Part] = []  # pictures and files among the results of tools, whose messages are text
        self._keeps_thoughts = keeps_thoughts

    def take(self, item: Part, where: str) -> None:
        kind = kind_of(item)
        if kind in _RESULTS:
            self._turn = None
            self._result(item, where)
            return
        self._show()
        if kind in CALLS.values():
            self._call(item, where)
        elif kind == "reasoning":
            self._thoughts += unsealed(item.get("encrypted_content"))
        elif kind != "message":
            raise _not_here(kind, f"{where}.type")
        elif item["role"] == "assistant":
            self._assistant(item["content"], f"{where}.content")
        else:
            self._turn, self._thoughts = None, []
            self._said.append({"role": item["role"], "content": _content(item["content"], f"{where}.content")})

    def end(self) -> list[Part]:
        self._show()
        for turn, texts in self._texts:
            turn["content"] = "".join(texts)
        parts: list[Part] = []
        for message in self._said:
            parts += message if isinstance(message, list) else [message]
        return parts

    def _show(self) -> None:
        if self._shown:
            self._said.append({"role": "user", "content": self._shown})
            self._shown = []

    def _growing(self) -> Part:
        if self._turn is None:
            self._turn = {"role": "assistant", "content": None}
            self._said.append(self._turn)
        if self._thoughts and self._keeps_thoughts:
            self._turn.setdefault("reasoning_details", []).extend(self._thoughts)
        self._thoughts = []
        return self._turn

    def _assistant(self, content: Any, where: str) -> None:
        if self._turn is not None and self._turn["content"] is not None and "tool_calls" not in self._turn:
            self._turn = None  # two messages in a row
        turn = self._growing()
        if turn["content"] is None:
            turn["content"] = ""
            self._texts.append((turn, []))
        self._texts[-1][1].append(_text_of(content, where))

    def _call(self, item: Part, where: str) -> None:
        for name in ("call_id", "name"):
            if not isinstance(item.get(name), str) or not item[name]:
                raise BadInput(f"A call needs its {name}.", param=f"{where}.{name}")
        if not isinstance(item.get("namespace"), str | None):
            raise BadInput("The namespace of a call must be text.", param=f"{where}.namespace")
        arguments = arguments_of(item)
        if not isinstance(arguments, str):
            name = "input" if item["type"] == CALLS["custom"] else "arguments"
            raise BadInput(
                f"The {name} of a call must be text; arguments are JSON, written as text.", param=f"{where}.{name}"
            )
        function = {"name": full_name(item), "arguments": arguments}
        call = {"id": item["call_id"], "type": "function", "function": function}
        turn = self._growing()
        if "tool_calls" not in turn:
            turn["tool_calls"] = []
            self._said.append([])
        results = self._said[-1]
        assert isinstance(results, list)
        turn["tool_calls"].append(call)
        self._results[item["call_id"]] = results

    def _result(self, item: Part, where: str) -> None:
        if not isinstance(item.get("call_id"), str) or not item["call_id"]:
            raise BadInput("A result needs the call_id of its call.", param=f"{where}.call_id")
        output = item.get("output")
        if output is None:
            raise BadInput("A result needs its output.", param=f"{where}.output")
        if isinstance(output, list):
            at = f"{where}.output"
            attachments = [(place, part) for place, part in enumerate(output) if part["type"] not in _TEXTS]
            self._shown += [_part(part, f"{at}[{place}]") for place, part in attachments]
            output = "\n\n".join(str(part.get("text") or "") for part in output if part["type"] in _TEXTS)
        result = {"role": "tool", "tool_call_id": item["call_id"], "content": output}
        results = self._results.get(item["call_id"])
        if results is None:
            self._said.append(result)
        else:
            results.append(result)


def _text_of(content: Any, where: str) -> str:
    """Return what the assistant said, which is text only; what it refused to say is text as well."""
    if isinstance(content, str):
        return content
    for place, part in enumerate(content):
        if part["type"] not in _TEXTS | {"refusal"}:
            raise _not_here(part["type"], f"{where}[{place}].type")
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in content)


def _content(content: Any, where: str) -> Any:
    """Return what others than the assistant say; one text is said plainly, as simple servers like it."""
    if isinstance(content, str):
        return content
    parts = [_part(part, f"{where}[{place}]") for place, part in enumerate(content)]
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _part(part: Part, where: str) -> Part:
    kind = part["type"]
    if kind in _TEXTS:
        return {"type": "text", "text": str(part.get("text") or "")}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        detail = {"detail": part["detail"]} if part.get("detail") not in (None, "auto") else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        return {
            "type": "file",
            "file": {"filename": str(part.get("filename") or "document"), "file_data": part["file_data"]},
        }
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    if kind == "input_image":
        raise BadInput("Send an image as image_url: a URL, or a data URL with its bytes.", param=where)
    if kind == "input_file":
        raise BadInput("Send a file as file_data, a data URL with its bytes; providers do not read ours.", param=where)
    raise _not_here(kind, f"{where}.type")


def _not_here(kind: str, where: str) -> BadInput:
    if kind == REFERENCE:
        return BadInput("Send the item itself; only a call of its own can name one by its id.", param=where)
    return BadInput(f"Facet has no word for {kind[:40]!r} in a conversation; leave it out.", param=where)
