"""Model versions: page, add, change, price, retire."""

import uuid
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.catalog import access, queries
from console.catalog.forms import PriceForm, VersionForm
from console.catalog.models import ModelVersion, Provider
from console.catalog.published import published
from console.catalog.services import versions as services
from console.catalog.views import confirm
from console.core.clock import now
from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs
from console.teams.callers import Actor, TeamRequest


@needs("view_team")
def version(request: TeamRequest, version_id: uuid.UUID) -> HttpResponse:
    """One exact model: limits, capabilities, prices over time, pins. `?published=1` looks its published price up."""
    row = access.version_for(request.caller, version_id)
    if request.GET.get("published") != "1" or not request.caller.is_operator:
        return _page(request, row)
    prices = published(row.provider, [row.name])
    found = prices.prices.get(row.name)
    form = PriceForm(initial=asdict(found) if found else {})
    return _page(request, row, partial="price", form=form, looked_up=True, price_list=prices, published=found)


@needs(OPERATOR)
def new_version(request: TeamRequest, slug: str) -> HttpResponse:
    provider = access.provider_for(request.caller, slug)
    is_post = request.method == "POST"
    form = VersionForm(request.POST if is_post else None, initial={"name": request.GET.get("name", "")})
    price = PriceForm(request.POST if is_post else None, prefix="price")
    if is_post and form.is_valid() and price.is_valid():
        with refusals_at(form):
            made = _create(request, provider, form, price)
            return go(request, reverse("catalog:version", args=[made.pk]), f"Added {made}. Pin an alias to it.")
    context = {"active": "models", "provider": provider, "form": form, "price": price, "currency": settings.CURRENCY}
    return render(request, "catalog/version_form.html", context, status=status_of(form))


@transaction.atomic
def _create(request: TeamRequest, provider: Provider, form: VersionForm, price: PriceForm) -> ModelVersion:
    actor = request.caller.actor
    version = services.create_version(actor=actor, provider=provider, **form.cleaned_data)
    _set_price(actor, version, price)
    return version


def _set_price(actor: Actor, version: ModelVersion, form: PriceForm) -> None:
    begins = form.cleaned_data["effective_from"]
    services.set_price(actor=actor, version=version, amounts=form.amounts(), effective_from=begins)


@needs(OPERATOR)
def change_version(request: TeamRequest, version_id: uuid.UUID) -> HttpResponse:
    row = access.version_for(request.caller, version_id)
    form = VersionForm(posted(request), version=row)
    if form.is_valid():
        with refusals_at(form):
            services.change_version(actor=request.caller.actor, version=row, **form.cleaned_data)
            return go(request, reverse("catalog:version", args=[row.pk]), f"Changed {row}.")
    context = {"active": "models", "provider": row.provider, "version": row, "form": form}
    return render(request, "catalog/version_form.html", context, status=status_of(form))


@needs(OPERATOR)
@require_POST
def set_price(request: TeamRequest, version_id: uuid.UUID) -> HttpResponse:
    row = access.version_for(request.caller, version_id)
    form = PriceForm(request.POST)
    if form.is_valid():
        with refusals_at(form):
            _set_price(request.caller.actor, row, form)
            return go(request, reverse("catalog:version", args=[row.pk]), f"Set a price of {row}.")
    return _page(request, row, partial="price", status=422, form=form)


@needs(OPERATOR)
def retire_version(request: TeamRequest, version_id: uuid.UUID) -> HttpResponse:
    row = access.version_for(request.caller, version_id)
    if request.method != "POST":
        url = reverse("catalog:version", args=[row.pk])
        return confirm.ask(request, confirm.RETIRE_VERSION, name=row.name, back_url=url)
    try:
        services.retire_version(actor=request.caller.actor, version=row)
    except Refusal as refusal:
        return _page(request, row, partial="refusal", status=422 if is_htmx(request) else 409, refused=refusal.message)
    return go(request, reverse("catalog:version", args=[row.pk]), f"Retired {row}.")


def _page(
    request: TeamRequest, row: ModelVersion, *, partial: str = "", status: int = 200, **more: Any
) -> HttpResponse:
    prices = list(row.prices.all())
    moment = now()
    context = {
        "active": "models",
        "version": row,
        "prices": prices,
        "current": next((price for price in prices if price.effective_from <= moment), None),
        "moment": moment,
        "dependents": queries.dependents(row, access.aliases_for(request.caller)),
        "collections": queries.collections_with(row, request.caller),
        "form": PriceForm(),
        "question": confirm.RETIRE_VERSION,
        "currency": settings.CURRENCY,
        "is_operator": request.caller.is_operator,
        **more,
    }
    template = "catalog/version.html"
    return render(
        request, f"{template}#{partial}" if partial and is_htmx(request) else template, context, status=status
    )
