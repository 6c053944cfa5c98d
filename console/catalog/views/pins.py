"""Change pins: one address for each thing that can be done, all asked the same way.

GET asks in a dialog (htmx) or on a page of its own; POST changes the pin, or leaves a proposal where the alias wants
two people to agree. A form that saw an older pin is shown again over the pin as it is now, with what happened since.
"""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.catalog import access, queries
from console.catalog.forms import pins as forms
from console.catalog.forms.pins import PinForm
from console.catalog.models import Alias, Pin, PinProposal
from console.catalog.services import pins
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest


@needs(OPERATOR)
def move_pin(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.MoveForm)


@needs(OPERATOR)
def roll_back(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.RollBackForm)


@needs(OPERATOR)
def set_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.CanaryForm)


@needs(OPERATOR)
def promote_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.PromoteCanaryForm)


@needs(OPERATOR)
def end_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.EndCanaryForm)


@needs(OPERATOR)
def set_shadow(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.ShadowForm)


@needs(OPERATOR)
def set_fallbacks(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.FallbacksForm)


@needs(OPERATOR)
def set_parameters(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.ParametersForm)


@needs(OPERATOR)
def set_lane(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.LaneForm)


def _pin(alias: Alias, environment: str) -> Pin | None:
    pins = Pin.objects.select_related("alias", "model_version__provider", "canary_version__provider")
    return pins.prefetch_related("fallbacks").filter(alias=alias, environment=environment).first()


def _change(request: TeamRequest, name: str, environment: str, form_class: type[PinForm]) -> HttpResponse:
    alias = access.alias_for(request.caller, name)
    pin = _pin(alias, environment)
    if pin is None and form_class is not forms.MoveForm:
        raise Http404("There is no pin to change.")
    asked = {field: request.GET[field] for field in ("to", "version") if field in request.GET}
    form = form_class(posted(request), pin=pin, initial=asked)
    if form.is_valid():
        with refusals_at(form):
            outcome = pins.ask_for_change(
                actor=request.caller.actor,
                alias=alias,
                environment=environment,
                verb=form.verb(),
                reason=form.cleaned_data["reason"],
                seen_revision=form.cleaned_data["seen_revision"],
            )
            return go(request, reverse("catalog:alias", args=[name]), _said(outcome, form))
    return _ask(request, alias, environment, form)


def _said(outcome: Pin | PinProposal, form: PinForm) -> str:
    if isinstance(outcome, PinProposal):
        return f"Proposed. It waits until somebody else agrees to change {outcome.alias.name}."
    return form.done.format(alias=outcome.alias.name, environment=outcome.environment)


def _ask(request: TeamRequest, alias: Alias, environment: str, form: PinForm) -> HttpResponse:
    """Render the question. htmx swaps 422 and leaves 409 alone."""
    page = queries.alias_page(alias, request.caller)
    context = {
        "active": "models",
        "page": page,
        "stop": page.stop(environment),
        "form": form,
        "title": form.title.format(alias=alias.name, environment=environment),
        "back_to": page.stop(environment).before if isinstance(form, forms.RollBackForm) else None,
        "rows": form.rows() if isinstance(form, forms.ParametersForm) else None,
        "action_url": request.path,
        "waits": alias.needs_second_person
        and environment == "production"
        and not isinstance(form, forms.RollBackForm | forms.EndCanaryForm),
    }
    template = "catalog/pin_change.html#dialog" if is_htmx(request) else "catalog/pin_change.html"
    status = 422 if form.errors and is_htmx(request) else status_of(form)
    return render(request, template, context, status=status)
