"""The settings of this installation, for operators, with the environment variable of each."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from console.core import formatting
from console.core.installation import facts
from console.pages import health
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.telemetry.queries import ways

_PARTS = {
    "database": ("PostgreSQL", "Holds everything that must not be lost"),
    "migrations": ("Migrations", "Whether the database schema matches this version"),
    "snapshot": ("Snapshot", "The configuration calls are planned from"),
    "valkey": ("Valkey", "Queues work for the workers; holds nothing that must not be lost"),
    "builtin_models": ("Built-in models", "Small, for trying things out"),
}
_WORDS = {
    "ok": ("OK", "ok", "OK"),
    "away": ("Unreachable", "bad", "No answer."),
    "starting": ("Starting", "warn", "Not ready yet."),
    "failed": ("Failed", "bad", "Could not be loaded."),
    "missing": ("Missing", "bad", "Run manage.py migrate."),
    "late": ("Late", "warn", "Work is picked up too slowly."),
    "never": ("Not seen", "warn", "No worker of this lane has picked up anything yet."),
    "unknown": ("Unknown", "line", "Could not be checked."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part the installation is made of, and how it is."""

    name: str
    about: str
    state: str
    tone: str
    says: str


@needs(OPERATOR)
def settings_page(request: TeamRequest) -> HttpResponse:
    context = {"active": "settings", "groups": facts(), "parts": parts(health.look()), "ways": ways()}
    return render(request, "pages/settings.html", context)


def parts(checks: dict[str, dict[str, Any]]) -> list[Part]:
    """Return the parts in a fixed order, one line for each lane's workers."""
    found = [_part(*_PARTS[name], checks[name]) for name in _PARTS if name in checks]
    for lane, check in checks.get("workers", {}).items():
        if isinstance(check, dict):
            found.append(_part(f"Worker, {lane} lane", "Runs background work", check))
    return found


def _part(name: str, about: str, check: dict[str, Any]) -> Part:
    state = str(check.get("state", "unknown"))
    word, tone, says = _WORDS.get(state, (state.capitalize(), "warn", ""))
    if "ms" in check:
        says = f"Answered in {formatting.duration(float(check['ms']) * 1000)}."
    if "seconds_ago" in check:
        says = f"Answered a probe {check['seconds_ago']} s ago."
    return Part(name, about, word, tone, str(check.get("says", says)))
