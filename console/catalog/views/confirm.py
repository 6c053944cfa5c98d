"""Confirm a removal: in a dialog, or on a page of its own without script."""

from django.http import HttpResponse
from django.shortcuts import render

from console.teams.callers import TeamRequest

DELETE_ALIAS = {
    "verb": "Delete",
    "action": "Delete alias",
    "lost": "Calls that name it are refused from then on. Its pin history is deleted; the audit log keeps every move.",
}
REMOVE_PROVIDER = {
    "verb": "Remove",
    "action": "Remove provider",
    "lost": "Its secret and models are deleted. A provider that pins use or have used cannot be removed; disable it "
    "instead.",
}
RETIRE_VERSION = {
    "verb": "Retire",
    "action": "Retire model version",
    "lost": "It can no longer be pinned, and calls that name it are refused. Collections with its vectors are "
    "searched by words only. This cannot be undone. The records of its calls stay.",
}


def ask(request: TeamRequest, question: dict[str, str], *, name: str, back_url: str) -> HttpResponse:
    context = {"active": "models", "name": name, "back_url": back_url, **question}
    return render(request, "catalog/confirm.html", context)
