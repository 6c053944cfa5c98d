"""Providers: list, connect, change, test, disable, remove. For operators."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.catalog import access, families, queries
from console.catalog.forms import ProviderForm, presets, prices_typed
from console.catalog.models import Provider
from console.catalog.published import NOT_ASKED, published
from console.catalog.services import connection, imports
from console.catalog.services import providers as services
from console.catalog.views import confirm
from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest


@dataclass(frozen=True, slots=True)
class Offered:
    """A model the provider named: its price is a published one, or what was typed."""

    name: str
    guess: families.Guess | None
    price: Any
    is_known: bool = False
    is_ticked: bool = False
    kind: str = ""  # what somebody said it is


@needs(OPERATOR)
def providers(request: TeamRequest) -> HttpResponse:
    rows = queries.provider_rows(access.providers_for(request.caller))
    return render(request, "catalog/providers.html", {"active": "models", "providers": rows})


@needs(OPERATOR)
def new_provider(request: TeamRequest) -> HttpResponse:
    """Connect a provider; `?preset=` fills in the address of one people know."""
    known = presets()
    chosen = next(((kind, p) for kind, p in known if p.slug == request.GET.get("preset")), None)
    initial = (
        {
            "kind": chosen[0],
            "slug": chosen[1].slug,
            "name": chosen[1].label,
            "base_url": chosen[1].base_url,
            "preset": chosen[1].slug,
        }
        if chosen
        else {}
    )
    form = ProviderForm(request.POST or None, initial=initial)
    if form.is_valid():
        with refusals_at(form):
            made = services.create_provider(actor=request.caller.actor, **form.cleaned_data)
            return go(request, _url(made), f"Connected {made.name}. Test the connection, then add its models.")
    return render(
        request,
        "catalog/provider_new.html",
        {"active": "models", "form": form, "presets": known, "chosen": chosen[1] if chosen else None},
        status=status_of(form),
    )


@needs(OPERATOR)
def provider(request: TeamRequest, slug: str) -> HttpResponse:
    """One provider: its connection, its models, and the form that changes it."""
    row = access.provider_for(request.caller, slug)
    if request.method != "POST":
        return _page(request, row)
    form = ProviderForm(request.POST, provider=row)
    if form.is_valid():
        fields = {n: v for n, v in form.cleaned_data.items() if n not in {"secret", "clear_secret"}}
        with refusals_at(form):
            services.change_provider(actor=request.caller.actor, provider=row, secret=form.secret_to_set(), **fields)
            return go(request, _url(row), f"Changed {fields['name']}.")
    return _page(request, row, partial="form", status=422 if is_htmx(request) else status_of(form), form=form)


@needs(OPERATOR)
@require_POST
def test_provider(request: TeamRequest, slug: str) -> HttpResponse:
    """Ask the provider for its models now, and show how it went."""
    row = access.provider_for(request.caller, slug)
    outcome = connection.check_connection(actor=request.caller.actor, provider=row)
    unknown = set(outcome.models) - {version.name for version in queries.versions_of(row)}
    prices = published(row, sorted(unknown)) if len(outcome.models) <= _MOST_PRICED else NOT_ASKED
    row.refresh_from_db(fields=["tested_at", "was_test_ok"])
    return _page(request, row, partial="tested", outcome=outcome, price_list=prices)


# A form has at most 500 fields, and a model four; a longer list is imported without prices, and each as its name tells.
_MOST_PRICED = 120


@needs(OPERATOR)
@require_POST
def import_models(request: TeamRequest, slug: str) -> HttpResponse:
    """Add the ticked models of those the provider named."""
    row = access.provider_for(request.caller, slug)
    try:
        names = request.POST.getlist("models")
        prices = prices_typed(request.POST, names)
        known = published(row, list(prices))
        made = imports.import_models(
            actor=request.caller.actor,
            provider=row,
            names=names,
            prices=prices,
            known_prices=known,
            kinds={name: kind for name in names if (kind := request.POST.get(f"kind:{name}"))},
        )
    except Refusal as refusal:
        status = 422 if is_htmx(request) else 409
        again = _offered_again(request.POST)
        return _page(request, row, partial="import_refusal", status=status, refused=refusal.message, **again)
    message = f"Added {plural(len(made), 'model')}. Check limits and prices before you pin them."
    return go(request, _url(row), message)


@needs(OPERATOR)
@require_POST
def enable_provider(request: TeamRequest, slug: str) -> HttpResponse:
    """Enable or disable, as `enabled` says."""
    row = access.provider_for(request.caller, slug)
    enabled = request.POST.get("enabled") == "1"
    services.enable_provider(actor=request.caller.actor, provider=row, enabled=enabled)
    message = f"Calls go to {row.name} again." if enabled else f"{row.name} receives no calls any more."
    return go(request, _url(row), message)


@needs(OPERATOR)
def delete_provider(request: TeamRequest, slug: str) -> HttpResponse:
    row = access.provider_for(request.caller, slug)
    if request.method != "POST":
        return confirm.ask(request, confirm.REMOVE_PROVIDER, name=row.name, back_url=_url(row))
    try:
        services.delete_provider(actor=request.caller.actor, provider=row)
    except Refusal as refusal:
        return _page(request, row, partial="refusal", status=422 if is_htmx(request) else 409, refused=refusal.message)
    return go(request, reverse("catalog:providers"), f"Removed {row.name}.")


def _offered_again(sent: QueryDict) -> dict[str, Any]:
    """Return the list of models as it was sent, ticked and filled in, without asking the provider for it again.

    Models that were not ticked are known by the fields of their prices; a list too long for those has the ticked alone.
    """
    ticked = sent.getlist("models")
    priced = [name.removeprefix("input:") for name in sent if name.startswith("input:")]
    return {
        "offered": [
            Offered(
                name,
                families.guess(name),
                {part: sent.get(f"{part}:{name}", "") for part in ("input", "output")},
                is_ticked=name in ticked,
                kind=sent.get(f"kind:{name}", ""),
            )
            for name in dict.fromkeys([*priced, *ticked])
        ],
        "takes_prices": bool(priced),
    }


def _url(row: Provider) -> str:
    return reverse("catalog:provider", args=[row.slug])


def _page(request: TeamRequest, row: Provider, *, partial: str = "", status: int = 200, **more: Any) -> HttpResponse:
    versions, lately = queries.versions_of(row), queries.incidents(row)
    known = {version.name for version in versions}
    outcome, offered = more.get("outcome"), more.get("price_list", NOT_ASKED)
    context = {
        "active": "models",
        "provider": row,
        "versions": [(version, queries.price_now(version)) for version in versions],
        "offered": [
            Offered(name, families.guess(name), offered.prices.get(name), is_known=name in known)
            for name in (outcome.models if outcome else [])
        ],
        "is_swap": is_htmx(request),
        "kinds": [(kind.value, kind.label) for kind in families.KINDS],
        "takes_prices": outcome is not None and len(outcome.models) <= _MOST_PRICED,
        "incidents": lately,
        "currency": settings.CURRENCY,
        "health": queries.health_of(row, lately),
        "form": ProviderForm(provider=row),
        "question": confirm.REMOVE_PROVIDER,
        **more,
    }
    template = "catalog/provider.html"
    return render(
        request, f"{template}#{partial}" if partial and is_htmx(request) else template, context, status=status
    )
