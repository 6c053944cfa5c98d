"""The only way to get an object of the catalog for somebody.

Operators see and change everything. Members see the aliases their teams may use, and the model versions these point at.
"""

import uuid

from django.db.models import Q, QuerySet
from django.http import Http404

from console.catalog.models import Alias, ModelVersion, Pin, PinProposal, Provider
from console.core.sql import get_or_raise
from console.teams.access import teams_for
from console.teams.callers import Caller
from console.teams.models import Team


def aliases_for(caller: Caller, team: Team | None = None) -> QuerySet[Alias]:
    """Return the aliases the caller's teams may use; with `team`, those that team may use."""
    if team is not None:
        mine = Q(teams=team)
    elif caller.is_operator:
        return Alias.objects.all()
    else:
        mine = Q(teams__in=teams_for(caller))
    return Alias.objects.filter(pk__in=Alias.objects.filter(mine | Q(teams=None)).values("pk"))


def alias_for(caller: Caller, name: str) -> Alias:
    return get_or_raise(aliases_for(caller).filter(name=name), Http404("There is no such alias."))


def versions_for(caller: Caller) -> QuerySet[ModelVersion]:
    """Return all model versions to operators; to others those the aliases of their teams send calls to."""
    versions = ModelVersion.objects.select_related("provider", "successor__provider")
    if caller.is_operator:
        return versions
    mine = Pin.objects.filter(alias__in=aliases_for(caller))
    used = Q(pins__in=mine) | Q(canary_pins__in=mine) | Q(shadow_pins__in=mine) | Q(fallback_pins__pin__in=mine)
    return versions.filter(pk__in=ModelVersion.objects.filter(used).values("pk"))


def version_for(caller: Caller, version_id: uuid.UUID) -> ModelVersion:
    return get_or_raise(versions_for(caller).filter(pk=version_id), Http404("There is no such model version."))


def providers_for(caller: Caller) -> QuerySet[Provider]:
    """Return the providers to operators, nothing to others: addresses are nobody else's business."""
    return Provider.objects.all() if caller.is_operator else Provider.objects.none()


def provider_for(caller: Caller, slug: str) -> Provider:
    return get_or_raise(providers_for(caller).filter(slug=slug), Http404("There is no such provider."))


def proposals_for(caller: Caller) -> QuerySet[PinProposal]:
    """Return proposed changes of pins to operators, who make and decide on them; nothing to others."""
    return PinProposal.objects.select_related("alias") if caller.is_operator else PinProposal.objects.none()


def proposal_for(caller: Caller, proposal_id: uuid.UUID) -> PinProposal:
    return get_or_raise(proposals_for(caller).filter(pk=proposal_id), Http404("There is no such proposal."))
