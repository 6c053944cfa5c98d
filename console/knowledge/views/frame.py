"""What the pages of knowledge share."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from console.gateway.identity import PersonIdentity
from console.knowledge import access
from console.knowledge.models import Collection
from console.teams.access import teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Environment

ACTIVE = "knowledge"


def frame(request: TeamRequest, collection: Collection) -> dict[str, Any]:
    return {
        "active": ACTIVE,
        "collection": collection,
        "may_change": access.may_change(request.caller, collection),
        "sees_payer": access.sees_payer(request.caller, collection),
    }


def ask(
    request: TeamRequest,
    collection: Collection,
    *,
    verb: str,
    name: str,
    lost: str,
    back_url: str,
    refused: str = "",
) -> HttpResponse:
    """Ask before something is lost."""
    context = {
        **frame(request, collection),
        "verb": verb,
        "name": name,
        "lost": lost,
        "back_url": back_url,
        "refused": refused,
    }
    return render(request, "knowledge/confirm.html", context, status=409 if refused else 200)


def searcher(request: TeamRequest, collection: Collection) -> PersonIdentity | None:
    """Return on whose behalf a question's vector is made; None for those who may not call models for any team."""
    user = request.caller.user
    if user is None:
        return None
    team_id = collection.team_id
    if team_id is None:
        team_id = teams_for(request.caller, "use_models").values_list("pk", flat=True).first()
    if team_id is None or not request.caller.may("use_models", team_id):
        return None
    return PersonIdentity(user.pk, team_id, Environment.PRODUCTION)
