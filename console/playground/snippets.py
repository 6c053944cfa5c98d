"""The same call as code: curl, Python, JavaScript."""

import json
import pprint
import shlex
import textwrap
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    title: str
    text: str


def snippets(body: dict[str, Any], base_url: str) -> list[Snippet]:
    """Return one call in three languages. Prompts of the library are named by reference, their text stays here."""
    return [
        Snippet("curl", "curl", _curl(body, base_url)),
        Snippet("python", "Python", _python(body, base_url)),
        Snippet("javascript", "JavaScript", _javascript(body, base_url)),
    ]


def _curl(body: dict[str, Any], base_url: str) -> str:
    return (
        f"curl {shlex.quote(base_url + '/v1/chat/completions')} \\\n"
        '  -H "Authorization: Bearer $FACET_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))}"
    )


def _python(body: dict[str, Any], base_url: str) -> str:
    """Pass the prompt as extra body: the official client does not know the field."""
    body = {"messages": [], **body}
    prompt = body.pop("prompt", None)
    lines = [f"    {name}={_indented(value)}," for name, value in body.items()]
    if prompt is not None:
        lines.append(f"    extra_body={_indented({'prompt': prompt})},")
    return (
        "from os import environ\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url={base_url + "/v1"!r}, api_key=environ["FACET_KEY"])\n'
        "answer = client.chat.completions.create(\n" + "\n".join(lines) + "\n)\n"
        "print(answer.choices[0].message.content)"
    )


def _indented(value: Any) -> str:
    text = pprint.pformat(value, width=96, sort_dicts=False)
    return textwrap.indent(text, "    ").strip()


def _javascript(body: dict[str, Any], base_url: str) -> str:
    shown = json.dumps({"messages": [], **body}, ensure_ascii=False, indent=2)
    address = json.dumps(f"{base_url}/v1")
    return (
        'import OpenAI from "openai";\n\n'
        f"const client = new OpenAI({{\n  baseURL: {address},\n"
        "  apiKey: process.env.FACET_KEY,\n});\n"
        f"const answer = await client.chat.completions.create({shown});\n"
        "console.log(answer.choices[0].message.content);"
    )
