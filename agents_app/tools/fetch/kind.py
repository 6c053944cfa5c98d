"""Read a page of an allowed host: a GET, and the text of the answer."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agents_app.tools import config_fields, web
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from console.core.errors import BadInput
from console.core.files.page_words import words_of
from console.outbound.guard import check_url

_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?\Z")


class Fetch:
    slug = "fetch"
    label = "Read a web page"
    icon = "file-text"
    sentence = "A GET of an address on hosts you allow; the agent reads its text."
    description = "Read the text of a web page or file at a URL."
    effect = "read"
    is_idempotent = True
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        hosts = ", ".join(config.get("hosts", []))
        url = {"type": "string", "description": f"The whole address. Hosts: {hosts}", "maxLength": 2_000}
        return {"type": "object", "properties": {"url": url}, "required": ["url"], "additionalProperties": False}

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("hosts",))
        hosts = [host.lower() for host in config_fields.texts(config, "hosts", most=50, longest=260)]
        if not hosts:
            raise BadInput("Name at least one host it may read, such as docs.example.com.", param="hosts")
        for host in hosts:
            if not _HOST.match(host):
                raise BadInput(
                    f"{host!r} is not a host; write docs.example.com, docs.example.com:8443 or *.example.com.",
                    param="hosts",
                )
            if host.startswith("*.") and "." not in host[2:]:
                raise BadInput(f"{host!r} would allow a whole ending; name a domain.", param="hosts")
        return {"hosts": hosts}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        url = str(call.arguments["url"])
        if not is_allowed(url, call.config["hosts"]):
            raise ToolFailed(f"That address is not on an allowed host. Allowed: {', '.join(call.config['hosts'])}.")
        answer = await web.exchange("GET", url, headers={}, seconds=call.seconds, may_change=False)
        note = f"{answer.status}, {len(answer.body):,} bytes"
        if 300 <= answer.status < 400:
            return Result(f"The address leads elsewhere ({answer.status}); that is not followed.", True, note)
        if answer.status >= 400:
            return Result(f"The server answered {answer.status}.", True, note)
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind in {"text/html", "application/xhtml+xml"}:
            words = await asyncio.to_thread(words_of, answer.text)  # a large page would keep the event loop
            return Result(cut(words, call.most_bytes), note=note)
        if kind.startswith("text/") or kind.endswith(("json", "xml")) or not kind:
            return Result(cut(answer.text, call.most_bytes), note=note)
        return Result(f"The address holds {kind[:80]}, which is not text.", True, note)


def is_allowed(url: str, hosts: list[str]) -> bool:
    """Return whether an address is http(s) on one of the hosts; without a port in the list only the usual ones are."""
    address = url.partition("#")[0].partition("?")[0]
    try:
        target = check_url(address, is_tool=True)
    except BadInput:
        return False
    if urlsplit(url).fragment:
        return False
    usual = {"http": 80, "https": 443}[target.scheme]
    host = target.host.lower()
    for allowed in hosts:
        name, _, port = allowed.partition(":")
        if (int(port) if port else usual) != target.port:
            continue
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False
