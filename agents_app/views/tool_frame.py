"""The frame of the pages of tools, servers and queues."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app.models import Broker, Queue, Tool, ToolServer
from console.teams.callers import TeamRequest

ACTIVE = "tools"
_TABS = (("tools", "Tools", "agents:tools"), ("servers", "MCP servers", "agents:servers"),
         ("queues", "Queues", "agents:queues"))  # fmt: skip


def frame(request: TeamRequest, tab: str) -> dict[str, Any]:
    tabs = [(label, reverse(name), slug == tab) for slug, label, name in _TABS]
    return {"active": ACTIVE, "tabs": tabs, "may_build": request.caller.may("build")}


def url_of(row: Tool | ToolServer | Queue | Broker) -> str:
    name = {Tool: "tool", ToolServer: "server", Queue: "queue", Broker: "broker"}[type(row)]
    return reverse(f"agents:{name}", args=[row.pk])


def ask(
    request: TeamRequest, tab: str, verb: str, name: str, lost: str, back_url: str, refused: str = "", to: str = ""
) -> HttpResponse:
    """Ask before something is lost. `to` is the word between verb and name, where the question needs one."""
    context = {
        **frame(request, tab),
        "verb": verb,
        "to": to,
        "name": name,
        "lost": lost,
        "back_url": back_url,
        "refused": refused,
    }
    return render(request, "agents/tools/confirm.html", context, status=409 if refused else 200)
