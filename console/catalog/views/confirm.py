"""Ask before something is lost: in a dialog, or on a page of its own where there is no script."""

from django.http import HttpResponse
from django.shortcuts import render

from console.teams.callers import TeamRequest

DELETE_ALIAS = {
    "verb": "Delete",
    "action": "Delete alias",
    "lost": "Calls that name it are refused from then on. Its history of pins goes with it; the audit log keeps "
    "every move.",
}
REMOVE_PROVIDER = {
    "verb": "Remove",
    "action": "Remove provider",
    "lost": "Its secret and its models go with it. A provider that pins point at, or once did, cannot be removed; "
    "disable it instead.",
}
RETIRE_VERSION = {
    "verb": "Retire",
    "action": "Retire model version",
    "lost": "No pin can point at it again, and calls that name it are refused. Collections it makes vectors for are "
    "searched by words alone. This cannot be taken back. The records of its calls stay.",
}


def ask(request: TeamRequest, question: dict[str, str], *, name: str, back_url: str) -> HttpResponse:
    context = {"active": "models", "name": name, "back_url": back_url, **question}
    return render(request, "catalog/confirm.html", context)
